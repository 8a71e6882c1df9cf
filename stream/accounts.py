"""The accounts of one pass: what became of each event, what was labelled, and how long it took."""

from __future__ import annotations

import time

from saccade.camera.slicing import Window
from saccade.stream.prediction import Encoded, Prediction
from saccade.stream.replay import SliceSource
from saccade.stream.stages import predict
from saccade.stream.statistics import Latencies, Ledger, Summary


class Accounts:
    """Of a pass over `source`, once there is one.

    Attributes:
        latencies: event to label, of each prediction.
        started, ended: `time.monotonic()`; 0.0 before.
    """

    def __init__(self) -> None:
        self.latencies = Latencies()
        self.started = self.ended = 0.0
        self._ledger, self._labelled = Ledger(), 0

    def predict(self, seq: int, encoded: Encoded) -> Prediction:
        """The prediction of a slice, which counts as published."""
        prediction = predict(seq, encoded, self._ledger)
        self.latencies.add(prediction.timing.latency_us)
        self._labelled += 1
        return prediction

    def over_rate(self, cut: Window) -> None:
        """A whole slice was beyond the limit to the rate."""
        self._ledger.drop(cut.first, cut.last, "rate")

    def behind(self, cut: Window) -> None:
        """A whole slice was dropped where something fell behind."""
        self._ledger.drop(cut.first, cut.last)

    def lose_latest(self) -> None:
        """Nobody took the latest prediction: its events were dropped, not published."""
        self._ledger.lose_latest()
        self._labelled -= 1

    def close(self, source: SliceSource, exhausted: bool) -> None:
        """It is over; `exhausted` says that every slice came to its end."""
        if not exhausted:  # what is neither published nor known as dropped was on its way
            self._ledger.drop(0, source.events)
        self._ledger.close(source.events)
        self.ended = time.monotonic()

    def summary(self, source: SliceSource, saturated: int) -> Summary:
        """See `Pipeline.summary`; `saturated` events met a full counter."""
        published, dropped = self._ledger.snapshot()  # before events_in, which only grows
        filtered, refused = source.filtered, source.refused
        dropped |= {stage: dropped[stage] + n for stage, n in refused.items()}
        ended = self.ended or time.monotonic()
        return Summary(
            events_in=source.events + sum(refused.values()),
            events_published=published,
            dropped=dropped,
            slices=source.slices,
            labels=self._labelled,
            latency_us=self.latencies.summary(),
            seconds=round(ended - self.started, 6) if self.started else 0.0,
            filtered=filtered,
            saturated=saturated,
        )
