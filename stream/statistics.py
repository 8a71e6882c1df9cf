"""The accounts of a run: every event published or dropped by a named stage, and latencies."""

from __future__ import annotations

import bisect
import math
import threading

import msgspec

#: Stages that can lose events: the source (events that the decoder refused, such as outside the
#: sensor), the queues between stages (whole slices dropped when a stage fell behind or the run was
#: broken off), the slicer (events between strided windows), and publishing (labels of slices that
#: no sink took).
STAGES = ("source", "queue", "slice", "publish")


class LatencySummary(msgspec.Struct, frozen=True):
    """Percentiles in microseconds; 0 where nothing was measured."""

    p50: float
    p90: float
    p99: float
    max: float


class Summary(msgspec.Struct, frozen=True):
    """What a run did. events_in = events_published + sum of dropped, exactly."""

    events_in: int
    events_published: int
    dropped: dict[str, int]
    slices: int
    labels: int
    latency_us: LatencySummary
    seconds: float


class Latencies:
    """A histogram with buckets 0.5 % wide, so that a run of any length keeps its percentiles."""

    _GROWTH = math.log(1.005)

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._n = 0
        self._max = 0.0

    def add(self, latency_us: float) -> None:
        """Counts one latency in microseconds."""
        bucket = math.ceil(math.log(max(latency_us, 1.0)) / self._GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._n += 1
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
    published once if any published slice holds them, dropped by the queue if only
    dropped slices do, dropped by the slicer if no slice does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._high = 0  # every event before this index is accounted for
        self._lost: list[tuple[int, int]] = []  # dropped slices not yet settled, in order
        self._latest = 0  # events that the last publication added
        self.published = 0
        self.dropped: dict[str, int] = dict.fromkeys(STAGES, 0)

    def drop(self, first: int, last: int) -> None:
        """A whole slice [first, last) was dropped by a queue, whichever."""
        with self._lock:
            bisect.insort(self._lost, (first, last))

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
        queued, covered = 0, self._high
        while self._lost and self._lost[0][0] < until:
            first, last = self._lost.pop(0)
            begin, end = max(first, covered), min(last, until)
            if end > begin:
                queued += end - begin
                covered = end
            if last > until:
                bisect.insort(self._lost, (until, last))
        self.dropped["queue"] += queued
        self.dropped["slice"] += until - self._high - queued
        self._high = until
