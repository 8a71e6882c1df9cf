"""What a recording is written on: events in packets of a size, or a camera's bytes as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import MAX_EVENTS, Aedat4Writer
from saccade.camera.formats.evt3_words import Evt3State, clock_words
from saccade.camera.formats.raw_copy import RawCopier
from saccade.camera.recording_messages import Chunk, SourceFacts
from saccade.camera.sources.contents import DvEvents
from saccade.camera.writers import Writer

#: Events wait this long at most for others to be written with; half of what is promised.
FLUSH_S = 0.5
#: What a tape has written it says to this: how many events, the times of the first and the last.
Wrote = Callable[[int, int, int], None]


def aedat4_writer(path: str, source: SourceFacts) -> Aedat4Writer:
    """What an AEDAT4 recording is written with; raises RecordingError where it cannot be made."""
    name = source.sensor or source.name
    return Aedat4Writer(path, source.width, source.height, "lz4", name)


class Tape(Protocol):
    """A file being recorded."""

    @property
    def due(self) -> bool:
        """Whether `flush` should be called."""
        ...

    def add(self, chunk: Chunk, content: memoryview) -> None:
        """Takes what was captured; raises as `Writer.write`."""
        ...

    def flush(self) -> None:
        """Writes what is pending."""
        ...

    def close(self) -> None:
        """Finishes the file, without what is pending."""
        ...


class ChunkReader:
    """Reads the events of chunks, each after those before it."""

    def __init__(self, width: int, height: int) -> None:
        """Of a sensor of so many pixels."""
        self._size = width, height
        self._words = _native.Evt3Decoder(*self._size)

    def events(self, chunk: Chunk, content: memoryview) -> Packet:
        """The events, as the run has them."""
        if chunk.kind == "evt3":
            return self._evt3(chunk, content)
        if chunk.kind == "dv":
            return DvEvents(content, self._size, {"out_of_bounds": 0, "negative_time": 0}).decode()
        n = chunk.events
        t, x, y, on = (content[k * n : (k + size) * n] for k, size in _COLUMNS)
        columns = np.frombuffer(t, "u8"), np.frombuffer(x, "u2"), np.frombuffer(y, "u2")
        return Packet(*columns, np.frombuffer(on, "?"))

    def _evt3(self, chunk: Chunk, content: memoryview) -> Packet:
        state = self._words.state
        at = None if state is None else Evt3State(*state)
        if chunk.before is None:  # the camera's first, perhaps after it was gone
            self._words = _native.Evt3Decoder(*self._size)
        elif chunk.before != at:  # some were lost before these, or held no event
            steps = clock_words(0 if at is None else at.high, chunk.before.high)
            self._words.decode(steps + chunk.before.words())
        return Packet(*self._words.decode(content))


#: Where the columns of one event would begin in `Chunk`'s bytes, and their sizes.
_COLUMNS = ((0, 8), (8, 2), (10, 2), (12, 1))


class EventTape:
    """Encodes events, and writes many at once."""

    def __init__(self, writer: Writer, reader: ChunkReader, wrote: Wrote) -> None:
        """`writer` is closed with this."""
        self._pending = 0
        self._writer, self._reader, self._wrote = writer, reader, wrote
        self._packets: list[Packet] = []
        self._since = 0.0  # when the first of them came

    def add(self, chunk: Chunk, content: memoryview) -> None:
        """See `Tape`."""
        events = self._reader.events(chunk, content)
        if not len(events):
            return
        self._since = self._since if self._pending else time.monotonic()
        self._packets.append(events)
        self._pending += len(events)

    @property
    def due(self) -> bool:
        """Whether there is enough to be written, or some has waited long enough."""
        late = time.monotonic() > self._since + FLUSH_S
        return self._pending >= MAX_EVENTS or (self._pending > 0 and late)

    def flush(self) -> None:
        """See `Tape`."""
        if not self._pending:
            return
        left = Packet.joined(self._packets)
        self._packets.clear()
        while len(left):
            part = left[:MAX_EVENTS]
            self._writer.write(part)
            left = left[MAX_EVENTS:]
            self._pending = len(left)
            self._wrote(len(part), int(part.t[0]), int(part.t[-1]))

    def close(self) -> None:
        """See `Tape`."""
        self._writer.close()


class ByteTape:
    """Writes each transfer of EVT3 as it comes: nothing of it ever waits."""

    def __init__(self, copier: RawCopier, wrote: Wrote) -> None:
        """`copier` is closed with this."""
        self._copier, self._wrote = copier, wrote

    def add(self, chunk: Chunk, content: memoryview) -> None:
        """See `Tape`."""
        assert chunk.kind == "evt3", "which the run keeps"
        self._copier.copy(content, chunk.before, chunk.after)
        self._wrote(chunk.events, chunk.first_us, chunk.last_us)

    @property
    def due(self) -> bool:
        """Never."""
        return False

    def flush(self) -> None:
        """See `Tape`."""

    def close(self) -> None:
        """See `Tape`."""
        self._copier.close()
