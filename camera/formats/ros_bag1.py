"""Reads the messages of a ROS 1 bag (format 2.0), record after record.

No use is made of the index at its end, which the bag of a recorder that was killed does not have.
"""

from __future__ import annotations

import bz2
import struct
from collections.abc import Callable, Iterator

from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.ros_message import Message, damage
from saccade.camera.formats.unpack import PACKET_LIMIT, TooLargeError, unpack

_VERSION = b"#ROSBAG V2.0\n"
_MESSAGE, _BAG, _INDEX, _CHUNK, _CHUNK_INFO, _CONNECTION = range(2, 8)
_HEADER_LIMIT = 1 << 20
_CONNECTIONS_LIMIT = 65_536

_Connections = dict[bytes, tuple[str, str]]  # by number: topic, type


class _Reader:
    """One pass over a bag's records."""

    def __init__(self, file: RecordingFile, progress: Callable[[int], None]) -> None:
        self._file, self._progress = file, progress
        self._connections: _Connections = {}

    def messages(self) -> Iterator[Message]:
        offset = len(_VERSION)
        if self._file.read(0, offset) != _VERSION:
            what = "this version of ROS bags is not read"
            raise RecordingError(self._file.path, what, "convert it with `rosbag fix`")
        while offset < self._file.size:
            header, start, end = self._record(offset)
            op = _op(header)
            if op not in range(_MESSAGE, _CONNECTION + 1):
                raise self._damage(f"an unknown record ({op})", offset)
            if op in (_CHUNK, _MESSAGE, _CONNECTION):
                data = memoryview(self._file.read(start, end - start))
                self._progress(end)
                if op == _CHUNK:
                    yield from self._chunk(header, data, offset)
                elif (message := self._take(header, data, offset)) is not None:
                    yield message
            offset = end
            self._progress(offset)

    def _record(self, offset: int) -> tuple[dict[bytes, bytes], int, int]:
        """The header's fields, and where the data starts and ends."""
        size = int.from_bytes(self._file.read(offset, 4), "little")
        if size > _HEADER_LIMIT:
            raise self._damage(f"a record's header states {size} bytes", offset)
        head = memoryview(self._file.read(offset + 4, size + 4))
        start = offset + 8 + size
        end = start + int.from_bytes(head[size:], "little")
        if len(head) < size + 4 or end > self._file.size:
            raise self._damage("the file is cut off inside a record", offset)
        try:
            return _fields(head[:size]), start, end
        except ValueError as error:
            raise self._damage(error, offset) from error

    def _chunk(
        self, header: dict[bytes, bytes], data: memoryview, offset: int
    ) -> Iterator[Message]:
        """The messages of a chunk. That of a killed recorder states no bytes; they follow it."""
        try:
            content = memoryview(_unpack(header, data)) if data else data
        except ValueError as error:
            raise self._damage(error, offset) from error
        at = 0
        while at < len(content):
            try:
                fields, start, end = _inner_record(content, at)
                message = self._take(fields, content[start:end], offset)
            except ValueError as error:
                raise self._damage(f"in its chunk, {error}", offset) from error
            if message is not None:
                yield message
            at = end

    def _take(self, header: dict[bytes, bytes], data: memoryview, offset: int) -> Message | None:
        op, number = _op(header), header.get(b"conn", b"")
        if op == _CONNECTION:
            try:
                kind = _fields(data).get(b"type", b"")
            except ValueError as error:
                raise self._damage(error, offset) from error
            names = (_text(header.get(b"topic", b"")), _text(kind))
            if self._connections.setdefault(number, names) != names:
                raise self._damage("one number is given to two connections", offset)
            if len(self._connections) > _CONNECTIONS_LIMIT:
                raise self._damage("it has too many connections", offset)
            return None
        if op != _MESSAGE:
            return None
        if number not in self._connections:
            raise self._damage("a message is of no known connection", offset)
        topic, kind = self._connections[number]
        return Message(topic, kind, "ros1", data, offset)

    def _damage(self, what: str | ValueError, offset: int) -> RecordingError:
        return damage(self._file.path, what, offset)


def messages(file: RecordingFile, progress: Callable[[int], None]) -> Iterator[Message]:
    """One pass over the messages; `progress` is told how many bytes have been read.

    Raises RecordingError at the damaged record.
    """
    return _Reader(file, progress).messages()


def _op(header: dict[bytes, bytes]) -> int:
    op = header.get(b"op", b"")
    return op[0] if len(op) == 1 else -1


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _fields(header: memoryview) -> dict[bytes, bytes]:
    """The fields of a header: each its length, its name, '=', its value."""
    fields: dict[bytes, bytes] = {}
    at = 0
    while at < len(header):
        size = int.from_bytes(header[at : at + 4], "little")
        at += 4 + size
        name, found, value = bytes(header[at - size : at]).partition(b"=")
        if at > len(header) or not found:
            raise ValueError("a record's header is damaged")
        fields[name] = value
    return fields


def _inner_record(content: memoryview, at: int) -> tuple[dict[bytes, bytes], int, int]:
    try:
        (size,) = struct.unpack_from("<I", content, at)
        start = at + 8 + size
        (data_size,) = struct.unpack_from("<I", content, start - 4)
    except struct.error as error:
        raise ValueError("a record is cut off") from error
    if start + data_size > len(content):
        raise ValueError("a record is cut off")
    return _fields(content[at + 4 : start - 4]), start, start + data_size


def _unpack(header: dict[bytes, bytes], data: memoryview) -> memoryview | bytes:
    compression, stated = header.get(b"compression"), header.get(b"size", b"")
    size = int.from_bytes(stated, "little")
    if compression == b"none":
        return data
    if size > PACKET_LIMIT:
        raise TooLargeError
    if compression == b"lz4":
        content = unpack(bytes(data), "lz4")
    elif compression == b"bz2":
        content = _unpack_bz2(data)
    else:
        raise ValueError("its chunk has an unknown compression")
    if len(content) != size:
        raise ValueError(f"its chunk unfolds to {len(content)} bytes instead of {size}")
    return content


def _unpack_bz2(data: memoryview) -> bytes:
    decompressor = bz2.BZ2Decompressor()
    try:
        content = decompressor.decompress(data, max_length=PACKET_LIMIT + 1)
    except OSError as error:
        raise ValueError("its bzip2 stream is damaged") from error
    if len(content) > PACKET_LIMIT:
        raise TooLargeError
    if not decompressor.eof:
        raise ValueError("its bzip2 stream is not finished")
    return content
