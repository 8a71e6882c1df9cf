"""AEDAT4's packets of events to columns, the next ones while these are consumed."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.file import RecordingFile, read_buffer
from saccade.camera.formats.readahead import default_threads, map_ahead
from saccade.camera.formats.stream import CHUNK_EVENTS
from saccade.camera.formats.unpack import PACKET_LIMIT, Compression, TooLargeError, unpack

PACKET_HEADER = struct.Struct("<ii")  # stream, bytes that follow
#: What is read at once, and room for the rest of its last packet.
_SPAN_BYTES: dict[Compression, int] = {"none": 1 << 20, "lz4": 256 << 10, "zstd": 256 << 10}
_REST_BYTES = 1 << 20
#: What the packets of one call may unfold to.
_UNFOLDED = 2 << 20
#: A smaller file is read before a thread is up; and what need not be unfolded takes as long to
#: hand over as to decode.
_WORTH_THREADS = 1 << 20
_NO_EVENTS = Packet(np.empty(0, "u8"), np.empty(0, "u2"), np.empty(0, "u2"), np.empty(0, "?"))


class Span(NamedTuple):
    """Whole packets as they lie in the file, headers included."""

    offset: int
    end: int
    data: memoryview | None  # None: one of another stream, passed over unread


class SpanReader:
    """Reads whole packets, many at a time, into buffers that are used again."""

    def __init__(
        self,
        file: RecordingFile,
        streams: list[int],
        wanted: int,
        compression: Compression,
        in_use: int,
    ) -> None:
        """`in_use`: how many spans are in use before the first one's buffer is taken again."""
        self._file, self._streams, self._wanted = file, streams, wanted
        self._size = _SPAN_BYTES[compression]
        buffers = [read_buffer(self._size + _REST_BYTES) for _ in range(in_use)]
        self._buffers = itertools.cycle(buffers)

    def read(self, offset: int, end: int) -> Span | None:
        """The packets at `offset`; None where the first is too large, cut off or damaged."""
        buffer = next(self._buffers)
        n = self._file.read_into(offset, buffer[: min(self._size, end - offset)])
        size = self._whole(buffer[:n])
        if n - size >= PACKET_HEADER.size:
            rest = size + PACKET_HEADER.size + max(0, PACKET_HEADER.unpack_from(buffer, size)[1])
            if n < rest <= min(len(buffer), end - offset):
                n += self._file.read_into(offset + n, buffer[n:rest])
                size += self._whole(buffer[size:n])
        return Span(offset, offset + size, buffer[:size]) if size else None

    def read_large(self, offset: int, end: int) -> Span:
        """The one packet there, in memory of its own."""
        data = read_buffer(end - offset)
        return Span(offset, end, data[: self._file.read_into(offset, data)])

    def _whole(self, data: memoryview) -> int:
        return _native.whole_aedat4_packets(data, self._streams, self._wanted, PACKET_LIMIT)


class Decoded(NamedTuple):
    """What some packets hold."""

    end: int  # byte offset in the file behind them
    events: Packet
    dropped: dict[str, int]  # events, by reason
    others: int = 0  # packets of other streams


class Damaged(NamedTuple):
    """A packet whose events could not be read."""

    offset: int
    error: ValueError


class EventsDecoder:
    """Packets to columns, on any number of threads."""

    def __init__(self, stream: int, width: int, height: int, compression: Compression) -> None:
        self._stream, self._geometry = stream, (width, height)
        self._compression: Compression = compression
        self._idle: list[_native.Aedat4BatchDecoder] = []

    def threads(self, size: int) -> int:
        """How many threads are worth their while for packets of `size` bytes."""
        return default_threads() if size >= _WORTH_THREADS and self._compression != "none" else 1

    @staticmethod
    def spans_in_use(threads: int) -> int:
        """How many spans `pass_over` needs the data of at a time."""
        return 1 if threads <= 1 else threads + 2

    def pass_over(self, spans: Iterator[Span], threads: int) -> Generator[Decoded | Damaged]:
        """What the packets hold, in their order, up to the first that is damaged."""
        with closing(map_ahead(self._ahead, spans, threads, threads + 1)) as results:
            for span, found in results:
                end = span.offset
                while end < span.end:
                    if not found:  # too large to be unfolded ahead, and so is what follows it
                        found.extend(self._large(span, end))
                    # Held by no name here: a large one must be gone when the next one is read.
                    if isinstance(found[0], Damaged):
                        yield found[0]
                        return
                    end = found[0].end
                    yield found.pop(0)

    def _ahead(self, span: Span) -> tuple[Span, list[Decoded | Damaged]]:
        decoder = self._idle.pop() if self._idle else self._new_decoder()
        found = self._decode(decoder, span, span.offset, _UNFOLDED)
        self._idle.append(decoder)
        return span, found

    def _large(self, span: Span, offset: int) -> list[Decoded | Damaged]:
        """As `_ahead` from `offset` on, in memory that is not kept."""
        found = self._decode(self._new_decoder(), span, offset, PACKET_LIMIT)
        return found or [Damaged(offset, TooLargeError())]

    def _decode(
        self, decoder: _native.Aedat4BatchDecoder, span: Span, offset: int, first_limit: int
    ) -> list[Decoded | Damaged]:
        """The packets from `offset` on that unfold to `_UNFOLDED` bytes, the first to its limit."""
        if span.data is None:
            return [Decoded(span.end, _NO_EVENTS, {}, 1)]
        data = span.data[offset - span.offset :]
        if self._compression == "zstd":
            return list(self._unpack_each(data, offset, first_limit))
        taken, columns, dropped, others, damage = decoder.decode(data, _UNFOLDED, first_limit)
        offset += taken
        found: list[Decoded | Damaged] = []
        if taken:
            found.append(Decoded(offset, Packet(*columns), dropped, others))
        if damage is not None:
            found.append(Damaged(offset, ValueError(damage)))
        return found

    def _unpack_each(
        self, data: memoryview, offset: int, limit: int
    ) -> Iterator[Decoded | Damaged]:
        at = 0
        while at < len(data):
            stream, size = PACKET_HEADER.unpack_from(data, at)
            first, at = at, at + PACKET_HEADER.size + size
            if stream != self._stream:
                yield Decoded(offset + at, _NO_EVENTS, {}, 1)
                continue
            try:
                payload = unpack(data[at - size : at], "zstd", limit)
                columns, dropped = _native.decode_events(payload, *self._geometry)
            except TooLargeError:
                return
            except ValueError as error:
                yield Damaged(offset + first, error)
                return
            limit = max(0, min(limit, _UNFOLDED) - len(payload))
            del payload  # a large one must be gone when the next one is unpacked
            yield Decoded(offset + at, Packet(*columns), dropped)

    def _new_decoder(self) -> _native.Aedat4BatchDecoder:
        return _native.Aedat4BatchDecoder(self._stream, self._compression == "lz4", *self._geometry)


def parts(packet: Packet) -> Iterator[Packet]:
    """`packet` in parts of at most 65,536 events."""
    if len(packet) <= _UNFOLDED // 16:
        yield from packet.split(CHUNK_EVENTS)
        return
    for part in packet.split(CHUNK_EVENTS):
        # Copies: whoever holds the last part would keep all 20 MiB while the next packet is read.
        yield Packet(np.array(part.t), np.array(part.x), np.array(part.y), np.array(part.on))
