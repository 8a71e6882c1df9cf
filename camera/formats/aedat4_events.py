"""AEDAT4's packets of events to columns, the next ones while these are consumed."""

from __future__ import annotations

import contextlib
import itertools
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import NamedTuple, TypeVar

import numpy as np

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.file import RecordingFile, read_buffer
from saccade.camera.formats.readahead import default_threads, map_ahead
from saccade.camera.formats.stream import CHUNK_EVENTS
from saccade.camera.formats.unpack import (
    PACKET_LIMIT,
    Compression,
    TooLargeError,
    unpack,
    unpack_into,
)

_T = TypeVar("_T")

PACKET_HEADER = struct.Struct("<ii")  # stream, bytes that follow
#: What is read at once, and room for the rest of its last packet.
_SPAN_BYTES: dict[Compression, int] = {"none": 1 << 20, "lz4": 256 << 10, "zstd": 256 << 10}
_REST_BYTES = 1 << 20
#: What the packets of one call may unfold to.
_UNFOLDED = 2 << 20
#: A smaller file is read before a thread is up.
_WORTH_THREADS: dict[Compression, int] = {"none": 8 << 20, "lz4": 1 << 20, "zstd": 1 << 20}
_NO_ROOM = memoryview(b"")
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
        """The one packet there, in memory of its own; what there is of it."""
        data = read_buffer(end - offset)
        size = self._file.read_into(offset, data)
        return Span(offset, offset + size, data[:size])

    def _whole(self, data: memoryview) -> int:
        return _native.whole_aedat4_packets(data, self._streams, self._wanted, PACKET_LIMIT)


class Workspace(NamedTuple):
    """A decoder, and room for what it does not unfold itself."""

    decoder: _native.Aedat4BatchDecoder
    room: memoryview  # of fresh memory for each packet, the pages alone would cost a third


class Unfolded(NamedTuple):
    """Some packets, ready for their events to be read."""

    end: int  # byte offset in the file behind them
    others: int  # packets of other streams among them
    work: Workspace | None  # None: they are all of other streams
    reused: bool = False  # whether its memory is kept


class Decoded(NamedTuple):
    """What some packets hold."""

    end: int
    others: int
    events: Packet
    dropped: dict[str, int]  # events, by reason


class Damaged(NamedTuple):
    """A packet whose events could not be read."""

    offset: int
    error: ValueError


