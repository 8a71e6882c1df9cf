"""Reads AEDAT4 (DV): the events of its first event stream, in the order of the file.

Frames, IMU samples and triggers have passes of their own. The packets are scanned, so
a file whose recorder was killed (no table at the end) reads as well as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sized
from contextlib import closing
from typing import TypeVar

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.events import MAX_SIDE, Packet
from saccade.camera.formats import aedat4_streams
from saccade.camera.formats.aedat4_events import (
    PACKET_HEADER,
    Damaged,
    Decoded,
    EventsDecoder,
    Span,
    SpanReader,
    parts,
)
from saccade.camera.formats.aedat4_index import Aedat4Index, read_index
from saccade.camera.formats.aedat4_info import StreamInfo, read_streams
from saccade.camera.formats.aedat4_writer import MAGIC
from saccade.camera.formats.base import FileRecording
from saccade.camera.formats.file import RecordingFile, check_geometry
from saccade.camera.formats.unpack import (
    COMPRESSIONS,
    PACKET_LIMIT,
    Compression,
    TooLargeError,
    unpack,
)
from saccade.camera.streams import Frame, ImuPacket, Stream, Triggers

_T = TypeVar("_T")

_HEADER_LIMIT = 1 << 20


class Aedat4Recording(FileRecording):
    """An AEDAT4 file; see `saccade.camera.recordings.Recording`.

    With several event streams (two cameras), the first is read; `streams` lists them all. `skipped`
    counts the packets of the other streams that `packets` passed over.
    """

    format = "aedat4"

    def __init__(self, file: RecordingFile, geometry: tuple[int, int] | None = None) -> None:
        super().__init__(file)
        self._read_header()
        events = [s for s in self._streams.values() if s.kind == "EVTS"]
        if not events:
            raise RecordingError(self.path, "it has no event stream", "record the events too")
        self._stream = events[0]
        self.sensor = self._stream.source
        self.width, self.height = geometry or (self._stream.width, self._stream.height)
        check_geometry(self.path, self.width, self.height)
        self.position = self._first
        self._dropped = {"out_of_bounds": 0, "negative_time": 0}
        self._skipped = {"other_packets": 0}
        self._counts: dict[int, int] = {}

    @property
    def streams(self) -> list[Stream]:
        """The streams in the order of the header."""
        return [
            Stream(aedat4_streams.KINDS.get(s.kind, s.kind), s.name, self._counts.get(s.number))
            for s in self._streams.values()
        ]

    def count_streams(self) -> list[Stream]:
        """`streams`, after reading those that no pass has read; the other event streams are not.

        Raises RecordingError where one is damaged; `streams` then counts what came before.
        """
        for stream in self._streams.values():
            if stream.number not in self._counts and stream.kind in aedat4_streams.PARSERS:
                for _ in self._pass(stream, aedat4_streams.PARSERS[stream.kind]):
                    pass
        return self.streams

    def frames(self) -> Iterator[Frame]:
        """One pass over the first frame stream.

        Raises RecordingError without one, or with the damaged packet's byte offset.
        """
        return self._pass(self._first_of("FRME"), aedat4_streams.frame)

    def imu(self) -> Iterator[ImuPacket]:
        """One pass over the first stream of IMU samples; raises as `frames`."""
        return self._pass(self._first_of("IMUS"), aedat4_streams.imu)

    def triggers(self) -> Iterator[Triggers]:
        """One pass over the first stream of triggers; raises as `frames`."""
        return self._pass(self._first_of("TRIG"), aedat4_streams.triggers)

    def packets(self, since_us: int | None = None, threads: int | None = None) -> Iterator[Packet]:
        """One pass over the events, in packets of at most 65,536.

        Args:
            since_us: begins with the packet that the table names for this time, where the table is
                whole and agrees with the packets there; otherwise everything is read.
            threads: how many decode the next packets, the caller's among them while it waits; None:
                two where there are two processors and the file is not small.

        Raises RecordingError with the damaged packet's byte offset (or the file's end where it is
        cut off), after every event before it.
        """
        with closing(self._decoded(since_us, threads)) as found:
            for decoded in found:
                if isinstance(decoded, Damaged):
                    raise self._damaged_packet(decoded) from decoded.error
                self._count(decoded.end, decoded.others, len(decoded.events), decoded.dropped)
                events = parts(decoded.events)
                del decoded  # a large packet must be gone when the next one is read
                yield from events
                del events
        self._check_table()
        self.position = self.size_bytes

    def count(self, slices: _native.SliceCounter, threads: int | None = None) -> Generator[None]:
        """One pass that counts the events; see `saccade.camera.counting.Countable`."""
        decoder, start, end = self._begin(None)
        if threads is None:  # what need not be unfolded is read as soon as it is handed over
            threads = 1 if self._compression == "none" else decoder.threads(end - start)
        spans = self._spans(start, end, decoder.spans_in_use(threads))
        with closing(decoder.unfold(spans, threads)) as found:
            for unfolded in found:
                if isinstance(unfolded, Damaged):
                    raise self._damaged_packet(unfolded) from unfolded.error
                before, dropped = slices.events, dict[str, int]()
                if unfolded.work is not None:
                    while not unfolded.work.decoder.count(slices):
                        yield
                    dropped = unfolded.work.decoder.take_dropped()
                if slices.due:
                    yield
                self._count(unfolded.end, unfolded.others, slices.events - before, dropped)
                decoder.give_back(unfolded)
                del unfolded
        self._check_table()
        self.position = self.size_bytes

    def _begin(self, since_us: int | None) -> tuple[EventsDecoder, int, int]:
        """A decoder, and the offsets of the packets that a pass reads."""
        end = self._packets_end()
        start = self.position = self._first if since_us is None else self._packet_at(since_us, end)
        self._counts.setdefault(self._stream.number, 0)
        decoder = EventsDecoder(self._stream.number, self.width, self.height, self._compression)
        return decoder, start, end

    def _decoded(self, since_us: int | None, threads: int | None) -> Generator[Decoded | Damaged]:
        decoder, start, end = self._begin(since_us)
        threads = decoder.threads(end - start) if threads is None else threads
        if self._compression == "none":
            streams = list(self._streams)
            start = yield from decoder.decode_file(self._file, streams, start, end, threads)
            threads = 1  # for what is left, if anything: spans need not be unfolded
        spans = self._spans(start, end, decoder.spans_in_use(threads))
        yield from decoder.decode(spans, threads)

    def _damaged_packet(self, damaged: Damaged) -> RecordingError:
        return self.damaged(f"the packet is damaged: {damaged.error}", damaged.offset)

    def _count(self, end: int, others: int, events: int, dropped: dict[str, int]) -> None:
        self.position = end
        self._skipped["other_packets"] += others
        self._counts[self._stream.number] += events
        for name, count in dropped.items():
            self._dropped[name] += count

    def _read_header(self) -> None:
        start = len(MAGIC)
        prefix = self._file.read(start, 4)
        size = int.from_bytes(prefix, "little")
        data = self._file.read(start, 4 + min(size, _HEADER_LIMIT))
        try:
            if len(prefix) < 4 or size > _HEADER_LIMIT or len(data) < 4 + size:
                raise ValueError("it is cut off, or its size is wrong")
            code, table, xml = _native.read_aedat4_header(data)
            if not 0 <= code < len(COMPRESSIONS):
                raise ValueError(f"compression {code} is unknown")
            self._first = start + 4 + size
            if table != -1 and table < self._first:
                raise ValueError(f"the table's position is {table}")
            self._streams = read_streams(xml)
        except ValueError as error:
            what = f"the AEDAT4 header is damaged: {error}"
            raise RecordingError(self.path, what, "copy the file again", start) from error
        self._compression: Compression = COMPRESSIONS[code]
        self._table = table

    def _packet_header(self, offset: int, end: int, wanted: StreamInfo) -> tuple[int, int]:
        data = self._file.read(offset, min(8, end - offset))
        if len(data) == PACKET_HEADER.size:
            stream, size = PACKET_HEADER.unpack(data)
            if stream not in self._streams:
                raise self.damaged(
                    f"the packet is of stream {stream}, which does not exist", offset
                )
            # Others are passed over unread: an uncompressed image may well be larger.
            if size < 0 or (size > PACKET_LIMIT and stream == wanted.number):
                raise self.damaged(f"the packet states a size of {size} bytes", offset)
            if offset + 8 + size <= end:
                return stream, size
        if end == self._table:
            raise self.damaged("the packet runs into the table", offset)
        raise self._cut_off(offset, self.size_bytes)

    def _cut_off(self, offset: int, end: int) -> RecordingError:
        return self.damaged(f"the file ends inside the packet that starts at byte {offset}", end)

    def _packet_at(self, since_us: int, end: int) -> int:
        """Byte offset to begin at: nothing before it is of `since_us` or later."""
        table = self._read_table() if end == self._table else None
        index = read_index(table, self._stream.number, self._first, end) if table else None
        if index is None:
            return self._first
        k = index.packet_at(since_us)
        before = k == 0 or self._ends_as_stated(index, k - 1)
        after = k == len(index.offset) or self._ends_as_stated(index, k)
        if k == 0 or not (before and after):
            return self._first
        return int(index.offset[k]) if k < len(index.offset) else end

    def _ends_as_stated(self, index: Aedat4Index, k: int) -> bool:
        offset, size = int(index.offset[k]), int(index.size[k])
        header = PACKET_HEADER.pack(self._stream.number, size)
        if size > PACKET_LIMIT or self._file.read(offset, 8) != header:
            return False
        try:
            payload = unpack(self._file.read(offset + 8, size), self._compression)
            (t, *_), _ = _native.decode_events(payload, *(MAX_SIDE,) * 2)
        except ValueError:
            return False
        return len(t) > 0 and int(t.max()) == int(index.last[k])

    def _spans(self, offset: int, end: int, in_use: int) -> Iterator[Span]:
        """The packets in as large pieces as are read at once; `in_use`: how many at a time."""
        wanted = self._stream.number
        reader = SpanReader(self._file, list(self._streams), wanted, self._compression, in_use)
        while offset < end:
            span = reader.read(offset, end)
            if span is None:  # a packet that is larger than the buffer, or damage
                stream, size = self._packet_header(offset, end, self._stream)
                after = offset + PACKET_HEADER.size + size
                span = Span(offset, after, None)
                if stream == wanted:
                    span = reader.read_large(offset, after)
                    if span.end < after:  # it has shrunk since it was opened
                        raise self._cut_off(offset, span.end)
            offset = span.end
            yield span
            del span  # a large one must be gone when the next one is read

    def _packets_end(self) -> int:
        return self._table if 0 <= self._table < self.size_bytes else self.size_bytes

    def _first_of(self, kind: str) -> StreamInfo:
        for stream in self._streams.values():
            if stream.kind == kind:
                return stream
        what = f"it has no {aedat4_streams.KINDS[kind]} stream"
        raise RecordingError(self.path, what, "record it too")

    def _pass(
        self, wanted: StreamInfo, parse: Callable[[bytes | memoryview], tuple[_T, int]]
    ) -> Iterator[_T]:
        """What the packets of one stream hold."""
        offset, end = self._first, self._packets_end()
        self._counts.setdefault(wanted.number, 0)
        while offset < end:
            number, size = self._packet_header(offset, end, wanted)
            if number == wanted.number:
                try:
                    payload = unpack(self._file.read(offset + 8, size), self._compression)
                    found, negative = parse(payload)
                except ValueError as error:
                    if isinstance(error, RecordingError):
                        raise
                    raise self.damaged(f"the packet is damaged: {error}", offset) from error
                self._dropped["negative_time"] += negative
                self._counts[number] += len(found) if isinstance(found, Sized) else 1
                yield found
            offset += 8 + size
        self._check_table()

    def _check_table(self) -> None:
        """The table is not needed, but it tells whether all packets are there."""
        if self._table == -1:
            return
        if self._table >= self.size_bytes:
            what = f"the file is cut off: its table should start at byte {self._table}"
            raise self.damaged(what, self.size_bytes)
        if self._read_table() == b"":
            raise self.damaged("the table at the end is damaged", self._table)

    def _read_table(self) -> bytes | memoryview | None:
        """The table, unpacked; b"" where it is damaged.

        None where it is that of a very long recording, which is not worth the memory.
        """
        if self.size_bytes - self._table > PACKET_LIMIT:
            return None
        data = self._file.read(self._table, self.size_bytes - self._table)
        try:
            table = unpack(data, self._compression)
        except TooLargeError:
            return None
        except ValueError:
            return b""
        whole = int.from_bytes(table[:4], "little") <= len(table) - 4
        return table if table[8:12] == b"FTAB" and whole else b""
