"""EVT2.1: the native decoder against the plain one, in both orders; which order a file has."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation, read_bytes
from tests.camera.formats.checks import check_decoder, decode
from tests.reference import evt21

from saccade.camera._native import Evt21Decoder
from saccade.camera.errors import RecordingError
from saccade.camera.recordings import open_recording

HEADER = b"%% format EVT21;endianness=%s;height=260;width=346\n%% end\n"

pytestmark = pytest.mark.usefixtures("all_paths")


def run(data: bytes):
    decoder = Evt21Decoder(640, 480, legacy=False)
    return decode(decoder, data, []), decoder


def check(data: bytes, cuts: list[int], size: tuple[int, int] = (640, 480)) -> None:
    for legacy in (False, True):
        expected = evt21.decode(data, *size, legacy)
        new_decoder = partial(Evt21Decoder, *size, legacy=legacy)
        decoder = check_decoder(new_decoder, expected, data, cuts)
        assert decoder.pending_bytes == len(data) % 8


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    check(data, cuts)


def some_words(n: int, density: float, legacy: bool, size: tuple[int, int], seed: int = 1) -> bytes:
    """n words of vectors, about half at a multiple of 32, and of rising times, the first a time."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, size[0], n) & np.where(rng.random(n) < 0.5, -32, -1)
    head = rng.integers(0, 2, n) << 28 | rng.integers(0, 64, n) << 22 | base << 11
    head |= rng.integers(0, size[1], n)
    mask = (rng.random((n, 32)) < density) @ (1 << np.arange(32))
    times = np.arange(n) % 16 == 0
    head[times], mask[times] = 8 << 28 | np.arange(times.sum()), 0
    return words(*zip(head.tolist(), mask.tolist(), strict=True), legacy=legacy)


def words(*pairs: tuple[int, int], legacy: bool = False) -> bytes:
    """Pairs of a head and a mask."""
    array = np.array(pairs, "<u4").reshape(-1, 2)
    return (array if legacy else array[:, ::-1]).tobytes()


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (2048, 2048), (8192, 100), (1, 1)])
def test_random_words(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    values = rng.integers(0, 1 << 32, (3000, 2), dtype=np.uint32)
    values[rng.random((3000, 2)) < 0.7] &= 0x1FFFFFFF
    check(values.astype("<u4").tobytes(), rng.integers(0, 24_000, 30).tolist(), size)


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_vectors_of_any_density(density: float) -> None:
    for legacy in (False, True):
        data = some_words(1500, density, legacy, (346, 260))
        check(data, [5, 801, 6000], (340, 255))


def test_bits_of_the_mask_count_from_the_base() -> None:
    data = words((0x80000001, 0), (0x1 << 28 | 5 << 22 | 100 << 11 | 7, 0x80010003))
    events, _ = run(data)
    assert events == [(64 + 5, x, 7, True) for x in (100, 101, 116, 131)]


def test_a_vector_past_the_width_loses_only_what_is_outside() -> None:
    data = words((8 << 28, 0), (636 << 11, 0xFFFFFFFF), (636 << 11 | 480, 3), (1000 << 11, 1))
    events, decoder = run(data)
    assert [x for _, x, *_ in events] == [636, 637, 638, 639]
    assert decoder.dropped["out_of_bounds"] == 28 + 2 + 1


def test_each_event_before_the_first_time_is_counted() -> None:
    events, decoder = run(words((0, 0xFF), (8 << 28, 0), (0, 1)))
    assert len(events) == 1
    assert decoder.dropped["before_time"] == 8


def opened(path: Path, header: bytes, data: bytes) -> tuple[str, list[tuple[int, ...]]]:
    path.write_bytes(header + data)
    with open_recording(path) as recording:
        events = np.concatenate([p.to_array() for p in recording.packets()])
        return recording.format, events.tolist()


STATED = [b"% evt 2.1\n% endianness ORDER\n", b"% format EVT21;endianness=ORDER\n"]


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("header", [*STATED, b"% format EVT21\n", b"% evt 2.1\n"])
def test_the_order_is_stated_or_seen(tmp_path: Path, header: bytes, legacy: bool) -> None:
    data = some_words(200, 0.1, legacy, (346, 260))
    header = header.replace(b"ORDER", b"legacy" if legacy else b"little")
    name, events = opened(tmp_path / "a.raw", header + b"% geometry 346x260\n% end\n", data)
    assert name == "evt21"
    assert events == evt21.decode(data, 346, 260, legacy)[0]
    assert len(events) > 300


@pytest.mark.parametrize(
    ("sensor", "legacy"),
    [(b"% system_ID 49\n", True), (b"% system_ID 64\n", False), (b"% comment x\n", False)],
)
def test_the_order_that_nothing_shows_is_the_cameras(
    tmp_path: Path, sensor: bytes, legacy: bool
) -> None:
    data = words((8 << 28, 0), (5 << 11, 1), legacy=legacy)
    header = b"% evt 2.1\n% geometry 320x320\n" + sensor + b"% end\n"
    assert opened(tmp_path / "a.raw", header, data)[1] == [(0, 5, 0, False)]


def test_another_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="endianness 'big' is not read; record in EVT3"):
        opened(tmp_path / "a.raw", HEADER % b"big", bytes(8))


def test_a_cut_word_is_reported_where_it_starts(tmp_path: Path) -> None:
    data = HEADER % b"legacy" + some_words(40, 0.2, True, (346, 260))
    for missing in range(1, 8):
        _, error = read_bytes(tmp_path / "a", data[:-missing])
        assert error is not None
        assert error.offset == len(data) - 8


@pytest.mark.parametrize("order", [b"legacy", b"little"])
def test_damage(tmp_path: Path, order: bytes) -> None:
    data = HEADER % order + some_words(2400, 0.1, order == b"legacy", (346, 260))
    check_truncation(tmp_path / "a", data, short_step=97)
    check_flipped_bits(tmp_path / "a", data, short_step=61)
    check_mutations(tmp_path / "a", data, short=300)
