"""EVT2: the native decoder against the plain one, on any words in any chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.formats.checks import check_decoder, decode
from tests.reference import evt2

from saccade.camera._native import Evt2Decoder
from saccade.camera.events import Packet

pytestmark = pytest.mark.usefixtures("all_paths")


def run(data: bytes, cuts: list[int], width: int = 640, height: int = 480):
    decoder = Evt2Decoder(width, height)
    return decode(decoder, data, cuts), decoder


def check(data: bytes, cuts: list[int], width: int = 640, height: int = 480) -> None:
    expected = evt2.decode(data, width, height)
    decoder = check_decoder(lambda: Evt2Decoder(width, height), expected, data, cuts)
    assert decoder.pending_bytes == len(data) % 4


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    check(data, cuts)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (2048, 2048), (1, 1)])
def test_random_words(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    words = rng.integers(0, 1 << 32, 20_000, dtype=np.uint32)
    events = rng.random(20_000) < 0.7
    words[events] &= 0x1FFFFFFF
    check(words.astype("<u4").tobytes(), rng.integers(0, 80_000, 30).tolist(), *size)


def words(*values: int) -> bytes:
    return np.array(values, "<u4").tobytes()


def test_the_34_bit_clock_wraps() -> None:
    events, decoder = run(words(0x8FFFFFFF, 0x0FC00000, 0x80000000, 0x10000000), [])
    assert [t for t, *_ in events] == [(1 << 34) - 1, 1 << 34]
    assert decoder.skipped["time_backwards"] == 0


def test_a_small_step_back_in_time_is_no_wrap() -> None:
    events, decoder = run(words(0x80000100, 0, 0x800000FF, 0, 0x80000101, 0), [])
    assert [t >> 6 for t, *_ in events] == [0x100, 0xFF, 0x101]
    assert decoder.skipped["time_backwards"] == 1


def test_a_step_back_across_the_wrap_is_taken_back() -> None:
    events, _ = run(words(0x8FFFFFFF, 0x80000000, 0, 0x8FFFFFFF, 0, 0x80000001, 0), [])
    assert [t >> 6 for t, *_ in events] == [1 << 28, (1 << 28) - 1, (1 << 28) + 1]


def test_columns_have_the_types_of_a_packet() -> None:
    packet = Packet(*Evt2Decoder(640, 480).decode(np.frombuffer(words(0x80000000, 5), np.uint8)))
    types = [column.dtype for column in (packet.t, packet.x, packet.y, packet.on)]
    assert types == [np.uint64, np.uint16, np.uint16, np.bool_]
    assert len(packet) == 1


def test_memory_that_is_not_bytes_is_refused() -> None:
    with pytest.raises(TypeError):
        Evt2Decoder(640, 480).decode(np.zeros(8, np.uint16))
    with pytest.raises(TypeError):
        Evt2Decoder(640, 480).decode(np.zeros((2, 4), np.uint8))
