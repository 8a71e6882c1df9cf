"""Reads the messages of an MCAP file, record after record (mcap.dev/spec).

No use is made of the summary at its end, which a recorder that was killed has not written.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Literal, cast

from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.ros_message import Message, damage
from saccade.camera.formats.unpack import PACKET_LIMIT, TooLargeError, unpack

_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 3, 4, 5, 6, 15
_FOOTER = 2
_RECORD = 9  # opcode u8, size u64
_MESSAGE_HEADER = 22  # channel u16, sequence u32, log time u64, publish time u64
_COMPRESSIONS = {"": "none", "lz4": "lz4", "zstd": "zstd"}


class _Reader:
    """One pass over the records, up to the end of the data."""

    def __init__(self, file: RecordingFile, progress: Callable[[int], None]) -> None:
        self._file, self._progress = file, progress
        self._schemas: dict[int, str] = {0: ""}
        self._channels: dict[int, tuple[str, str, str]] = {}  # topic, type, encoding

    def messages(self) -> Iterator[Message]:
        offset = len(_MAGIC)
        while offset < self._file.size:
            head = self._file.read(offset, _RECORD)
            end = offset + _RECORD + int.from_bytes(head[1:], "little")
            if len(head) < _RECORD or end > self._file.size:
                raise self._damage("the file is cut off inside a record", offset)
            op = head[0]
            if op in (_DATA_END, _FOOTER):
                break
            if op in (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK):
                start = offset + _RECORD
                data = memoryview(self._file.read(start, end - start))
                self._progress(end)
                try:
                    inner = self._chunk(data) if op == _CHUNK else [(op, data)]
                    for kind, content in inner:
                        if (message := self._take(kind, content, offset)) is not None:
                            yield message
                except ValueError as error:
                    if isinstance(error, RecordingError):
                        raise
                    raise self._damage(error, offset) from error
            offset = end
            self._progress(offset)
        self._progress(self._file.size)

    def _chunk(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """The records in a chunk. Its size is looked at before it is unpacked, its CRC after."""
        stated, crc = _number(data, 16, 8), _number(data, 24, 4)
        name, at = _text(data, 28)
        packed = data[at + 8 :]
        if len(packed) != _number(data, at, 8) or name not in _COMPRESSIONS:
            raise ValueError("its chunk has a damaged header")
        if stated > PACKET_LIMIT and name:
            raise TooLargeError
        compression = cast(Literal["none", "lz4", "zstd"], _COMPRESSIONS[name])
        content = packed if not name else memoryview(unpack(bytes(packed), compression))
        if len(content) != stated:
            raise ValueError(f"its chunk unfolds to {len(content)} bytes instead of {stated}")
        if crc and zlib.crc32(content) != crc:
            raise ValueError("the checksum of its chunk is wrong")
        at = 0
        while at < len(content):
            start = at + _RECORD
            end = start + _number(content, at + 1, 8)
            if end > len(content):
                raise ValueError("a record of its chunk is cut off")
            yield content[at], content[start:end]
            at = end

    def _take(self, op: int, data: memoryview, offset: int) -> Message | None:
        if op == _SCHEMA:
            self._schemas[_number(data, 0, 2)], _ = _text(data, 2)
        elif op == _CHANNEL:
            topic, at = _text(data, 4)
            encoding, _ = _text(data, at)
            kind = self._schemas.get(_number(data, 2, 2))
            if kind is None:
                raise ValueError("a channel is of no known schema")
            self._channels[_number(data, 0, 2)] = topic, kind, encoding
        elif op == _MESSAGE:
            channel = self._channels.get(_number(data, 0, 2))
            if channel is None or len(data) < _MESSAGE_HEADER:
                raise ValueError("a message is of no known channel")
            return Message(*channel, data[_MESSAGE_HEADER:], offset)
        return None

    def _damage(self, what: str | ValueError, offset: int) -> RecordingError:
        return damage(self._file.path, what, offset)


def messages(file: RecordingFile, progress: Callable[[int], None]) -> Iterator[Message]:
    """One pass over the messages; `progress` is told how many bytes have been read.

    Raises RecordingError at the damaged record, or at the chunk that has it.
    """
    return _Reader(file, progress).messages()


def _number(data: memoryview, at: int, size: int) -> int:
    if at + size > len(data):
        raise ValueError("a record is cut off")
    return int.from_bytes(data[at : at + size], "little")


def _text(data: memoryview, at: int) -> tuple[str, int]:
    """The text at `at`, and where it ends."""
    end = at + 4 + _number(data, at, 4)
    if end > len(data):
        raise ValueError("a record is cut off")
    return bytes(data[at + 4 : end]).decode(errors="replace"), end
