"""From a live source to slices: cut by the sensor's clock as its events come."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from saccade.camera.capture import Capture, Captured
from saccade.camera.clock import SensorClock
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.filters import EventFilter
from saccade.camera.fused import FramedSlice
from saccade.camera.ring import Gap
from saccade.camera.slicing import LAST_US, Kept, Slice, Slicer, Window
from saccade.stream import chain
from saccade.stream.replay import Sieve, TimedSlice

#: How often silence is looked at, and how long after a window's end an event of it may come.
POLL_S = 0.01
GRACE_US = 20_000
#: Events that a slice being filled may hold where they are kept; one that is longer is dropped.
SLICE_BYTES = 256 << 20

T_co = TypeVar("T_co", bound=Slice | FramedSlice, covariant=True)


class Clocked(Protocol[T_co]):
    """What cuts slices, also where no event comes."""

    def advance(self, t_us: int) -> Iterator[T_co]:
        """Those that are over now that the clock has come to `t_us` without an event."""
        ...

    def blank(self, t_begin_us: int, t_end_us: int) -> T_co:
        """A slice of no events, before the first one."""
        ...


class Silence(Generic[T_co]):
    """The slices of a clock that goes on while no event comes."""

    def __init__(
        self, clock: SensorClock, cutter: Clocked[T_co], grid: tuple[int, int] | None
    ) -> None:
        """`grid`: window and stride (us); None where slices are of a number of events."""
        self._clock, self._cutter, self._grid = clock, cutter, grid
        self._blank = 0  # begin of the next window (us) before the first event
        self.started_ns = 0

    def slices(self, now_ns: int) -> Iterator[T_co]:
        """Those that are over, a grace after their end."""
        if self._grid is None:
            return
        passed_us = self._clock.passed_us(now_ns)
        if passed_us is not None:
            yield from self._cutter.advance(min(max(0, passed_us - GRACE_US), LAST_US))
            return
        window_us, stride_us = self._grid  # before the first event: a clock from 0
        elapsed_us = (now_ns - self.started_ns) // 1000 - GRACE_US
        while self._blank + window_us <= elapsed_us:
            yield self._cutter.blank(self._blank, self._blank + window_us)
            self._blank += stride_us


class KeepingCutter:
    """Slices that hold their events, for windows that overlap and for events that are filtered.

    Attributes:
        removed: events that a filter removed, by filter.
    """

    def __init__(self, slicer: Slicer, filters: EventFilter | None) -> None:
        self._slicer = slicer
        self._filters = filters
        self.removed: dict[str, int] = filters.removed if filters else {}

    def feed(self, packet: Packet) -> Iterator[Slice]:
        """The slices that a packet, or what the filters keep of it, completes."""
        kept = None
        if self._filters is not None:
            kept = Kept(*self._filters.sift(packet))
            self.removed = self._filters.removed
        return self._slicer.feed(packet, kept)

    def advance(self, t_us: int) -> Iterator[Slice]:
        """See `Clocked`."""
        return self._slicer.advance(t_us)

    def begin_anew(self) -> Iterator[Slice]:
        """The one being filled, as the clock begins anew, wherever."""
        return self._slicer.begin_anew()

    def finish(self) -> Iterator[Slice]:
        """The one being filled, at the end."""
        return self._slicer.finish()

    def blank(self, t_begin_us: int, t_end_us: int) -> Slice:
        """See `Clocked`."""
        return Slice(t_begin_us, t_end_us, 0, 0, ())

    @property
    def nbytes(self) -> int:
        """Bytes of events that it holds."""
        return self._slicer.nbytes


class LiveSlices:
    """The slices of a captured source, with their events; iterate it once, on whichever thread.

    A slice leaves when an event behind its window has come, or where none comes, a grace after the
    window: a silent scene gives empty slices at the same rate. Where events were lost in the ring,
    the slices that would lack them are dropped whole, as `queue`; so is what waits in the ring when
    a slice was cut later than the budget allows.
    """

    def __init__(
        self,
        capture: Capture,
        cutter: KeepingCutter,
        grid: tuple[int, int] | None,
        sieve: Sieve,
        on_torn: Callable[[Window], None],
    ) -> None:
        """Cuts what `capture` brings.

        Args:
            capture: started by the iteration.
            cutter: of this sensor.
            grid: window and stride (us); None where slices are of a number of events.
            sieve: its limit drops whole slices.
            on_torn: is told of each slice that lacks events.
        """
        self.capture = capture
        self.reader = capture.ring.reader()
        self._cutter, self._grid = cutter, grid
        self._silence = Silence(capture.clock, cutter, grid)
        self._sieve = sieve
        self._on_torn = on_torn
        self._too_long = 0  # events of slices that outgrew `SLICE_BYTES`
        self._gaps: list[tuple[int, Gap]] = []  # with the index of the event behind each
        self._arrivals: deque[tuple[int, int]] = deque()  # end index of a packet, its arrival (ns)
        self._closed_ns = 0  # when the slice cut last was whole
        self._outages: int = 0  # before what is cut now
        self._spent_ns = 0  # on packets that completed no slice
        self.events = self.slices = 0

    def stop(self) -> None:
        """No more is captured; what was, leaves to its last event."""
        self.capture.stop()

    def end(self) -> None:
        """It is over at once: what waits in the ring is lost, and counted."""
        self.capture.stop()
        self.reader.close()

    @property
    def nbytes(self) -> int:
        """Bytes that wait in the ring."""
        return self.reader.nbytes

    @property
    def busy_since(self) -> float:
        """See `SliceSource`."""
        return self.reader.busy_since

    @property
    def filtered(self) -> dict[str, int]:
        """Events removed by the filters, by filter."""
        return self._cutter.removed

    @property
    def refused(self) -> dict[str, int]:
        """Events that come to no slice, by the stage that refused them."""
        return {
            "source": self.capture.refused,
            "filter": sum(self.filtered.values()),
            "queue": self.reader.lost + self._too_long,
        }

    def __iter__(self) -> Iterator[TimedSlice]:
        self.capture.start()
        self._silence.started_ns = time.monotonic_ns()
        failure: SaccadeError | None = None
        while not self.reader.ended:
            try:
                item = self.reader.take(POLL_S)
            except SaccadeError as error:
                failure = error  # what came before is still sliced and labelled
                break
            yield from self._timed(self._cuts(item))
        self._closed_ns = time.monotonic_ns()
        yield from self._timed(self._cutter.finish())
        if failure is not None:
            raise failure

    def _cuts(self, item: Captured | Gap | None) -> Iterator[Slice]:
        """The slices that are over by what came, or by silence."""
        if item is None or (isinstance(item, Captured) and not item.n_events):
            self._closed_ns = time.monotonic_ns()
            return iter(()) if self.reader.ended else self._silence.slices(self._closed_ns)
        if isinstance(item, Captured) and self._cutter.nbytes > SLICE_BYTES:
            self._too_long += item.n_events
            item = Gap(*item.ends_us, item.n_events)
        if isinstance(item, Gap):
            self._gaps.append((self.events, item))
            return iter(())
        if item.outages != self._outages:
            self._outages = item.outages
            self._closed_ns = item.received_ns
            return itertools.chain(self._cutter.begin_anew(), self._fed(item))
        return self._fed(item)

    def _fed(self, item: Captured) -> Iterator[Slice]:
        """The slices that a packet completes."""
        self._closed_ns = item.received_ns
        removed = sum(self.filtered.values())
        cuts = self._cutter.feed(item.events)  # filters at once, and cuts as it is iterated
        removed -= sum(self.filtered.values())
        self.events += item.n_events + removed
        self._arrivals.append((self.events, item.received_ns))
        yield from cuts

    def _timed(self, cuts: Iterator[Slice]) -> Iterator[TimedSlice]:
        started = time.perf_counter_ns()
        for cut in cuts:
            self.slices += 1
            received_ns = self._arrival(cut)
            if self._torn(cut):
                self._on_torn(cut)
            elif not self._sieve.drops(cut):
                spent_us = (self._spent_ns + time.perf_counter_ns() - started) / 1000
                self._spent_ns = 0
                yield TimedSlice(cut, received_ns, self._closed_ns, spent_us, self.refused)
                self._catch_up()
                started = time.perf_counter_ns()
        self._spent_ns += time.perf_counter_ns() - started

    def _catch_up(self) -> None:
        """Where cutting itself is behind, the next slice begins with what comes now.

        Only between two slices: whatever the load, the one being filled becomes whole, where the
        ring holds it.
        """
        if time.monotonic_ns() - self._closed_ns > chain.BUDGET_US * 1000:
            self.reader.skip()

    def _arrival(self, cut: Slice) -> int:
        """When its last event arrived; of an empty one, when it was over."""
        while len(self._arrivals) > 1 and self._arrivals[0][0] < cut.last:
            self._arrivals.popleft()
        return self._arrivals[0][1] if cut.n_events else self._closed_ns

    def _torn(self, cut: Slice) -> bool:
        """Whether events of this slice were lost in the ring."""
        self._gaps = [(at, gap) for at, gap in self._gaps if at >= cut.first]
        return any(
            cut.first < at < cut.last
            or (
                self._grid is not None
                and at <= cut.last
                and cut.t_begin_us <= gap.to_us
                and gap.from_us < cut.t_end_us
            )
            for at, gap in self._gaps
        )
