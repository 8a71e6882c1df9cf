"""The status of a run: what the publisher sends once a second and the control socket tells."""

from __future__ import annotations

import time

from saccade.stream.headers import Dropped, StatusHeader
from saccade.stream.pipeline import Pipeline


class Heartbeat:
    """Makes the status of a pipeline when it is called, by one thread at a time."""

    def __init__(self, pipeline: Pipeline, since: float) -> None:
        """`since` is what its uptime counts from, `time.monotonic()`."""
        self._pipeline = pipeline
        self._since = since
        self._rate = 0.0
        self._before = (0.0, 0)

    def __call__(self) -> StatusHeader:
        """The status now; its rate is that since the call before."""
        summary = self._pipeline.summary
        now, (then, events) = time.monotonic(), self._before
        if then and now > then:
            self._rate = (summary.events_in - events) / (now - then)
        self._before = now, summary.events_in
        return StatusHeader(
            events_in=summary.events_in,
            events_published=summary.events_published,
            slices=summary.slices,
            labels=summary.labels,
            dropped=Dropped(**summary.dropped),
            events_pending=summary.events_in
            - summary.events_published
            - sum(summary.dropped.values()),
            rate_eps=self._rate,
            backlog=self._pipeline.backlog,
            delay_us=self._pipeline.latencies.last_us,
            uptime_s=now - self._since,
            engine=self._pipeline.engine_note,
            frames=self._pipeline.frames_note,
        )
