"""The encodings of event_camera_msgs: the native decoders against plain ones, in any chunks."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.formats.checks import check_counts, decode
from tests.reference import ros

from saccade.camera import _native

ENCODINGS = ["libcaer", "libcaer_cmp", "mono"]
DECODERS = dict(
    zip(
        ENCODINGS,
        (_native.LibcaerDecoder, _native.LibcaerCmpDecoder, _native.MonoDecoder),
        strict=True,
    )
)
EPOCH = 1_702_309_120_762_236_018  # ns, no multiple of 1000


def run(encoding: str, packets: list[tuple[int, bytes]], cuts: list[int], size: tuple[int, int]):
    decoder = DECODERS[encoding](*size)
    for base, data in packets:
        decoder.announce(base, len(data))
    data = b"".join(data for _, data in packets)
    events = decode(decoder, data, cuts)
    assert decoder.pending_bytes == 0
    return events, decoder


def check(encoding, packets, cuts=(), size=(640, 480)):
    events, decoder = run(encoding, packets, list(cuts), size)
    expected, seen = getattr(ros, encoding)(packets, *size)
    assert events == expected
    check_counts(decoder, seen)
    assert decoder.damage is None
    return events, decoder


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_bytes_in_any_chunks(encoding: str, data: st.DataObject) -> None:
    words = st.binary(max_size=25).map(lambda b: b * 8 if len(b) < 12 else b[: len(b) // 8 * 8])
    packets = data.draw(st.lists(st.tuples(st.integers(0, 1 << 61), words), min_size=1, max_size=4))
    check(encoding, packets, data.draw(st.lists(st.integers(0, 200), max_size=6)))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [(640, 480), (346, 260), (2048, 2048), (1, 1)])
def test_random_words(encoding: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    if encoding == "libcaer_cmp":
        words = (rng.integers(0, 7, 8000) << 12 | rng.integers(0, 4096, 8000)).astype("<u2")
    else:
        words = rng.integers(0, 1 << 32, 8000, dtype=np.uint32)
        if encoding == "libcaer":
            flags = rng.integers(0, 4, 4000) | (rng.random(4000) < 0.9)
            words[0::2] = rng.integers(0, 700, 4000) << 17 | rng.integers(0, 500, 4000) << 2 | flags
            words[1::2] = np.cumsum(rng.integers(0, 1 << 20, 4000)) % (1 << 31)
        else:
            words[1::2] = rng.integers(0, 700, 4000) | rng.integers(0, 500, 4000) << 16
    data = words.tobytes()
    packets = [(EPOCH, data[: len(data) // 2]), (EPOCH + 10**7, data[len(data) // 2 :])]
    check(encoding, packets, rng.integers(0, len(data), 30).tolist(), size)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_is_encoded_is_decoded(encoding: str) -> None:
    rng = np.random.default_rng(5)
    t = EPOCH // 1000 + 1 + np.cumsum(rng.integers(0, 3, 2000)) // 2
    columns = rng.integers(0, 20, 2000), rng.integers(0, 30, 2000), rng.random(2000) < 0.5
    events = [(int(a), int(b), int(c), bool(d)) for a, b, c, d in zip(t, *columns, strict=True)]
    data = getattr(ros, f"encode_{encoding}")(EPOCH, events)
    decoded, decoder = check(encoding, [(EPOCH, data)])
    assert decoded == events
    assert not any((decoder.dropped | decoder.skipped).values())


def libcaer_times(*times: int) -> tuple[list[int], int]:
    data = b"".join(b"\x01\0\0\0" + (t % (1 << 31)).to_bytes(4, "little") for t in times)
    events, decoder = check("libcaer", [(5_000_000, data)])
    return [t - 5000 for t, *_ in events], decoder.skipped["time_backwards"]


def test_libcaers_31_bit_clock_wraps_within_a_packet() -> None:
    top = (1 << 31) - 1
    assert libcaer_times(top, top + 1, top + 2) == ([top, top + 1, top + 2], 0)


def test_a_small_step_back_is_no_wrap() -> None:
    assert libcaer_times(1000, 999, 1001) == ([1000, 999, 1001], 1)


def test_a_step_back_across_the_wrap_is_taken_back() -> None:
    top = (1 << 31) - 1
    assert libcaer_times(top, top + 1, top, top + 2) == ([top, top + 1, top, top + 2], 1)


def test_mono_rounds_down_after_the_time_base_is_added() -> None:
    data = b"".join(ns.to_bytes(8, "little") for ns in (0, 981, 982, 0xFFFFFFFF))
    events, _ = check("mono", [(1_000_000_018, data)])
    assert [t for t, *_ in events] == [1_000_000, 1_000_000, 1_000_001, 5_294_967]


def test_a_vector_past_the_height_is_cut_and_counted() -> None:
    words = [2 << 12 | 5, 4 << 12 | 1 << 11 | 476, 5 << 12 | 0xFF]
    data = b"".join(w.to_bytes(2, "little") for w in words)
    events, decoder = check("libcaer_cmp", [(0, data)])
    assert events == [(0, 5, y, True) for y in range(476, 480)]
    assert decoder.dropped["out_of_bounds"] == 4


def test_what_has_no_column_or_no_base_is_counted() -> None:
    data = b"".join(w.to_bytes(2, "little") for w in (3 << 12, 5 << 12 | 3, 2 << 12, 5 << 12 | 1))
    _, decoder = check("libcaer_cmp", [(0, data)], itertools.repeat(1, 3))
    assert decoder.dropped["missing_x"] == 3
    assert decoder.dropped["missing_base"] == 1
