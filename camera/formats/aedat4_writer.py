"""Writes AEDAT4 as dv does: events of one camera, packet after packet, the table at the end.

What is written is on its way to the disk at once, so a killed recorder loses only the packet in
hand; its file has no table, which readers replace by scanning the packets.
"""

from __future__ import annotations

import os
import re
import struct
from xml.sax.saxutils import escape

import numpy as np

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.output import FileWriter
from saccade.camera.formats.unpack import Compression, pack

MAGIC = b"#!AER-DAT4.0\r\n"
MAX_EVENTS = 65_536  # events of one packet on disk (1 MiB before compression)
_CODES: dict[Compression, int] = {"none": 0, "lz4": 1, "zstd": 3}
_POSITION_AT = len(MAGIC) + 40  # where `io_header` puts the table's position
_EVENT = np.dtype(
    {
        "names": ["t", "x", "y", "on"],
        "formats": ["<i8", "<i2", "<i2", "u1"],
        "offsets": [0, 8, 10, 12],
        "itemsize": 16,
    }
)
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTRY_SIZE = 48  # one entry of the table: 44 bytes, padded to keep its i64 fields aligned


class Aedat4Writer(FileWriter):
    """An AEDAT4 file being recorded; a context manager.

    Args:
        path: the file to create (an existing one is replaced).
        width, height: the sensor's size in pixels.
        compression: of each packet.
        source: the camera's name, as readers will show it.

    Raises:
        RecordingError: the file cannot be created or written (disk full). What was written before
            stays readable: an unfinished packet is cut off.
        SaccadeError: unknown compression, or events outside the sensor.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        compression: Compression = "zstd",
        source: str = "saccade",
    ) -> None:
        if compression not in _CODES:
            raise SaccadeError(f"compression is {compression!r}; use none, lz4 or zstd")
        super().__init__(path, width, height)
        self.compression: Compression = compression
        self._entries: list[tuple[int, int, int, int, int]] = []
        info = info_xml(width, height, compression, source)
        self._begin_with(MAGIC + io_header(compression, info))

    def write(self, packet: Packet) -> None:
        """Appends the events, in packets of at most `MAX_EVENTS`; none for an empty one.

        Raises:
            RecordingError: as the class says.
            SaccadeError: closed, or events that AEDAT4 or this sensor cannot hold; none is written.
        """
        self._check(packet)
        for part in packet.split(MAX_EVENTS):
            data = pack(events_payload(part), self.compression)
            at = self._file.size + 8
            self._file.append(struct.pack("<ii", 0, len(data)) + data)
            t_range = int(part.t.min()), int(part.t.max())
            self._entries.append((len(data), at, len(part), *t_range))

    def close(self) -> None:
        """Writes the table and its position; without this the file is that of a killed recorder."""
        if self._file.closed:
            return
        try:
            table_at = self._file.size
            self._file.append(pack(table(self._entries), self.compression))
            self._file.overwrite(_POSITION_AT, struct.pack("<q", table_at))
        finally:
            self._file.close()

    def _check(self, packet: Packet) -> None:
        super()._check(packet)
        if len(packet) and packet.t.max() >= 1 << 63:
            what = "an event's t is 2^63 us or more, which AEDAT4 cannot hold; check its clock"
            raise SaccadeError(f"{printable(self.path)}: {what}")


def events_payload(packet: Packet) -> bytes:
    """The size-prefixed flatbuffer EVTS of a packet."""
    events = np.zeros(len(packet), _EVENT)
    events["t"], events["x"], events["y"] = packet.t, packet.x, packet.y
    events["on"] = packet.on
    # root at 20; vtable at 14 (6 bytes, table of 8, vector at 4); vector at 28
    size = 28 + 16 * len(packet)
    head = struct.pack("<II4s4HiII", size, 16, b"EVTS", 0, 6, 8, 4, 6, 4, len(packet))
    return head + events.tobytes()


def io_header(compression: Compression, info: bytes, table_position: int = -1) -> bytes:
    """The size-prefixed flatbuffer IOHeader; its i64 position lies at byte 40."""
    # root at 28; vtable at 18 (10 bytes, table of 20: code at 4, position at 12, XML at 8)
    text = struct.pack("<I", len(info)) + info + b"\0"
    text += b"\0" * (-len(text) % 4)
    body = struct.pack("<I4s6x5H", 24, b"IOHE", 10, 20, 4, 12, 8)
    body += struct.pack("<iiIq", 10, _CODES[compression], 12, table_position) + text
    return struct.pack("<I", len(body)) + body


def table(entries: list[tuple[int, int, int, int, int]]) -> bytes:
    """The size-prefixed flatbuffer FTAB of (size, byte offset, events, first t, last t)."""
    n = len(entries)
    first = 36 + 4 * n + 14  # the vector of offsets, then the vtable that all entries share
    first += (4 - first) % 8
    vtable = first - 14
    out = bytearray(first + _ENTRY_SIZE * n)
    struct.pack_into("<II4s6x3HiII", out, 0, len(out) - 4, 20, b"FTAB", 6, 8, 4, 6, 4, n)
    struct.pack_into("<7H", out, vtable, 14, 44, 12, 4, 20, 28, 36)
    for i, (size, *rest) in enumerate(entries):
        at = first + _ENTRY_SIZE * i
        struct.pack_into("<I", out, 36 + 4 * i, at - (36 + 4 * i))
        struct.pack_into("<iiiqqqq", out, at, at - vtable, 0, size, *rest)
    return bytes(out)


def info_xml(width: int, height: int, compression: Compression, source: str) -> bytes:
    """The description of the one stream, as dv writes it; `?` where XML cannot hold a character."""

    def attr(key: str, value: str | int) -> str:
        kind = "int" if isinstance(value, int) else "string"
        return f'<attr key="{key}" type="{kind}">{escape(str(value))}</attr>\n'

    stream = attr("compression", compression.upper()) + attr("originalModuleName", "saccade")
    stream += attr("originalOutputName", "events") + attr("typeDescription", "Array of events.")
    stream += attr("typeIdentifier", "EVTS")
    info = attr("sizeX", width) + attr("sizeY", height)
    info += attr("source", _NOT_XML.sub("?", source))
    return (
        f'<dv version="2.0">\n<node name="outInfo" path="/outInfo/">\n'
        f'<node name="0" path="/outInfo/0/">\n{stream}'
        f'<node name="info" path="/outInfo/0/info/">\n{info}</node>\n</node>\n</node>\n</dv>\n'
    ).encode()
