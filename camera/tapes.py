"""What a recorder writes on: events in packets of a size, or the bytes of a camera as they come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from saccade.camera.capture import Captured
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import MAX_EVENTS
from saccade.camera.formats.raw_copy import RawCopier
from saccade.camera.writers import Writer

#: Events wait this long at most for others to be written with; half of what is promised.
FLUSH_S = 0.5


class Tape(Protocol):
    """A file being recorded. What it has written it says to the `wrote` of its maker.

    Attributes:
        pending: events that it was given and has not written.
    """

    pending: int

    @property
    def due(self) -> bool:
        """Whether `flush` should be called."""
        ...

    def add(self, item: Captured) -> None:
        """Takes what was captured; raises as `Writer.write`."""
        ...

    def flush(self) -> None:
        """Writes what is pending."""
        ...

    def close(self) -> None:
        """Finishes the file, without what is pending."""
        ...


class EventTape:
    """Encodes events, and writes many at once."""

    def __init__(self, writer: Writer, wrote: Callable[[Packet], None]) -> None:
        """`writer` is closed with this."""
        self.pending = 0
        self._writer, self._wrote = writer, wrote
        self._packets: list[Packet] = []
        self._since = 0.0  # when the first of them came

    def add(self, item: Captured) -> None:
        """See `Tape`."""
        if not len(item.events):
            return
        self._since = self._since if self.pending else time.monotonic()
        self._packets.append(item.events)
        self.pending += len(item.events)

    @property
    def due(self) -> bool:
        """Whether there is enough to be written, or some has waited long enough."""
        late = time.monotonic() > self._since + FLUSH_S
        return self.pending >= MAX_EVENTS or (self.pending > 0 and late)

    def flush(self) -> None:
        """See `Tape`."""
        if not self.pending:
            return
        left = Packet.joined(self._packets)
        self._packets.clear()
        while len(left):
            part = left[:MAX_EVENTS]
            self._writer.write(part)
            left = left[MAX_EVENTS:]
            self.pending = len(left)
            self._wrote(part)

    def close(self) -> None:
        """See `Tape`."""
        self._writer.close()


class ByteTape:
    """Writes each transfer as it comes: nothing of it ever waits."""

    def __init__(self, copier: RawCopier, wrote: Callable[[Packet], None]) -> None:
        """`copier` is closed with this."""
        self.pending = 0
        self._copier, self._wrote = copier, wrote

    def add(self, item: Captured) -> None:
        """See `Tape`."""
        packet = item.packet
        assert packet is not None and packet.raw is not None, "which the capture keeps"
        self.pending = len(packet.events)
        self._copier.copy(packet.raw, packet.before, packet.after)
        self.pending = 0
        self._wrote(packet.events)

    @property
    def due(self) -> bool:
        """Never."""
        return False

    def flush(self) -> None:
        """See `Tape`."""

    def close(self) -> None:
        """See `Tape`."""
        self._copier.close()
