"""From a live source to frames: its bytes are counted as they arrive, slice by slice."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from saccade.camera.capture import Capture
from saccade.camera.fused import FramedSlice, SliceFramer
from saccade.camera.slicing import Window
from saccade.camera.sources import LivePacket
from saccade.stream.live import POLL_S, Silence
from saccade.stream.replay import Sieve, TimedSlice

#: Frames that may wait for whoever iterates, who has no other work: after a leap of the clock there
#: are many at once.
MOST_BYTES = 64 << 20


class CountedSlices:
    """The slices of a captured source, of which there are only frames; iterate it once.

    The capture's thread counts what it reads, so that there is nothing between to fall behind: no
    columns, no packets that wait. The iterating thread cuts where no event comes: as `LiveSlices`,
    a silent scene gives empty slices at the same rate, also while the source is opened again.
    """

    def __init__(
        self,
        capture: Capture,
        framer: SliceFramer,
        grid: tuple[int, int] | None,
        sieve: Sieve,
        on_drop: Callable[[Window], None],
    ) -> None:
        """Counts what `capture` reads.

        Args:
            capture: started by the iteration.
            framer: of this sensor.
            grid: window and stride (us); None where slices are of a number of events.
            sieve: its limit drops whole slices; it removes no events.
            on_drop: is told of each slice that nobody took in time.
        """
        assert sieve.filters is None
        self.capture = capture
        self._framer, self._sieve, self._on_drop = framer, sieve, on_drop
        self._silence = Silence(capture.clock, framer, grid)
        self._changed = threading.Condition()  # holds all below
        self._whole: deque[TimedSlice] = deque()
        self._arrived_ns = 0  # of the last event that was counted
        self._came = 0.0  # when that was, `time.monotonic()`
        self._outages = 0  # before it
        self._since = self._spent_ns = 0  # of the work at hand; on what came before, slice by slice
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self.events = self.slices = 0
        self.busy_since = 0.0
        capture.counter = self

    def stop(self) -> None:
        """No more is captured; what was, leaves to its last event."""
        self.capture.stop()

    def end(self) -> None:
        """It is over at once: what waits is lost, and counted."""
        self.capture.stop()
        with self._changed:
            self._ended = self._closed = True
            self._whole.clear()
            self._changed.notify_all()

    @property
    def nbytes(self) -> int:
        """Bytes of the frames that wait."""
        with self._changed:
            return sum(timed.cut.nbytes for timed in self._whole)

    @property
    def on(self) -> int:
        """See `Counter`."""
        with self._changed:
            return self._framer.on

    @property
    def filtered(self) -> dict[str, int]:
        """None: what is filtered is not counted here."""
        return {}

    @property
    def refused(self) -> dict[str, int]:
        """Events that come to no slice, by the stage that refused them."""
        return {"source": self.capture.refused, "filter": 0, "queue": 0}

    def count(self, packet: LivePacket, outages: int, keep: bool) -> None:
        """See `Counter`."""
        received_ns = packet.received_ns
        with self._changed:
            if self._closed:
                return
            self.busy_since = time.monotonic()
            self._since = time.perf_counter_ns()
            if outages != self._outages:
                self._outages = outages
                self._put(self._framer.begin_anew(), received_ns)
            first = self._framer.events
            for cut in self._framer.feed_live(packet, keep):
                if cut.last > first:  # its last event is one of these
                    self._arrived_ns = received_ns
                self._put((cut,), received_ns)
            if packet.n_events:
                self.capture.clock.note(*packet.ends_us, received_ns)
                self._arrived_ns, self._came = received_ns, time.monotonic()
            self._end_work()

    def finish(self, error: BaseException | None) -> None:
        """See `Counter`."""
        with self._changed:
            if not self._closed:
                self._since = time.perf_counter_ns()
                self._put(self._framer.finish(), time.monotonic_ns())
                self._end_work()
            self._ended, self._error = True, error
            self._changed.notify_all()

    def __iter__(self) -> Iterator[TimedSlice]:
        self._silence.started_ns = time.monotonic_ns()
        self.capture.start()
        while True:
            whole, ended = self._take()
            for timed in whole:
                if not self._sieve.drops(timed.cut):
                    yield timed
            if ended and not whole:
                break
        if self._error is not None and not self._closed:
            raise self._error

    def _take(self) -> tuple[list[TimedSlice], bool]:
        """The slices that wait, once there is one, and whether no other follows."""
        with self._changed:
            if not self._whole and not self._ended:
                self._changed.wait(POLL_S)
            if not self._whole and not self._ended and time.monotonic() - self._came >= POLL_S:
                self._since, now_ns = time.perf_counter_ns(), time.monotonic_ns()
                self._put(self._silence.slices(now_ns), now_ns)
                self._end_work()
            whole = list(self._whole)
            self._whole.clear()
            return whole, self._ended

    def _put(self, cuts: Iterable[FramedSlice], closed_ns: int) -> None:
        """Slices that were whole at that time, for whoever iterates."""
        for cut in cuts:
            now = time.perf_counter_ns()
            spent_us = (self._spent_ns + now - self._since) / 1000 - cut.frame_us
            self._spent_ns, self._since = 0, now
            received_ns = self._arrived_ns if cut.n_events else closed_ns
            self.slices += 1
            self.events = self._framer.events
            self._whole.append(TimedSlice(cut, received_ns, closed_ns, spent_us, self.refused))
            if len(self._whole) > max(1, MOST_BYTES // cut.nbytes):
                self._on_drop(self._whole.popleft().cut)
            self._changed.notify_all()

    def _end_work(self) -> None:
        self.events = self._framer.events
        self._spent_ns += time.perf_counter_ns() - self._since
        self.busy_since = 0.0
