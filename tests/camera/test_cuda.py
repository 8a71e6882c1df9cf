"""Frames on a GPU: the kernels' code, run on the host by one thread after the other, and there."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.formats.test_evt3 import sensor_words
from tests.camera.test_frames import random_packet
from tests.reference import evt2, evt3, frames

from saccade.camera import _native, cuda
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec

DECODERS = {"evt2": evt2.decode, "evt3": evt3.decode}


@pytest.fixture(params=["host", "host, integrated", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest):
    """The number of a GPU, or what runs the kernels' code on the host: few and odd threads."""
    if request.param == "gpu":
        return 0
    return _native.HostDevice(3, 7, seed=1, integrated="integrated" in request.param)


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


# --- Events.


@pytest.mark.parametrize("counting", ["sensor", "encoder"])
@pytest.mark.parametrize("kind", ["paper", "signed", "clamped"])
@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(346, 260, 224), (31, 17, 64), (96, 96, 96), (1, 1, 5), (7, 300, 33)],
)
def test_frame_equals_its_definition(device, kind, counting, width, height, size) -> None:
    spec = FrameSpec(kind, size, counting, clamp=3)
    maker = CudaFrameMaker(width, height, spec, device=device, slot_bytes=640, channels=3)
    halves = CudaFrameMaker(width, height, spec, device=device, channels=3, half=True)
    for n in (0, 1, 5, 5000):
        p = random_packet(n, width, height, seed=n)
        counted = frames.counts(p.x, p.y, p.on, width, height, size, counting)
        np.testing.assert_array_equal(maker.count([p[: n // 2], p[n // 2 :]]), counted)
        wanted = frames.frame(p.x, p.y, p.on, width, height, kind, size, counting, 3)
        found = maker.make([p]).to_host()
        assert found.shape == (3, size, size)
        np.testing.assert_allclose(found, np.stack([wanted] * 3), atol=1e-6, rtol=0)
        half = halves.make([p]).to_host()
        np.testing.assert_array_equal(half, found.astype(np.float16))
        np.testing.assert_allclose(half[2], wanted, atol=1e-3, rtol=0)
        on_host = np.empty((size, size), np.float32)
        assert maker.make([p], on_host) is on_host
        np.testing.assert_allclose(on_host, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("counting", ["sensor", "encoder"])
def test_counters_that_overflow_equal_those_that_stop(device, counting) -> None:
    """OFF overflows into ON in one word: in any mixture, counts and losses are those of the CPU."""
    rng = np.random.default_rng(8)
    size, spec = (4, 3), FrameSpec("signed", 5, counting)
    maker = CudaFrameMaker(*size, spec, device=device, slot_bytes=1 << 18)
    reference = FrameMaker(*size, spec)
    for share_on in (0.0, 1.0, 0.5, 0.3, 0.9):
        n = 400_000
        x = rng.choice([0, 1, 2, 3], n, p=[0.9, 0.07, 0.02, 0.01]).astype(np.uint16)
        p = Packet(np.zeros(n, np.uint64), x, (x % 3).astype(np.uint16), rng.random(n) < share_on)
        wanted = reference.make([p])
        out = np.empty_like(wanted)
        np.testing.assert_allclose(maker.make([p], out), wanted, atol=1e-6, rtol=0)
        np.testing.assert_array_equal(maker.count([p]), reference.count([p]))
        assert maker.saturated == reference.saturated > 0


def test_full_counters_stay_full(device) -> None:
    maker = CudaFrameMaker(8, 8, FrameSpec("paper", 8, "sensor"), device=device)
    n = 65_536
    p = Packet(np.zeros(n, np.uint64), *[np.full(n, 3, np.uint16)] * 2, np.zeros(n, bool))
    maker.add([p])
    for extra in (1, 2, 65_535, 65_536):
        maker.add([p[:extra]])
        counts = maker.counts_to_host()
        assert (counts[0, 3, 3], counts[1].max()) == (65_535, 0)
    assert maker.saturated == 1 + 1 + 2 + 65_535 + 65_536


def test_events_outside_the_sensor_are_counted_never_written(device) -> None:
    x, y = np.array([8, 65_535, 0, 7], np.uint16), np.array([0, 0, 9, 7], np.uint16)
    maker = CudaFrameMaker(8, 8, FrameSpec("paper", 4, "encoder"), device=device)
    assert maker.count([Packet(np.zeros(4, np.uint64), x, y, np.ones(4, bool))]).sum() == 1
    assert maker.out_of_bounds == 3


def test_frames_do_not_leak_into_the_next_one(device) -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec("paper", 32, "sensor"), device=device)
    p = random_packet(1000, 64, 48)
    first = maker.make([p]).to_host()
    for _ in range(3):
        assert not maker.make([]).to_host().any()
        np.testing.assert_array_equal(maker.make([p]).to_host(), first)
    with pytest.raises((TypeError, ValueError)):
        maker.make([p, Packet(p.t, p.x, p.y[:5], p.on)])
    assert not maker.make([]).to_host().any()


def test_scaled_coordinates_are_exact() -> None:
    """By a multiplication, x * size // width for every x, of widths and sizes of all magnitudes."""
    rng = np.random.default_rng(9)
    device = _native.HostDevice(1, 256, 1, True)
    widths = [1, 2, 3, 7, 640, 1279, 1280, 2047, 2048, *rng.integers(1, 2049, 12)]
    for width, size in zip(widths, [8192, 1, 5, 1000, 224, 2047, 224, 2046] * 3, strict=False):
        x = np.arange(width, dtype=np.uint16)
        p = Packet(np.zeros(width, np.uint64), x, np.zeros_like(x), np.ones(width, bool))
        spec = FrameSpec("paper", min(int(size), 2048), "encoder")
        maker = CudaFrameMaker(int(width), 1, spec, device=device)
        wanted = np.bincount(x.astype(np.int64) * spec.size // width, minlength=spec.size)
        np.testing.assert_array_equal(maker.count([p])[1, 0], wanted)


# --- Arrays, graphs, and what is refused.


def pack(p: Packet) -> np.ndarray:
    return p.x | p.y.astype(np.uint32) << 11 | p.on.astype(np.uint32) << 22


def aligned(values: np.ndarray) -> np.ndarray:
    """A copy whose first byte lies at a multiple of 16."""
    room = np.zeros(values.nbytes + 16, np.uint8)
    start = -room.ctypes.data % 16
    room[start : start + values.nbytes] = values.view(np.uint8)
    return room[start : start + values.nbytes].view(values.dtype)


@pytest.fixture
def host() -> _native.HostDevice:
    """Arrays of its own device are NumPy's, so that DLPack is tried without a GPU."""
    return _native.HostDevice(2, 5, 3, False)


def test_arrays_on_the_device_are_taken_and_written_where_they_are(host) -> None:
    spec = FrameSpec("paper", 16, "sensor")
    maker, reference = CudaFrameMaker(64, 48, spec, device=host), FrameMaker(64, 48, spec)
    p = random_packet(1003, 64, 48)
    maker.add_packed(aligned(pack(p)))
    wanted = reference.make([p])
    np.testing.assert_allclose(np.from_dlpack(maker.finish())[0], wanted, atol=1e-6, rtol=0)
    with pytest.raises(BufferError, match="to_host"):
        np.from_dlpack(maker.frame_on_device(), copy=True)
    data = sensor_words(np.random.default_rng(1), 200, 64, 48)
    maker.add_evt3(aligned(np.frombuffer(data, "<u2")))
    counted = maker.counts_to_host()
    maker.make([])
    maker.add_evt3(data, again=True)
    np.testing.assert_array_equal(maker.counts_to_host(), counted)
    for address in (np.zeros((3, 16, 16), np.float32), np.zeros((3, 16, 16), np.float16)):
        maker.make([])
        maker.add([p])
        half = address.dtype == np.float16
        maker.finish_into(address.ctypes.data, channels=3, half=half)
        np.testing.assert_allclose(address[2], wanted, atol=1e-3 if half else 1e-6, rtol=0)


@pytest.mark.parametrize("source", ["packed", "evt3"])
def test_a_graph_makes_the_same_frames(device, source) -> None:
    spec = FrameSpec("clamped", 16, "sensor")
    maker = CudaFrameMaker(64, 48, spec, device=device)
    direct = CudaFrameMaker(64, 48, spec, device=device)
    graph = maker.capture(source)
    for seed in range(6):
        if source == "packed":
            p = random_packet(999 * seed, 64, 48, seed)
            maker.add([p], graph)
            direct.add([p])
        else:
            data = sensor_words(np.random.default_rng(seed), 100, 64, 48)
            maker.add_evt3(data, graph=graph)
            direct.add_evt3(data)
        wanted = direct.finish().to_host()
        np.testing.assert_array_equal(maker.frame_on_device().to_host(), wanted)
    with pytest.raises(SaccadeError, match="no graph"):
        maker.add_evt2(b"1234", graph=graph)


def test_a_graph_takes_one_piece(host) -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec(), device=host, slot_bytes=64)
    graph = maker.capture("packed")
    with pytest.raises(SaccadeError, match="at most 64 bytes"):
        maker.add([random_packet(17, 64, 48)], graph)


def test_what_does_not_fit_is_refused_in_one_line(host) -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec(size=8), device=host)
    words = aligned(np.zeros(8, np.uint16))
    with pytest.raises(SaccadeError, match=r"uint32 \[N\]"):
        maker.add_packed(words)
    with pytest.raises(SaccadeError, match="multiple of 16 bytes"):
        maker.add_evt3(words[1:])
    with pytest.raises(SaccadeError, match="no words yet"):
        maker.add_evt3(b"", again=True)
    maker.add_evt3(b"1")
    with pytest.raises(SaccadeError, match="end of their word"):
        maker.add_evt3(words)
    with pytest.raises(SaccadeError, match="decoders of their own"):
        maker.add_evt2(b"1234")
    with pytest.raises(SaccadeError, match=r"float32 \[8, 8\]"):
        maker.finish(np.zeros((8, 8)))
    with pytest.raises(SaccadeError, match="aligned address"):
        maker.finish_into(1, channels=1, half=True)
    for wrong in ({"width": 2049}, {"channels": 4}, {"slot_bytes": 10}):
        with pytest.raises(SaccadeError):
            CudaFrameMaker(**{"width": 8, "height": 8, "spec": FrameSpec(), "device": host} | wrong)


def test_without_a_gpu_the_call_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setattr(_native, "cuda_built", False)
    assert not cuda.available()
    with pytest.raises(SaccadeError, match="SACCADE_CUDA=ON"):
        CudaFrameMaker(8, 8, FrameSpec())


@pytest.mark.gpu
def test_an_array_elsewhere_is_refused() -> None:
    maker = CudaFrameMaker(64, 48, FrameSpec())
    with pytest.raises(SaccadeError, match="copy it there first"):
        maker.add_packed(aligned(np.zeros(8, np.uint32)))
