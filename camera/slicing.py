"""Cutting a stream of packets into slices, by time or by number of events.

Slices follow the sensor's clock and come in order. A clock that steps back a little keeps its
events in the slice being filled; one that falls by more than `rising.RESET_US`, or leaps over more
than `MAX_EMPTY_SLICES` slices, starts the grid anew (counted in `restarts`), so that a damaged
stamp can neither grow a slice without bound nor flood the encoder with empty ones.

Where a filter removes events, the clock is still that of all: windows begin, end and restart as
they would without the filter, and hold the events that it kept. Slices by count hold kept events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.rising import any_within, next_time, rising
from saccade.camera.slice_buffer import SliceBuffer

MAX_EMPTY_SLICES = 1000
#: Of a live source: its silence passes as it happens, so that an event further ahead than this is
#: of a clock that was set or damaged. Fewer empty slices, for labels would wait for them.
LIVE_LEAP_US = 2_000_000
#: Times are uint64: a window that begins just before the last of them, by a damaged stamp, is over
#: there.
LAST_US = (1 << 64) - 1


class Window(Protocol):
    """What every slice says of itself; see `Slice`."""

    @property
    def t_begin_us(self) -> int: ...
    @property
    def t_end_us(self) -> int: ...
    @property
    def t_last_us(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def n_events(self) -> int: ...
    @property
    def nbytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Slice:
    """Events of one window, as views of the packets they came in.

    Attributes:
        t_begin_us, t_end_us: the window [begin, end) in microseconds of the sensor's clock. A slice
            by count begins at its first event and ends 1 us after its last.
        first, last: indices [first, last) of its events in the stream; slices overlap where the
            stride is shorter than the window.
        packets: the events.
    """

    t_begin_us: int
    t_end_us: int
    first: int
    last: int
    packets: tuple[Packet, ...]

    def __iter__(self) -> Iterator[Packet]:
        """The packets, so that what takes packets takes a slice."""
        return iter(self.packets)

    @property
    def n_events(self) -> int:
        """Number of events in the slice."""
        return self.last - self.first

    @property
    def nbytes(self) -> int:
        """Bytes that its events take."""
        return EVENT_DTYPE.itemsize * self.n_events

    @property
    def t_last_us(self) -> int:
        """Time of the newest event; the window's end where there is none."""
        return max((int(p.t.max()) for p in self.packets if len(p)), default=self.t_end_us)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a filter left of a packet of N events.

    Attributes:
        events: those that it kept.
        flags: bool [N], True for each of them.
    """

    events: Packet
    flags: NDArray[np.bool_]

    def split(self, n: int) -> tuple[Kept, Kept]:
        """What it left of the first n events, and of those behind them."""
        m = int(np.count_nonzero(self.flags[:n]))
        return Kept(self.events[:m], self.flags[:n]), Kept(self.events[m:], self.flags[n:])


class Slicer(Protocol):
    """Takes packets in order and gives the slices that they complete."""

    restarts: int

    def feed(self, packet: Packet, kept: Kept | None = None) -> Iterator[Slice]:
        """The slices that this packet completes, of the events in `kept` where it is given."""
        ...

    def advance(self, t_us: int) -> Iterator[Slice]:
        """The slices that are over now that the clock has come to `t_us` without an event."""
        ...

    def begin_anew(self) -> Iterator[Slice]:
        """The slice being filled, as the clock of what follows begins anew, wherever."""
        ...

    def finish(self) -> Iterator[Slice]:
        """The slices that the end of the stream completes; the last may be partly filled."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of the events that later slices may still need."""
        ...


