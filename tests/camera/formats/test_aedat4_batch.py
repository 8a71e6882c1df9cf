"""Packets decoded many at a time give what they give one by one."""

import struct

import numpy as np
import pytest
from tests.camera.fixtures import HEIGHT, WIDTH, some_events

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import events_payload
from saccade.camera.formats.unpack import PACKET_LIMIT, pack

KINDS = ["none", "lz4"]
SIZES = [3, 0, 700, 41, 5000, 1, 90]


def packets(kind: str, sizes: list[int] = SIZES) -> tuple[list[bytes], list[Packet]]:
    """Every event packet of stream 0 is followed by one of stream 3."""
    events, parts = some_events(sum(sizes)), []
    for size in sizes:
        parts.append(events[:size])
        events = events[size:]
    payloads = [pack(events_payload(p), "lz4" if kind == "lz4" else "none") for p in parts]
    other = struct.pack("<ii", 3, 11) + bytes(11)
    return [struct.pack("<ii", 0, len(d)) + d + other for d in payloads], parts


def decode(
    kind: str, data: bytes, limit: int, first_limit: int = PACKET_LIMIT
) -> tuple[int, tuple[np.ndarray, ...], dict[str, int], int, str | None]:
    decoder = _native.Aedat4BatchDecoder(0, kind == "lz4", WIDTH, HEIGHT)
    taken, others, damage = decoder.unfold(data, limit, first_limit)
    columns, dropped = decoder.events()
    return taken, columns, dropped, others, damage


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [0, 100, 12_000, PACKET_LIMIT])
def test_any_limit_gives_the_same_events(kind: str, limit: int) -> None:
    made, parts = packets(kind)
    data, found, others = b"".join(made), list[Packet](), 0
    while data:
        taken, columns, dropped, more, damage = decode(kind, data, limit)
        assert taken > 0
        assert damage is None
        assert set(dropped.values()) == {0}
        found.append(Packet(*columns))
        data, others = data[taken:], others + more
    assert len(found) <= (1 if limit == PACKET_LIMIT else 2 * len(parts))
    expected = np.concatenate([p.to_array() for p in parts])
    assert np.array_equal(np.concatenate([p.to_array() for p in found]), expected)
    assert others == len(made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_packet_past_its_limit_is_left(kind: str) -> None:
    made, _ = packets(kind, [5000, 3])
    taken, columns, _, others, damage = decode(kind, b"".join(made), 100, 100)
    assert (taken, len(columns[0]), others, damage) == (0, 0, 0, None)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_before_a_damaged_packet_is_given(kind: str) -> None:
    made, parts = packets(kind)
    damaged = bytearray(made[4])
    damaged[8:30] = bytes(22)
    data = b"".join([*made[:4], damaged, *made[5:]])
    taken, columns, _, others, damage = decode(kind, data, PACKET_LIMIT)
    assert taken == sum(map(len, made[:4]))
    assert others == 4
    assert len(columns[0]) == sum(map(len, parts[:4]))
    assert damage is not None
    assert damage.startswith("it is no LZ4 frame" if kind == "lz4" else "its flatbuffer")


def test_packets_are_whole_up_to_one_that_is_not() -> None:
    made, _ = packets("none", [5, 7])
    data = b"".join(made)
    ends = np.cumsum([n for m in made for n in (len(m) - 19, 19)])
    for size in range(len(data) + 1):
        whole = _native.whole_aedat4_packets(data[:size], [0, 3], 0, PACKET_LIMIT)
        assert whole == max((e for e in ends if e <= size), default=0)
    assert _native.whole_aedat4_packets(data, [0], 0, PACKET_LIMIT) == ends[0]
    assert _native.whole_aedat4_packets(data, [0, 3], 0, 100) == 0
    assert _native.whole_aedat4_packets(data, [0, 3], 3, 100) == len(data)
    negative = struct.pack("<ii", 0, -1) + data
    assert _native.whole_aedat4_packets(negative, [0, 3], 0, PACKET_LIMIT) == 0
    for cut in (data[:-1], data[:4], negative):
        with pytest.raises(ValueError, match="cut"):
            decode("none", cut, PACKET_LIMIT)
