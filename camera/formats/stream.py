"""A header, then one stream of words that a native decoder takes in chunks: most formats."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

from saccade.camera import _native
from saccade.camera.counting import count_packets
from saccade.camera.cuda import Words
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.base import FileRecording
from saccade.camera.formats.file import RecordingFile, check_geometry, read_buffer
from saccade.camera.streams import Stream, TriggerEdges

CHUNK_BYTES = 256 << 10
CHUNK_EVENTS = 65_536


class Decoder(Protocol):
    """A native decoder: any chunking of the bytes gives the same events."""

    def decode(self, data: bytes | memoryview, /) -> tuple[Any, Any, Any, Any]:
        """The columns t, x, y, on of the events that end in these bytes."""
        ...

    @property
    def dropped(self) -> dict[str, int]:
        """Events left out so far, by class."""
        ...

    @property
    def skipped(self) -> dict[str, int]:
        """What was no event so far, by class."""
        ...

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished word that wait for the next chunk."""
        ...

    @property
    def damage(self) -> tuple[str, int] | None:
        """What is damaged, and at which byte of all that were fed; nothing follows it."""
        ...


@runtime_checkable
class TriggerDecoder(Protocol):
    """A decoder whose words may be triggers."""

    @property
    def triggers(self) -> tuple[Any, Any, Any]:
        """The columns t, id, value of the triggers that the last `decode` met."""
        ...


@runtime_checkable
class CountingDecoder(Decoder, Protocol):
    """A decoder that can count events without making columns of them."""

    def count(self, data: memoryview, slices: _native.SliceCounter, /) -> int:
        """Counts until a slice is due; the bytes that it took."""
        ...


class Losses:
    """Adds what one pass leaves out to the totals of all, so that passes may run side by side."""

    def __init__(
        self,
        decoder: Decoder | _native.WordCutter,
        dropped: dict[str, int],
        skipped: dict[str, int],
    ) -> None:
        self._decoder, self._totals = decoder, (dropped, skipped)
        self._before = decoder.dropped, decoder.skipped

    def count(self) -> None:
        """Adds the rise since the call before."""
        now = self._decoder.dropped, self._decoder.skipped
        for total, old, new in zip(self._totals, self._before, now, strict=True):
            for name, count in new.items():
                total[name] += count - old[name]
        self._before = now


