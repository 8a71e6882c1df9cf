"""The sink behind `--out zmq://...`: predictions as messages of saccade/1."""

from __future__ import annotations

import time
from typing import Any

from saccade.stream.headers import (
    Dropped,
    EmbeddingHeader,
    LabelHeader,
    StatusHeader,
    VocabularyHeader,
)
from saccade.stream.pipeline import Pipeline
from saccade.stream.prediction import Prediction
from saccade.stream.publisher import Publisher

#: A recording can be over in milliseconds: a subscriber that was already waiting gets this long
#: from the bind to be connected. It tries again every 100 ms by ZeroMQ's default.
SETTLE_S = 0.3


class Publishing:
    """Publishes labels, embeddings, the vocabulary and a status once a second."""

    def __init__(self, uri: str, stream: str, run: str, wait_for: int = 0) -> None:
        """Binds at once, so that subscribers connect while the model loads.

        Args:
            uri: where to bind.
            stream: the stream's name in topics.
            run: the run's ULID.
            wait_for: subscribers to wait for before the first slice, however long that takes.

        Raises:
            SaccadeError: a bad address, a port in use, a bind off loopback.
        """
        self._publisher = Publisher(uri, stream, run)
        self.where = self._publisher.address
        self._bound = time.monotonic()
        self._wait_for = wait_for
        self._pipeline: Pipeline | None = None
        self._rate = 0.0
        self._before = (0.0, 0)
        self._delay_us = 0.0

    def start(self, pipeline: Pipeline) -> None:
        """Announces the vocabulary, then waits for subscribers."""
        self._pipeline = pipeline
        manifest = pipeline.model.manifest
        self._publisher.publish_vocabulary(
            VocabularyHeader(
                rev=0,
                labels=list(pipeline.bank.names),
                space=manifest.embedding.space,
                model=manifest.name,
                model_sha=manifest.sha256,
            )
        )
        self._publisher.status = self._status
        if self._wait_for:
            self._publisher.wait_for_subscriber(None, self._wait_for)
        else:
            left = self._bound + SETTLE_S - time.monotonic()
            self._publisher.wait_for_subscriber(max(0.0, left))

    def write(self, prediction: Prediction) -> None:
        """Sends the labels, and the embedding where somebody may want it."""
        assert self._pipeline is not None
        manifest = self._pipeline.model.manifest
        timing = prediction.timing
        self._delay_us = timing.latency_us
        common: dict[str, Any] = {
            "t_begin_us": prediction.t_begin_us,
            "t_end_us": prediction.t_end_us,
            "received_ns": timing.received_ns,
            "clock_offset_ns": timing.received_ns - prediction.t_last_us * 1000,
            "n_events": prediction.n_events,
            "width": self._pipeline.recording.width,
            "height": self._pipeline.recording.height,
            "dropped": Dropped(**prediction.dropped),
            "model": manifest.name,
            "model_sha": manifest.sha256,
            "space": manifest.embedding.space,
            "stage_us": timing.stage_us,
        }
        self._publisher.publish_label(
            LabelHeader(**common, labels=list(prediction.labels), scores=list(prediction.scores))
        )
        self._publisher.publish_embedding(EmbeddingHeader(**common), prediction.embedding)

    def _status(self) -> StatusHeader:
        assert self._pipeline is not None
        summary = self._pipeline.summary
        now, (then, events) = time.monotonic(), self._before
        if then and now > then:
            self._rate = (summary.events_in - events) / (now - then)
        self._before = now, summary.events_in
        return StatusHeader(
            events_in=summary.events_in,
            events_published=summary.events_published,
            slices=summary.slices,
            dropped=Dropped(**summary.dropped),
            events_pending=summary.events_in
            - summary.events_published
            - sum(summary.dropped.values()),
            rate_eps=self._rate,
            backlog=self._pipeline.backlog,
            delay_us=self._delay_us,
            uptime_s=now - self._bound,
            engine=self._pipeline.engine_note,
        )

    def close(self) -> None:
        """Sends the last status and closes the socket."""
        self._publisher.close()
