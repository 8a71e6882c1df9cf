"""The accounts of a run: every event published or dropped by a named stage, and latencies."""

from __future__ import annotations

import math
import threading

import msgspec

#: Stages that can lose events: the source (events that the decoder refused, such as outside the
#: sensor), the event filters, the queues between stages (whole slices dropped when a stage fell
#: behind or the run was broken off), the slicer (events between strided windows), the limit to the
#: rate (whole slices beyond it), and publishing (labels of slices that no sink took).
STAGES = ("source", "filter", "queue", "slice", "rate", "publish")
#: Of those, what the user asked for: no loss.
ASKED_FOR = ("filter", "slice")
#: Dropped slices are joined to ranges from so many on.
MOST_RANGES = 256


class LatencySummary(msgspec.Struct, frozen=True):
    """Percentiles in microseconds; 0 where nothing was measured."""

    p50: float
    p90: float
    p99: float
    max: float


class Summary(msgspec.Struct, frozen=True):
    """What a run did. events_in = events_published + sum of dropped, exactly.

    `filtered` is dropped["filter"] by the filter that removed the events; empty without filters.
    `saturated` counts events that are in no frame for their pixel's counter was full (65,535).
    """

    events_in: int
    events_published: int
    dropped: dict[str, int]
    slices: int
    labels: int
    latency_us: LatencySummary
    seconds: float
    filtered: dict[str, int] = {}
    saturated: int = 0

    @property
    def events_lost(self) -> int:
        """Events dropped without having been asked for: neither filtered nor between windows."""
        return sum(n for stage, n in self.dropped.items() if stage not in ASKED_FOR)


class Latencies:
    """A histogram with buckets 0.5 % wide, so that a run of any length keeps its percentiles.

    Attributes:
        last_us: the latency that was counted last, microseconds.
    """

    _GROWTH = math.log(1.005)

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._n = 0
        self._max = 0.0
        self.last_us = 0.0

    def add(self, latency_us: float) -> None:
        """Counts one latency in microseconds."""
        bucket = math.ceil(math.log(max(latency_us, 1.0)) / self._GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._n += 1
        self.last_us = latency_us
        self._max = max(self._max, latency_us)

    def percentile(self, share: float) -> float:
        """The latency that `share` (0..1) of all stayed within, to 0.5 %."""
        wanted = math.ceil(share * self._n)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= wanted:
                return min(math.exp(bucket * self._GROWTH), self._max)
        return 0.0

    def summary(self) -> LatencySummary:
        """p50, p90, p99 and the maximum, rounded to 0.1 us."""
        p50, p90, p99 = (round(self.percentile(share), 1) for share in (0.5, 0.9, 0.99))
        return LatencySummary(p50, p90, p99, round(self._max, 1))


class Ledger:
    """Where each event went, by its index in the stream; thread-safe.

    Slices may overlap or leave gaps (strides), so events are counted by ranges of indices:
    published once if any published slice holds them, dropped if only dropped slices do (by the
    limit to the rate if any of these fell to it, else by the queue), dropped by the slicer if no
    slice does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._high = 0  # every event before this index is accounted for
        # Dropped slices not yet settled, by who dropped them.
        self._lost: dict[str, list[tuple[int, int]]] = {"rate": [], "queue": []}
        self._latest = 0  # events that the last publication added
        self.published = 0
        self.dropped: dict[str, int] = dict.fromkeys(STAGES, 0)

    def drop(self, first: int, last: int, stage: str = "queue") -> None:
        """A whole slice [first, last) was dropped by a queue, whichever, or by the "rate"."""
        if first == last:
            return
        with self._lock:
            ranges = self._lost[stage]
            ranges.append((first, last))
            if len(ranges) > MOST_RANGES:  # an engine that hangs drops slices for hours
                ranges[:] = _joined(ranges)

    def publish(self, first: int, last: int) -> dict[str, int]:
        """A slice [first, last) was published; gives the cumulative drops."""
        with self._lock:
            self._settle(first)
            self._latest = max(0, last - max(first, self._high))
            self.published += self._latest
            self._high = max(self._high, last)
            return dict(self.dropped)

    def lose_latest(self) -> None:
        """The slice published last was taken by nobody after all: a sink failed."""
        with self._lock:
            self.published -= self._latest
            self.dropped["publish"] += self._latest
            self._latest = 0

    def snapshot(self) -> tuple[int, dict[str, int]]:
        """Events published and dropped so far, of one moment."""
        with self._lock:
            return self.published, dict(self.dropped)

    def close(self, events: int) -> None:
        """The stream ended after `events` events: those still unaccounted for were dropped."""
        with self._lock:
            self._settle(events)
            self._high = max(self._high, events)

    def _settle(self, until: int) -> None:
        """Accounts for the events [_high, until), which no published slice will hold."""
        if until <= self._high:
            return
        rate, queue = self._lost["rate"], self._lost["queue"]
        limited = _length(rate, self._high, until)
        lost = _length(rate + queue, self._high, until)
        self.dropped["rate"] += limited
        self.dropped["queue"] += lost - limited
        self.dropped["slice"] += until - self._high - lost
        for ranges in (rate, queue):
            ranges[:] = [(first, last) for first, last in ranges if last > until]
        self._high = until


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same indices, in ranges that do not touch."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return joined


def _length(ranges: list[tuple[int, int]], begin: int, end: int) -> int:
    """How many indices of [begin, end) lie in one of these ranges, or in more."""
    total, covered = 0, begin
    for first, last in sorted(ranges):
        total += max(0, min(last, end) - max(first, covered))
        covered = max(covered, min(last, end))
    return total
