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
