"""A section of a recording: from one time to another, by the clock of its first event."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.fused import FramedSlice, SliceFramer
from saccade.camera.recordings import Recording
from saccade.camera.word_slices import SliceCutter, WordSlice

#: Classes of `Recording.dropped` that count words, which need not have been events.
_NO_EVENTS = ("unknown_word",)


class Section:
    """The events from the first at or after `start_us` up to the first at or after `stop_us`.

    Both are relative to the recording's first event. Times that fall do not matter: what lies
    between those two events belongs to the section, whatever its time. Where a format has an index
    (AEDAT4), what is wholly before is not read, nor is its damage noticed.

    Attributes:
        recording: whose section it is.
        start_us, stop_us: the times; `stop_us` None is the end.
        dropped: events left out by the decoder, by class, in all passes: what it read while it
            gave packets of the section, so to one read of some 256 kB at either end.
    """

    def __init__(self, recording: Recording, start_us: int = 0, stop_us: int | None = None) -> None:
        """Raises SaccadeError where nothing can lie between the two times."""
        if start_us < 0:
            raise SaccadeError(f"from {start_us} us: must be 0 or more")
        if stop_us is not None and stop_us <= start_us:
            raise SaccadeError(f"to {stop_us} us: must be later than from ({start_us} us)")
        self.recording = recording
        self.start_us, self.stop_us = start_us, stop_us
        self.dropped = dict.fromkeys(recording.dropped, 0)

    @property
    def events_dropped(self) -> int:
        """The sum of `dropped`, without words of unknown type: those are damage, but no events."""
        return sum(n for kind, n in self.dropped.items() if kind not in _NO_EVENTS)

    def packets(self) -> Iterator[Packet]:
        """One pass over the section, in packets of 1 to 65,536 events.

        Raises RecordingError as the recording does, after every event before the damage.
        """
        base = dict(self.dropped)
        origin = self._origin() if self.start_us else None
        before = self.recording.dropped  # without what was read to see the origin
        begun = self.start_us == 0
        since = None if origin is None else origin + self.start_us
        try:
            for packet in self.recording.packets(since_us=since):
                if origin is None:
                    origin = int(packet.t[0])
                first = 0 if begun else _index_at(packet, origin + self.start_us)
                if first is None:
                    before = self.recording.dropped
                    continue
                begun = True
                self._count(base, before)
                inside = packet[first:]
                stop = None if self.stop_us is None else _index_at(inside, origin + self.stop_us)
                if stop != 0:
                    yield inside[:stop]
                if stop is not None:
                    return
        finally:
            if begun:  # what was refused after the last event counts too
                self._count(base, before)

    @property
    def whole(self) -> bool:
        """Whether it is all of the recording."""
        return self.start_us == 0 and self.stop_us is None

    def framed(self, framer: SliceFramer | SliceCutter) -> Iterator[FramedSlice | WordSlice]:
        """One pass over the slices of a whole section, counted as they are decoded, or cut only.

        Raises RecordingError as the recording does, after every slice before the damage.
        """
        assert self.whole
        base, before = dict(self.dropped), self.recording.dropped
        try:
            for cut in framer.pass_over(self.recording):
                self._count(base, before)
                yield cut
        finally:
            self._count(base, before)

    def _origin(self) -> int | None:
        """The first event's time; None where there is none."""
        packets = self.recording.packets()
        first = next(packets, None)
        return None if first is None else int(first.t[0])

    def _count(self, base: dict[str, int], before: dict[str, int]) -> None:
        for name, count in self.recording.dropped.items():
            self.dropped[name] = base.get(name, 0) + count - before.get(name, 0)


def _index_at(packet: Packet, t_us: int) -> int | None:
    """Index of the first event at or after `t_us`; None where there is none."""
    if t_us >= 1 << 64:
        return None
    later = packet.t >= np.uint64(t_us)
    first = int(later.argmax())
    return first if later[first] else None
