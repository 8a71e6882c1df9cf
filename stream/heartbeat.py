"""The status of a run: what the publisher sends once a second and the control socket tells."""

from __future__ import annotations

import time

from saccade.camera.sources.reopening import Reopening
from saccade.stream.headers import Dropped, StatusHeader
from saccade.stream.pipeline import Pipeline

QUIET_S = 1.0  # a source without an event for longer is remarked on


class Heartbeat:
    """Makes the status of a pipeline when it is called, by one thread at a time."""

    def __init__(self, pipeline: Pipeline, since: float) -> None:
        """`since` is what its uptime counts from, `time.monotonic()`."""
        self._pipeline = pipeline
        self._since = since
        self._rate = self._cpu = 0.0
        self._on_share: float | None = None
        self._before = (0.0, 0, 0.0, 0, 0)  # monotonic, events in, processor time, arrived, on

    def __call__(self) -> StatusHeader:
        """The status now; rate, share and processor time are those since the call before."""
        summary, capture = self._pipeline.summary, self._pipeline.capture
        self._compare(summary.events_in)
        recorder = capture.recorder if capture else None
        source = capture.source if capture else None
        outages = source if isinstance(source, Reopening) else None
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
            backlog_bytes=self._pipeline.backlog_bytes,
            budget_us=self._pipeline.budget_us,
            jitter_us=capture.clock.jitter_us if capture else 0.0,
            on_share=self._on_share,
            cpu=self._cpu,
            stuck=self._pipeline.stuck,
            outages=outages.outages if outages else 0,
            outage_s=outages.outage_s if outages else 0.0,
            notes=self._notes(),
            recording=recorder.text() if recorder else "",
            delay_us=self._pipeline.accounts.latencies.last_us,
            uptime_s=time.monotonic() - self._since,
            engine=self._pipeline.engine_note,
            frames=self._pipeline.frames_note,
        )

    def _compare(self, events_in: int) -> None:
        """What has changed since the call before."""
        capture = self._pipeline.capture
        arrived, on = (capture.events, capture.on) if capture else (0, 0)
        now, cpu = time.monotonic(), time.process_time()
        then, events_before, cpu_before, arrived_before, on_before = self._before
        if then and now > then:
            self._rate = (events_in - events_before) / (now - then)
            self._cpu = (cpu - cpu_before) / (now - then)
        if arrived > arrived_before:
            self._on_share = min(1.0, max(0.0, (on - on_before) / (arrived - arrived_before)))
        self._before = now, events_in, cpu, arrived, on

    def _notes(self) -> list[str]:
        capture, notes = self._pipeline.capture, list[str]()
        if stuck := self._pipeline.stuck:
            notes.append(f"stage {stuck} has not moved for 2 s although it has work")
        if capture is None:
            return notes
        if isinstance(capture.source, Reopening) and capture.source.fault:
            notes.append(capture.source.fault)
        elif capture.quiet_s > QUIET_S:
            notes.append(f"no events for {capture.quiet_s:.0f} s: lens cap? biases?")
        if losses := capture.losses:
            what = ", ".join(f"{n:,} {kind.replace('_', ' ')}" for kind, n in losses.items())
            notes.append(f"the source lost what nobody can count events of: {what}")
        if capture.recorder is not None and capture.recorder.error:
            notes.append(f"the recording ended: {capture.recorder.error}")
        return notes
