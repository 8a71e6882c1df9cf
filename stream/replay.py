"""From a recording to slices: reading on, cutting, looping, and leaving on time."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.filters import EventFilter, RateLimit
from saccade.camera.fused import FramedSlice, SliceFramer
from saccade.camera.seeking import Section
from saccade.camera.slicing import Kept, Slice, Slicer, Window
from saccade.camera.word_slices import SliceCutter, WordSlice


@dataclass(frozen=True, slots=True)
class TimedSlice:
    """A slice that has left the source.

    Attributes:
        cut: the slice.
        received_ns: arrival of its last event, on `time.monotonic_ns()`'s clock. At a set speed
            that is when the recording's clock says it happened, at speed max when it was decoded.
        left_ns: when it left the source, on the same clock.
        decode_us: time spent reading, decoding, filtering and slicing since the slice before it.
        refused: events that never came to a slice by then, cumulative: by `source` and `filter`.
    """

    cut: Slice | FramedSlice | WordSlice
    received_ns: int
    left_ns: int
    decode_us: float
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sieve:
    """What lets only some of the events through.

    Attributes:
        filters: removes events before they are cut into slices.
        limit: drops whole slices that are beyond it.
        on_drop: is told of each of these.
    """

    filters: EventFilter | None
    limit: RateLimit | None
    on_drop: Callable[[Window], None]

    def drops(self, cut: Window) -> bool:
        """Whether the next slice is beyond the limit."""
        dropped = self.limit is not None and not self.limit.allows(cut)
        if dropped:
            self.on_drop(cut)
        return dropped


class Replay:
    """A passive source of slices; iterate it once, on whichever thread."""

    def __init__(
        self,
        section: Section,
        slicer: Slicer,
        speed: float,
        loop: bool,
        sieve: Sieve,
        framer: SliceFramer | SliceCutter | None = None,
    ) -> None:
        """Slices of `section`; `speed` 1.0 is real time, infinity as fast as they are taken.

        With a `framer` (one of `slicer`'s slices, for a whole section that is passed once and not
        filtered) they are counted while their events are decoded, or come as raw words.
        """
        self._framer = framer
        self._section = section
        self._sieve = sieve
        self._slicer = slicer
        self._pacer = None if math.isinf(speed) else _Pacer(speed)
        self._loop = loop
        self._stop = threading.Event()
        self._decoded = 0
        self.events = 0  # that have left, in a slice or between two
        self.source_dropped = 0
        self.filtered: dict[str, int] = sieve.filters.removed if sieve.filters else {}
        self.slices = 0

    def stop(self) -> None:
        """Nothing more leaves: what is not yet due or not yet a whole slice never happened."""
        self._stop.set()

    @property
    def refused(self) -> dict[str, int]:
        """Events read so far that come to no slice, by the stage that refused them."""
        return {"source": self.source_dropped, "filter": sum(self.filtered.values())}

    def __iter__(self) -> Iterator[TimedSlice]:
        started = time.perf_counter_ns()
        for cut in self._cuts():
            received_ns = time.monotonic_ns()
            decode_us = (time.perf_counter_ns() - started) / 1000
            restarts = self._slicer.restarts if isinstance(cut, Slice) else cut.restarts
            if isinstance(cut, FramedSlice):
                decode_us -= cut.frame_us
            if self._pacer:
                received_ns = self._pacer.wait(cut, restarts, self._stop)
            if self._stop.is_set():
                return
            self.slices += 1
            self.events = max(self.events, cut.last)
            if not self._sieve.drops(cut):
                left_ns = time.monotonic_ns()
                yield TimedSlice(cut, received_ns, left_ns, decode_us, self.refused)
            started = time.perf_counter_ns()
        if not self._stop.is_set():
            self.events = self._decoded

    def _cuts(self) -> Iterator[Slice | FramedSlice | WordSlice]:
        if self._framer is not None:
            yield from self._framed(self._framer)
            return
        damage: RecordingError | None = None
        try:
            for packet in self._packets():
                kept = self._sift(packet)
                self._decoded += len(packet if kept is None else kept.events)
                yield from self._slicer.feed(packet, kept)
                if self._stop.is_set():
                    return
        except RecordingError as error:
            damage = error  # what came before the damage is still sliced and labelled
        yield from self._slicer.finish()
        if damage is not None:
            self.events = self._decoded
            raise damage

    def _framed(self, framer: SliceFramer | SliceCutter) -> Iterator[FramedSlice | WordSlice]:
        def account() -> None:
            self._decoded, self.source_dropped = framer.events, self._section.events_dropped

        try:
            for cut in self._section.framed(framer):
                account()
                yield cut
                if self._stop.is_set():
                    return
        except RecordingError:
            account()
            self.events = self._decoded
            raise
        account()

    def _sift(self, packet: Packet) -> Kept | None:
        filters = self._sieve.filters
        if filters is None:
            return None
        kept = Kept(*filters.sift(packet))
        self.filtered = filters.removed
        return kept

    def _packets(self) -> Iterator[Packet]:
        offset = 0
        while True:
            first = last = None
            try:
                for packet in self._section.packets():
                    self.source_dropped = self._section.events_dropped
                    first = int(packet.t[0]) if first is None else first
                    last = int(packet.t.max())
                    yield packet if not offset else _shifted(packet, offset)
            finally:  # what was refused after the last delivered event is accounted for too
                self.source_dropped = self._section.events_dropped
            if not self._loop or first is None or last is None:
                return
            offset += last - first + 1


def _shifted(packet: Packet, offset_us: int) -> Packet:
    return Packet(packet.t + np.uint64(offset_us), packet.x, packet.y, packet.on)


class _Pacer:
    """Lets slices leave when the recording's clock, sped up, reaches their end."""

    def __init__(self, speed: float) -> None:
        self._ns_per_us = 1000 / speed
        self._restarts = -1
        self._origin_us = 0
        self._start_ns = 0

    def wait(self, cut: Window, restarts: int, stop: threading.Event) -> int:
        """Blocks until the slice's window is over; gives the arrival time of its last event.

        A stop ends the waiting.
        """
        if restarts != self._restarts:
            # A clock that fell or leapt gives no interval to wait: go on from now.
            self._restarts = restarts
            self._origin_us = cut.t_begin_us
            self._start_ns = time.monotonic_ns()
        due = self._at(cut.t_end_us)
        while not stop.is_set() and (left := due - time.monotonic_ns()) > 0:
            stop.wait(left / 1e9)
        return min(self._at(min(cut.t_last_us, cut.t_end_us)), time.monotonic_ns())

    def _at(self, t_us: int) -> int:
        return self._start_ns + round((t_us - self._origin_us) * self._ns_per_us)
