"""AEDAT4, packet after packet and without any check: slow, independent of the native reader."""

import struct

import lz4.frame
import zstandard

from tests.reference.evt2 import Event


def decode(data: bytes, stream: int = 0) -> list[Event]:
    """The events of a healthy file with a table, of one stream."""
    assert data.startswith(b"#!AER-DAT4.0\r\n")
    compression, table = _header(data[14:])
    offset = 18 + _u32(data, 14)
    events: list[Event] = []
    while offset < table:
        number, size = struct.unpack_from("<ii", data, offset)
        if number == stream:
            events += _events(_unpacked(data[offset + 8 : offset + 8 + size], compression))
        offset += 8 + size
    return events


def _header(data: bytes) -> tuple[int, int]:
    table, fields = _table(data)
    (compression,) = struct.unpack_from("<i", data, table + fields[0]) if fields[0] else (0,)
    (position,) = struct.unpack_from("<q", data, table + fields[1])
    return compression, position


def _table(data: bytes) -> tuple[int, tuple[int, ...]]:
    table = 4 + _u32(data, 4)
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, vtable)
    return table, struct.unpack_from(f"<{size // 2 - 2}H", data, vtable + 4)


def _unpacked(data: bytes, compression: int) -> bytes:
    if compression in (1, 2):
        return lz4.frame.decompress(data)
    return zstandard.ZstdDecompressor().decompress(data) if compression in (3, 4) else data


def _events(data: bytes) -> list[Event]:
    table, fields = _table(data)
    start = table + fields[0]
    start += _u32(data, start)
    structs = struct.iter_unpack("<qhh?3x", data[start + 4 : start + 4 + 16 * _u32(data, start)])
    return list(structs)


def _u32(data: bytes, at: int) -> int:
    return struct.unpack_from("<I", data, at)[0]


def payloads(data: bytes, stream: int) -> list[bytes]:
    """The decompressed packets of one stream of a healthy file with a table."""
    compression, table = _header(data[14:])
    offset, found = 18 + _u32(data, 14), list[bytes]()
    while offset < table or (table == -1 and offset < len(data)):
        number, size = struct.unpack_from("<ii", data, offset)
        if number == stream:
            found.append(_unpacked(data[offset + 8 : offset + 8 + size], compression))
        offset += 8 + size
    return found


def frame(data: bytes) -> tuple[int, int, int, tuple[int, int, int], tuple[int, int], bytes]:
    """Time, exposure begin and end, shape, position and pixels of a FRME payload."""
    at = 4 + _u32(data, 4)
    t, begin, end = (_field(data, at, i, "<q") for i in (0, 3, 4))
    channels = {0: 1, 16: 3, 24: 4}[int(_field(data, at, 5, "<b"))]
    width, height, x, y = (int(_field(data, at, i, "<h")) for i in (6, 7, 8, 9))
    start = _place(data, at, 10)
    start += _u32(data, start)
    pixels = data[start + 4 : start + 4 + _u32(data, start)]
    return int(t), int(begin), int(end), (height, width, channels), (x, y), pixels


def imu(data: bytes) -> list[tuple[float, ...]]:
    """t, temperature, accelerometer, gyroscope, magnetometer (x, y, z) of an IMUS payload."""
    kinds = ["<q", *["<f"] * 10]
    return [
        tuple(_field(data, at, i, kind) for i, kind in enumerate(kinds)) for at in _elements(data)
    ]


def triggers(data: bytes) -> list[tuple[float, float]]:
    """t and kind of a TRIG payload."""
    return [(_field(data, at, 0, "<q"), _field(data, at, 1, "<b")) for at in _elements(data)]


def _elements(data: bytes) -> list[int]:
    """Where the tables of the vector in the root's only field start."""
    start = _place(data, 4 + _u32(data, 4), 0)
    if not start:
        return []
    start += _u32(data, start)
    places = [start + 4 + 4 * i for i in range(_u32(data, start))]
    return [at + _u32(data, at) for at in places]


def _field(data: bytes, table: int, i: int, kind: str) -> float:
    at = _place(data, table, i)
    return struct.unpack_from(kind, data, at)[0] if at else 0


def _place(data: bytes, table: int, i: int) -> int:
    """Where a table's i-th field lies; 0 where it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, vtable)
    (offset,) = struct.unpack_from("<H", data, vtable + 4 + 2 * i) if 6 + 2 * i <= size else (0,)
    return table + offset if offset else 0