class StreamRecording(FileRecording):
    """A header, then words; see `saccade.camera.recordings.Recording`.

    Args:
        file: the open file; closed by `close`.
        format: the format's name, as `saccade inspect` shows it.
        geometry: (width, height) in pixels.
        first: byte offset of the first word.
        new_decoder: makes the decoder of one pass, at the first word.
        sensor: the sensor's or the camera's name, "" where unknown.
        origin_us: added to every time: where the words' clock starts.
        unit: what is not whole where the file ends in the middle of it.
        words: how a GPU can decode it, if at all.
    """

    def __init__(
        self,
        file: RecordingFile,
        format: str,
        geometry: tuple[int, int],
        first: int,
        new_decoder: Callable[[], Decoder],
        sensor: str = "",
        origin_us: int = 0,
        unit: str = "word",
        words: Words | None = None,
    ) -> None:
        self._unit = unit
        super().__init__(file)
        self._first, self._new_decoder = first, new_decoder
        self._origin = np.uint64(origin_us)
        self.format, self.sensor = format, sensor
        self._words: Words | None = words
        self.width, self.height = geometry
        check_geometry(self.path, self.width, self.height)
        if first >= self.size_bytes:
            raise RecordingError(self.path, "there is no event after the header", "record again")
        self.position = first
        decoder = new_decoder()
        self._dropped, self._skipped = decoder.dropped, decoder.skipped  # all 0
        self._counts = {"events": 0}
        if isinstance(decoder, TriggerDecoder):
            self._counts["triggers"] = 0

    @property
    def streams(self) -> list[Stream]:
        """The events, and the triggers where the format has them: both counted by any pass."""
        return [Stream(kind, kind, count) for kind, count in self._counts.items()]

    def triggers(self) -> Iterator[TriggerEdges]:
        """One pass over the triggers; those before the sensor's first time are only counted.

        Raises RecordingError where the format has none, and as `packets` where it is damaged.
        """
        decoder = self._new_decoder()
        if not isinstance(decoder, TriggerDecoder):
            what = f"{self.format} has no trigger stream"
            raise RecordingError(self.path, what, "read its events")
        for _ in self._decode(decoder):
            found = TriggerEdges(*decoder.triggers)
            if len(found):
                yield found

    def packets(self, since_us: int | None = None) -> Iterator[Packet]:
        """One pass over the events, in packets of at most 65,536.

        Args:
            since_us: taken by formats with an index, to pass over what is wholly before; here
                everything is read.

        Raises RecordingError where the words are damaged, or the file ends inside one.
        """
        for packet in self._decode(self._new_decoder()):
            yield from packet.split(CHUNK_EVENTS)

    def count(self, slices: _native.SliceCounter, threads: int | None = None) -> Generator[None]:
        """One pass that counts the events; see `saccade.camera.counting.Countable`."""
        decoder = self._new_decoder()
        if not isinstance(decoder, CountingDecoder) or self._origin:
            yield from count_packets(self.packets(), slices)
            return
        losses = Losses(decoder, self._dropped, self._skipped)
        for data in self._chunks():
            at, before = 0, slices.events
            try:
                while at < len(data):
                    at += decoder.count(data[at:], slices)
                    if slices.due:
                        yield
            finally:  # once for all slices that end here, even where no more of them are wanted
                losses.count()
                self._counts["events"] += slices.events - before
        self._check_end(decoder.pending_bytes)

    @property
    def words(self) -> Words | None:
        """What a GPU can decode; see `saccade.camera.word_slices.Cuttable`."""
        return self._words if not self._origin else None

    def cut(self, cutter: _native.WordCutter) -> Generator[memoryview]:
        """One pass that only cuts; see `saccade.camera.word_slices.Cuttable`."""
        losses = Losses(cutter, self._dropped, self._skipped)
        rest = b""  # of a word that goes on in the next chunk
        for chunk in self._chunks():
            data = memoryview(rest + chunk) if rest else chunk
            whole = len(data) - len(data) % cutter.word_bytes
            at, before = 0, cutter.events
            while at < whole:
                size = cutter.cut(data[at:whole])
                losses.count()
                yield data[at : at + size]
                at += size
            self._counts["events"] += cutter.events - before
            rest = bytes(data[whole:])
        self._check_end(len(rest))

    def _decode(self, decoder: Decoder) -> Iterator[Packet]:
        """One pass: the events of each chunk, an empty packet where it has none."""
        losses = Losses(decoder, self._dropped, self._skipped)
        with_triggers = decoder if isinstance(decoder, TriggerDecoder) else None
        for data in self._chunks():
            packet = Packet(*decoder.decode(data))
            if self._origin:
                np.add(packet.t, self._origin, out=packet.t)
            losses.count()
            self._counts["events"] += len(packet)
            if with_triggers is not None:
                self._counts["triggers"] += len(with_triggers.triggers[0])
            yield packet
            if decoder.damage is not None:
                what, at = decoder.damage
                raise self.damaged(what, self._first + at)
        self._check_end(decoder.pending_bytes)

    def _chunks(self) -> Iterator[memoryview]:
        """The words as they are read; each is gone when the next one is asked for."""
        offset = self.position = self._first
        buffer = read_buffer(CHUNK_BYTES)
        while size := self._file.read_into(offset, buffer):
            offset += size
            self.position = offset
            yield buffer[:size]

    def _check_end(self, pending_bytes: int) -> None:
        if pending_bytes:
            what = f"the file is cut off inside a {self._unit}"
            raise self.damaged(what, self.position - pending_bytes)
