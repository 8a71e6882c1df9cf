"""Raw words that a GPU decodes: the operator behind it, counts and losses, chunks and slices."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.formats.test_evt3 import sensor_words
from tests.camera.test_frames import random_packet
from tests.reference import evt2, evt3

from saccade.camera import _native
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec

DECODERS = {"evt2": evt2.decode, "evt3": evt3.decode}


def packet_of(events: list[tuple[int, int, int, bool]]) -> Packet:
    t, x, y, on = zip(*events, strict=True) if events else ((), (), (), ())
    return Packet(
        np.array(t, np.uint64), np.array(x, np.uint16), np.array(y, np.uint16), np.array(on, bool)
    )


def check_words(maker, source, data, cuts, size, window=(0, None), again=False) -> None:
    """The counts and losses of `data`, given in pieces, are those of the plain decoder."""
    events, seen = DECODERS[source](data, *size)
    begin, end = window
    inside = [e for e in events if begin <= e[0] and (end is None or e[0] < end)]
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    add = getattr(maker, f"add_{source}")
    for a, b in pairwise(edges):
        if again:
            add(data[a:b], 0, 0)  # nothing is counted the first time
        add(data[a:b], begin, end, again)
    counted = maker.count([])
    wanted = FrameMaker(*size, maker.spec).count([packet_of(inside)])
    np.testing.assert_array_equal(counted, wanted)
    found = maker.dropped | maker.skipped
    assert Counter(found) == Counter({name: seen[name] for name in found})


# --- The operator that joins runs of words.


def check_operator(source: str, words: np.ndarray, start: int, seed: int) -> None:
    one_by_one, joined = _native.word_states(_native.CudaSource[source], words, start, seed)
    assert joined == one_by_one


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_the_operator_joins_runs_however_they_are_bracketed(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from(["evt2", "evt3"]))
    bits = 28 if source == "evt2" else 12
    # Times near the borders of the clock's period and its half are what its rules are about.
    near = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7]).map(lambda k: (k << bits) >> 3)
    times = st.tuples(near, st.integers(-2, 2)).map(lambda p: sum(p) % (1 << bits) | 8 << bits)
    any_word = st.integers(0, (1 << (bits + 4)) - 1)
    words = data.draw(st.lists(st.one_of(times, any_word), max_size=40))
    start = data.draw(st.integers(0, len(words)))
    seed = data.draw(st.integers(0, 1 << 30))
    check_operator(source, np.array(words, np.uint32), start, seed)


@pytest.mark.parametrize("source", ["evt2", "evt3"])
@pytest.mark.parametrize("share_of_times", [0.06, 0.5, 1.0])
def test_the_operator_on_many_random_words(source: str, share_of_times: float) -> None:
    bits = 28 if source == "evt2" else 12
    rng = np.random.default_rng(6)
    for seed in range(60):
        words = rng.integers(0, 1 << (bits + 4), 2000, dtype=np.uint32)
        times = rng.random(2000) < share_of_times
        jumps = rng.choice([rng.integers(0, 1 << bits, 2000), rng.integers(0, 4, 2000)])
        words[times] = 8 << bits | np.uint32(jumps[times])
        check_operator(source, words, int(rng.integers(0, 2000)), seed)


# --- Raw words.


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(["evt2", "evt3"]),
    st.binary(max_size=400),
    st.lists(st.integers(0, 400), max_size=6),
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(0, 99), st.booleans()),
    st.booleans(),
)
def test_any_bytes_in_any_chunks_on_any_grid(source, data, cuts, shape, again) -> None:
    device = _native.HostDevice(*shape)
    spec = FrameSpec("paper", 8, "sensor")
    maker = CudaFrameMaker(640, 480, spec, device=device, slot_bytes=64)
    check_words(maker, source, data, cuts, (640, 480), again=again)


@pytest.mark.parametrize("source", ["evt2", "evt3"])
@pytest.mark.parametrize("counting", ["sensor", "encoder"])
@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (2048, 2048), (1, 1)])
def test_random_words(device, source, counting, size) -> None:
    rng = np.random.default_rng(4)
    words = rng.integers(0, 1 << 16, 20_000, dtype=np.uint16)
    late = np.arange(20_000) > 300  # before, few times and rows: each class of loss occurs
    words[~late & (words < 0x2000)] |= 0x2000
    words[~late & (words >> 12 == 8)] ^= 0xA000
    data = words.astype("<u2").tobytes()
    maker = CudaFrameMaker(*size, FrameSpec("paper", 33, counting), device=device, slot_bytes=8192)
    cuts = rng.integers(0, len(data), 12).tolist()
    check_words(maker, source, data, cuts, size)
    assert maker.out_of_bounds == maker.dropped["out_of_bounds"]


@pytest.mark.parametrize("size", [(640, 480), (346, 260), (20, 3)])
def test_words_as_sensors_send_them_cut_by_time(device, size) -> None:
    rng = np.random.default_rng(5)
    data = sensor_words(rng, 1500, *size)
    times = [t for t, *_ in evt3.decode(data, *size)[0]]
    for again in (False, True):
        maker = CudaFrameMaker(*size, FrameSpec("paper", 20, "sensor"), device=device)
        window = (int(np.quantile(times, 0.3)), int(np.quantile(times, 0.7)))
        check_words(maker, "evt3", data, rng.integers(0, len(data), 5), size, window, again)


def test_slices_of_a_stream_whose_pieces_hold_borders(device) -> None:
    """Each piece goes to every slice that it reaches into; the slices are those of the decoder."""
    rng = np.random.default_rng(7)
    width, height, window_us = 64, 48, 700
    encoder = _native.Evt3Encoder(width, 0)
    p = random_packet(20_000, width, height)
    t = np.sort(rng.integers(0, 10_000, 20_000)).astype(np.uint64)
    data = bytes(encoder.encode(t, p.x, p.y, p.on))
    maker = CudaFrameMaker(width, height, FrameSpec("paper", 16, "sensor"), device=device)
    reference = FrameMaker(width, height, FrameSpec("paper", 16, "sensor"))
    begin, frames_made = 0, 0
    for a, b in pairwise([*range(0, len(data), 3001), len(data)]):
        maker.add_evt3(data[a:b], begin, begin + window_us)
        while maker.added.late:
            chosen = (t >= begin) & (t < begin + window_us)
            wanted = reference.make([Packet(t[chosen], p.x[chosen], p.y[chosen], p.on[chosen])])
            frame = np.empty((16, 16), np.float32)
            np.testing.assert_allclose(maker.finish(frame), wanted, atol=1e-6, rtol=0)
            frames_made += 1
            begin += window_us
            maker.add_evt3(data[a:b], begin, begin + window_us, again=True)
    assert frames_made == 9_999 // window_us


def test_real_recordings(device, shared_data) -> None:
    path = shared_data / "recordings" / "evt3" / "street_gen41_hd.raw"
    data = path.read_bytes()[:120_000]
    data = data[data.index(b"% end\n") + 6 :] if b"% end\n" in data else data[-110_000:]
    decoder = _native.Evt3Decoder(1280, 720)
    packet = Packet(*decoder.decode(np.frombuffer(data, np.uint8)))
    maker = CudaFrameMaker(1280, 720, FrameSpec("signed", 64, "encoder"), device=device)
    maker.add_evt3(data)
    wanted = FrameMaker(1280, 720, FrameSpec("signed", 64, "encoder")).count([packet])
    assert wanted.sum() == maker.added.counted > 10_000
    np.testing.assert_array_equal(maker.count([]), wanted)
