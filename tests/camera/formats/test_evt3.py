"""EVT3: the native decoder against the plain one, on any words in any chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.formats.checks import check_decoder, decode
from tests.reference import evt3

from saccade.camera._native import Evt3Decoder
from saccade.camera.events import Packet

pytestmark = pytest.mark.usefixtures("all_paths")


def run(data: bytes, cuts: list[int], width: int = 640, height: int = 480):
    decoder = Evt3Decoder(width, height)
    return decode(decoder, data, cuts), decoder


def check(data: bytes, cuts: list[int], width: int = 640, height: int = 480) -> None:
    expected = evt3.decode(data, width, height)
    decoder = check_decoder(lambda: Evt3Decoder(width, height), expected, data, cuts)
    assert decoder.pending_bytes == len(data) % 2


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    check(data, cuts)


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (2048, 2048), (1, 1)])
def test_random_words(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(4)
    values = rng.integers(0, 1 << 16, 40_000, dtype=np.uint16)
    late = np.arange(40_000) > 300  # before, few times and rows: each class of loss occurs
    values[~late & (values < 0x2000)] |= 0x2000
    values[~late & (values >> 12 == 8)] ^= 0xA000
    check(values.astype("<u2").tobytes(), rng.integers(0, 80_000, 30).tolist(), *size)


def sensor_words(rng: np.random.Generator, groups: int, width: int, height: int) -> bytes:
    """Words as sensors send them, with now and then something else between them."""
    words: list[int] = [0x8000, 0x6000]
    for _ in range(groups):
        if rng.random() < 0.5:
            words.append(0x6000 | int(rng.integers(0, 4096)))
        words.append(int(rng.integers(0, height + 1 if rng.random() < 0.03 else height)))
        for _ in range(int(rng.integers(0, 4))):
            on = int(rng.integers(0, 2)) << 11
            if rng.random() < 0.5:
                n = int(rng.integers(1, 20))
                words += [0x2000 | on | int(x) for x in rng.integers(0, width, n)]
            else:
                words.append(0x3000 | on | int(rng.integers(0, width)))
                masks = rng.integers(0, 4096, 3) & rng.integers(0, 4096, 3)
                vectors = [0x4000 | int(masks[0]), 0x4000 | int(masks[1]), 0x5000 | masks[2] & 0xFF]
                words += [int(v) for v in vectors[: rng.integers(1, 4)]]
        if rng.random() < 0.02:
            rare = [0xA000, 0xE000, 0xF000, 0x7000, 0x27FF, 0x4FFF, 0x5FFF, 0x8000, 0x8001, 0x1000]
            words.append(int(rng.choice(rare)))
    return np.array(words, "<u2").tobytes()


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (346, 260), (2048, 2048), (20, 3)])
def test_words_as_sensors_send_them(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        data = sensor_words(rng, 1500, *size)
        check(data, rng.integers(0, len(data), 5).tolist(), *size)


def words(*values: int) -> bytes:
    return np.array(values, "<u2").tobytes()


def test_time_low_may_fall_and_never_carries() -> None:
    events, decoder = run(words(0x8001, 0x0000, 0x6800, 0x6100, 0x2000, 0x6050, 0x2001), [])
    assert [t for t, *_ in events] == [0x1100, 0x1050]
    assert decoder.skipped["time_backwards"] == 0


def test_the_24_bit_clock_wraps() -> None:
    events, _ = run(words(0x8FFF, 0x0000, 0x6FFF, 0x2000, 0x8000, 0x6000, 0x2000), [])
    assert [t for t, *_ in events] == [(1 << 24) - 1, 1 << 24]


def test_a_small_step_back_in_time_is_no_wrap() -> None:
    events, decoder = run(words(0x8010, 0, 0x2000, 0x800F, 0x2000, 0x8011, 0x2000), [])
    assert [t >> 12 for t, *_ in events] == [0x10, 0x0F, 0x11]
    assert decoder.skipped["time_backwards"] == 1


@pytest.mark.parametrize("jump", [(0x8F00,), (0x8F00, 0x8F00)])
def test_one_damaged_time_high_does_not_shift_what_follows(jump: tuple[int, ...]) -> None:
    stream = words(0x8005, 0, 0x2000, *jump, 0x2000, 0x8006, 0x2000)
    events, decoder = run(stream, [])
    assert [t >> 12 for t, *_ in events] == [5, 0xF00, 6]
    assert decoder.skipped["time_backwards"] == 1


def test_a_jump_ahead_that_goes_on_is_one() -> None:
    stream = words(0x8005, 0, 0x2000, 0x8F00, 0x2000, 0x8F01, 0x2000, 0x8000, 0x2000)
    events, _ = run(stream, [])
    assert [t >> 12 for t, *_ in events] == [5, 0xF00, 0xF01, 0x1000]


def test_lone_vectors_are_legal_and_move_the_base() -> None:
    events, _ = run(words(0x8000, 0x0003, 0x3864, 0x4801, 0x5081, 0x5001), [])
    assert events == [(0, x, 3, True) for x in (100, 111, 112, 119, 120)]


def test_a_vector_past_the_width_loses_only_what_is_outside() -> None:
    events, decoder = run(words(0x8000, 0, 0x3000 | 636, 0x4FFF, 0x4FFF), [])
    assert [x for _, x, *_ in events] == [636, 637, 638, 639]
    assert decoder.dropped["out_of_bounds"] == 20


@pytest.mark.parametrize(
    ("stream", "lost"),
    [
        ((0x0000, 0x2000, 0x3000, 0x4007), {"before_time": 4}),
        ((0x8000, 0x2000, 0x3000, 0x4007), {"missing_y": 4}),
        ((0x8000, 0x0000, 0x4007), {"missing_base": 3}),
        ((0x8000, 480, 0x2000, 0x3000, 0x4007), {"out_of_bounds": 4}),
        ((0x8000, 0x0000, 0x2000 | 640), {"out_of_bounds": 1}),
        ((0x8000, 0x1000, 0x9000, 0xB000, 0xC000, 0xD000), {"unknown_word": 5}),
    ],
)
def test_each_loss_is_counted_by_class(stream: tuple[int, ...], lost: dict[str, int]) -> None:
    events, decoder = run(words(*stream), [])
    assert events == []
    assert {name: n for name, n in decoder.dropped.items() if n} == lost


def test_x_has_11_bits_whatever_the_width() -> None:
    stream = words(0x8000, 0x0000, 0x3000 | 2040, 0x4FFF, 0x2FFF)
    events, decoder = run(stream, [], 8192, 8192)
    assert [x for _, x, *_ in events] == [*range(2040, 2048), 2047]
    assert decoder.dropped["out_of_bounds"] == 4


def test_triggers_and_the_like_are_counted_and_skipped() -> None:
    stream = words(0x8000, 0x0000, 0xA101, 0xE000, 0xF000, 0x7000, 0x2005)
    events, decoder = run(stream, [3])
    assert events == [(0, 5, 0, False)]
    expected = {"triggers": 1, "others": 1, "continued": 2, "time_backwards": 0}
    assert decoder.skipped == expected


def test_columns_have_the_types_of_a_packet() -> None:
    packet = Packet(
        *Evt3Decoder(640, 480).decode(np.frombuffer(words(0x8000, 0, 0x2005), np.uint8))
    )
    types = [column.dtype for column in (packet.t, packet.x, packet.y, packet.on)]
    assert types == [np.uint64, np.uint16, np.uint16, np.bool_]
    assert len(packet) == 1


def test_memory_that_is_not_bytes_is_refused() -> None:
    with pytest.raises(TypeError):
        Evt3Decoder(640, 480).decode(np.zeros(8, np.uint16))
    with pytest.raises(TypeError):
        Evt3Decoder(640, 480).decode(np.zeros((2, 4), np.uint8))