class TimeSlicer:
    """Slices [t0 + k * stride, t0 + k * stride + window), t0 being the first event's time."""

    def __init__(self, window_us: int, stride_us: int | None = None) -> None:
        """Windows of `window_us`, one every `stride_us` microseconds (the window when None).

        Raises:
            SaccadeError: one of them is not positive.
        """
        self.window_us = _positive("window", window_us, "us")
        self.stride_us = _positive("stride", window_us if stride_us is None else stride_us, "us")
        self.restarts = 0
        self.most_empty = MAX_EMPTY_SLICES
        self._buffer = SliceBuffer()
        self._begin: int | None = None
        self._newest = 0  # where the clock is
        self._event_us = 0  # where it was at the newest event
        self._first = 0  # no slice may reach back before this event: the grid began there
        self._covered_us = 0  # every event before this time has had its slices

    def feed(self, packet: Packet, kept: Kept | None = None) -> Iterator[Slice]:
        """The slices that are over now that the clock has reached this packet's last event."""
        while len(packet):
            if self._begin is None:
                self._begin = self._newest = int(packet.t[0])
            times = rising(packet.t, self._newest)
            n = len(times)
            if n:
                before, self._newest = self._newest, int(times[-1])
                self._event_us = self._newest
                if kept is None:
                    self._buffer.append(packet[:n], times)
                else:
                    inside, kept = kept.split(n)
                    own = inside.events.t if times is packet.t else times[inside.flags]
                    self._buffer.append(inside.events, own)
                yield from self._cut(times, before)
                packet = packet[n:]
            else:
                yield from self.begin_anew()

    def advance(self, t_us: int) -> Iterator[Slice]:
        """The windows that are over, empty ones included; past `MAX_EMPTY_SLICES` it leaps."""
        if self._begin is None or t_us <= self._newest:
            return
        self._newest = t_us
        empty = 0
        while self._begin + self.window_us <= t_us:
            cut = self._slice(self._begin)
            empty = 0 if cut.n_events else empty + 1
            if empty > self.most_empty:
                self.restarts += 1
                self._begin += (t_us - self._begin) // self.stride_us * self.stride_us
                return
            yield cut
            self._begin += self.stride_us

    @property
    def nbytes(self) -> int:
        """Bytes of the events that later slices may still need."""
        return self._buffer.nbytes

    def finish(self) -> Iterator[Slice]:
        """The window being filled, where an event fell into it and into no window before it."""
        if self._begin is not None and self._begin <= self._event_us:
            if self._covered_us <= self._event_us:
                yield self._slice(self._begin)
            self._begin += self.stride_us

    def limit_leaps(self, leap_us: int) -> None:
        """At most so long a time without events becomes slices, and `MAX_EMPTY_SLICES` of them."""
        self.most_empty = min(max(1, leap_us // self.stride_us), MAX_EMPTY_SLICES)

    def begin_anew(self) -> Iterator[Slice]:
        """The windows that hold events, and from the next event on others."""
        if self._begin is None:
            return
        yield from self.finish()
        self.restarts += 1
        self._begin = None
        self._covered_us = 0
        self._first = self._buffer.end
        self._buffer.discard_before(self._first)

    def _cut(self, times: NDArray[np.uint64], before_us: int) -> Iterator[Slice]:
        """The windows that the clock, from `before_us` over `times`, has left behind."""
        assert self._begin is not None
        empty = 0
        while self._begin + self.window_us <= self._newest:
            begin = self._begin
            cut = self._slice(begin)
            silent = (
                not cut.n_events
                and begin > before_us
                and not any_within(times, begin, cut.t_end_us)
            )
            empty = empty + 1 if silent else 0
            if empty > self.most_empty:
                self.restarts += 1
                strides = (next_time(times, begin + self.stride_us) - begin) // self.stride_us
                self._begin = begin + strides * self.stride_us
                empty = 0
                continue
            yield cut
            self._begin += self.stride_us

    def _slice(self, begin: int) -> Slice:
        end = begin + self.window_us
        first = max(self._buffer.index_at(begin), self._first)
        last = max(self._buffer.index_at(end), first)
        packets = self._buffer.take(first, last)
        self._covered_us = end
        self._buffer.discard_before(self._buffer.index_at(begin + self.stride_us))
        return Slice(begin, min(end, LAST_US), first, last, packets)


class CountSlicer:
    """Slices of `count` events, one every `stride` events."""

    def __init__(self, count: int, stride: int | None = None) -> None:
        """Raises SaccadeError where `count` or `stride` (`count` when None) is not positive."""
        self.count = _positive("count", count, "events")
        self.stride = _positive("stride", count if stride is None else stride, "events")
        self.restarts = 0
        self._buffer = SliceBuffer()
        self._first = 0
        self._covered = 0

    def feed(self, packet: Packet, kept: Kept | None = None) -> Iterator[Slice]:
        """The slices that this packet, or what was kept of it, fills."""
        packet = packet if kept is None else kept.events
        self._buffer.append(packet, packet.t)
        while self._first + self.count <= self._buffer.end:
            yield self._slice(self._first + self.count)

    def advance(self, t_us: int) -> Iterator[Slice]:
        """Nothing: only events fill a slice."""
        yield from ()

    def begin_anew(self) -> Iterator[Slice]:
        """Nothing: a slice of so many events may hold those of two clocks."""
        yield from ()

    @property
    def nbytes(self) -> int:
        """Bytes of the events that later slices may still need."""
        return self._buffer.nbytes

    def finish(self) -> Iterator[Slice]:
        """One last slice of the events that no slice held, fewer than `count` new ones."""
        if self._first < self._buffer.end and self._covered < self._buffer.end:
            yield self._slice(self._buffer.end)

    def _slice(self, last: int) -> Slice:
        packets = self._buffer.take(self._first, last)
        begin = min(int(p.t.min()) for p in packets)
        end = max(int(p.t.max()) for p in packets) + 1
        cut = Slice(begin, min(end, LAST_US), self._first, last, packets)
        self._covered = last
        self._first += self.stride
        self._buffer.discard_before(self._first)
        return cut


def _positive(name: str, value: int, unit: str) -> int:
    if value <= 0:
        raise SaccadeError(f"{name} {value} {unit}: must be positive")
    return value
