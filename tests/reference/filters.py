"""The event filters in plain Python, one event after the other: what the native pass must equal."""

from __future__ import annotations

LEARN_US = 1_000_000
HOT_EVENTS, HOT_TIMES = 50, 10
REASONS = ("roi", "polarity", "hot", "refractory", "background")


class EventFilter:
    """Settings as `FilterSpec`'s; `hot` is a set of (x, y), or "learn"."""

    def __init__(
        self, width, height, roi=None, polarity="both", hot=(), refractory=None, background=None
    ):
        self.width, self.height = width, height
        self.roi = roi or (0, 0, width, height)
        self.polarity = polarity
        self.learning = hot == "learn"
        self.hot = set() if self.learning else set(hot)
        self.refractory, self.background = refractory, background
        self.first = None
        self.counts = {}
        self.times = {}  # (x, y): when it last had an event that came to the background filter
        self.removed = dict.fromkeys(REASONS, 0)

    def keep(self, t, x, y, on):
        """Whether the event passes."""
        self._learn(t, x, y)
        reason = self._reason(t, x, y, on)
        if reason:
            self.removed[reason] += 1
        return reason is None

    def _learn(self, t, x, y):
        if not self.learning:
            return
        self.first = t if self.first is None else self.first
        if abs(t - self.first) >= LEARN_US:
            self.learning = False
            self.hot = self.hot_pixels()
        elif x < self.width and y < self.height:
            self.counts[x, y] = self.counts.get((x, y), 0) + 1

    def hot_pixels(self):
        """The set of (x, y) that the counts say are hot."""
        if not self.counts:
            return self.hot
        hot = set()
        for (x, y), n in self.counts.items():
            around = sorted([0, 0, *(self.counts.get(p, 0) for p in self._around(x, y))])
            if n >= HOT_EVENTS and n > HOT_TIMES * around[-2]:
                hot.add((x, y))
        return hot

    def _around(self, x, y):
        return [
            (x + dx, y + dy)
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            if (dx or dy) and 0 <= x + dx < self.width and 0 <= y + dy < self.height
        ]

    def _reason(self, t, x, y, on):
        left, top, columns, rows = self.roi
        if not (left <= x < left + columns and top <= y < top + rows):
            return "roi"
        if self.polarity != "both" and on != (self.polarity == "on"):
            return "polarity"
        if (x, y) in self.hot:
            return "hot"
        if self.refractory and self._near(t, (x, y), self.refractory):
            return "refractory"
        self.times[x, y] = t
        around = self._around(x, y)
        if self.background and not any(self._near(t, p, self.background) for p in around):
            return "background"
        return None

    def _near(self, t, pixel, period):
        return pixel in self.times and abs(t - self.times[pixel]) < period


def keep(packet, filter):
    """bool per event of the packet."""
    columns = (packet.t.tolist(), packet.x.tolist(), packet.y.tolist(), packet.on.tolist())
    return [filter.keep(*event) for event in zip(*columns, strict=True)]