class EventsDecoder:
    """Packets to events, on any number of threads."""

    def __init__(self, stream: int, width: int, height: int, compression: Compression) -> None:
        self._stream, self._geometry = stream, (width, height)
        self._compression: Compression = compression
        self._idle: list[Workspace] = []

    def threads(self, size: int) -> int:
        """How many threads are worth their while for packets of `size` bytes."""
        return default_threads() if size >= _WORTH_THREADS[self._compression] else 1

    @staticmethod
    def spans_in_use(threads: int) -> int:
        """How many spans `decode` and `unfold` need the data of at a time."""
        return 1 if threads <= 1 else threads + 2  # one is consumed, and one waits

    def decode(self, spans: Iterator[Span], threads: int) -> Generator[Decoded | Damaged]:
        """The packets' events, in their order, up to the first packet that is damaged."""
        return self._pass_over(spans, threads, self._decode)

    def decode_file(
        self, file: RecordingFile, streams: list[int], offset: int, end: int, threads: int
    ) -> Generator[Decoded | Damaged, None, int]:
        """As `decode`, of an uncompressed file itself; ends where `Aedat4Pass` does.

        Returns that byte offset. Of what follows, `decode` takes a large packet; nobody a damaged.
        """
        native = _native.Aedat4Pass(
            file.fileno(), offset, end, streams, self._stream, *self._geometry, threads
        )
        while (part := native.next()) is not None:
            offset, others, damage, columns, dropped = part
            yield Decoded(offset, others, Packet(*columns), dropped)
            if damage is not None:
                yield Damaged(offset, ValueError(damage))
                break
            del part, columns
        return offset

    def unfold(self, spans: Iterator[Span], threads: int) -> Generator[Unfolded | Damaged]:
        """The packets themselves; each is given back when its events have been read."""
        return self._pass_over(spans, threads, lambda unfolded: unfolded)

    def give_back(self, unfolded: Unfolded) -> None:
        """Lets its memory be used again, which is not that of a large packet."""
        if unfolded.work is not None and unfolded.reused:
            unfolded.work.decoder.clear()
            self._idle.append(unfolded.work)

    def _pass_over(
        self, spans: Iterator[Span], threads: int, work: Callable[[Unfolded], _T]
    ) -> Generator[_T | Damaged]:
        def ahead(span: Span) -> tuple[Span, int, list[_T | Damaged]]:
            found = self._unfold(span, span.offset, _UNFOLDED)
            end = found[-1].end if found and isinstance(found[-1], Unfolded) else span.offset
            return span, end, [f if isinstance(f, Damaged) else work(f) for f in found]

        with closing(map_ahead(ahead, spans, threads, self.spans_in_use(threads))) as results:
            for span, done, found in results:
                found.reverse()
                while found:
                    # Held by no name here: a large one must be gone when the next one is read.
                    last = isinstance(found[-1], Damaged)
                    yield found.pop()
                    if last:
                        return
                end = done
                while end < span.end:  # too large to be unfolded ahead, and so is what follows it
                    for unfolded in self._large(span, end):
                        if isinstance(unfolded, Damaged):
                            yield unfolded
                            return
                        end = unfolded.end
                        yield work(unfolded)
                        del unfolded

    def _unfold(self, span: Span, offset: int, first_limit: int) -> list[Unfolded | Damaged]:
        """The packets from `offset` on that unfold to `_UNFOLDED` bytes, the first to its limit."""
        if span.data is None:
            return [Unfolded(span.end, 1, None)]
        data = span.data[offset - span.offset :]
        reused = first_limit == _UNFOLDED
        work = self._workspace(reused)
        if self._compression == "zstd":
            taken, others, damage = self._unpack_each(work, data, first_limit)
        else:
            taken, others, what = work.decoder.unfold(data, _UNFOLDED, first_limit)
            damage = None if what is None else ValueError(what)
        found: list[Unfolded | Damaged] = []
        if taken:
            found.append(Unfolded(offset + taken, others, work, reused))
        if damage is not None:
            found.append(Damaged(offset + taken, damage))
        return found

    def _unpack_each(
        self, work: Workspace, data: memoryview, limit: int
    ) -> tuple[int, int, ValueError | None]:
        """As the decoder unfolds packets of another compression."""
        at = others = 0
        room = work.room
        while at < len(data):
            stream, size = PACKET_HEADER.unpack_from(data, at)
            start = at + PACKET_HEADER.size
            if stream == self._stream:
                try:
                    packet = data[start : start + size]
                    n = unpack_into(packet, room[:limit])
                    payload = unpack(packet, "zstd", limit) if n is None else room[:n]
                    work.decoder.add(payload)
                except TooLargeError:
                    break
                except ValueError as error:
                    return at, others, error
                limit = max(0, min(limit, _UNFOLDED) - len(payload))
                room = room[n or 0 :]
                del payload  # a large one must be gone when the next one is unpacked
            else:
                others += 1
            at = start + size
        return at, others, None

    def _large(self, span: Span, offset: int) -> list[Unfolded | Damaged]:
        """As `_unfold`, in memory that is not kept."""
        return self._unfold(span, offset, PACKET_LIMIT) or [Damaged(offset, TooLargeError())]

    def _decode(self, unfolded: Unfolded) -> Decoded:
        if unfolded.work is None:
            return Decoded(unfolded.end, unfolded.others, _NO_EVENTS, {})
        columns, dropped = unfolded.work.decoder.events()
        self.give_back(unfolded)
        return Decoded(unfolded.end, unfolded.others, Packet(*columns), dropped)

    def _workspace(self, reused: bool) -> Workspace:
        if reused:
            with contextlib.suppress(IndexError):  # another thread may take the last one
                return self._idle.pop()
        lz4, zstd = self._compression == "lz4", self._compression == "zstd"
        decoder = _native.Aedat4BatchDecoder(self._stream, lz4, *self._geometry)
        return Workspace(decoder, read_buffer(_UNFOLDED) if zstd and reused else _NO_ROOM)


def parts(packet: Packet) -> Iterator[Packet]:
    """`packet` in parts of at most 65,536 events."""
    if len(packet) <= _UNFOLDED // 16:
        yield from packet.split(CHUNK_EVENTS)
        return
    for part in packet.split(CHUNK_EVENTS):
        # Copies: whoever holds the last part would keep all 20 MiB while the next packet is read.
        yield Packet(np.array(part.t), np.array(part.x), np.array(part.y), np.array(part.on))
