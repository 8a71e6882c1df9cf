"""The sink behind `--out zmq://...`: predictions as messages of saccade/1."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from saccade.engines.labels import LabelBank
from saccade.stream.headers import Dropped, EmbeddingHeader, LabelHeader, VocabularyHeader
from saccade.stream.heartbeat import Heartbeat
from saccade.stream.keys import ServerKeys
from saccade.stream.pipeline import Pipeline
from saccade.stream.prediction import Prediction
from saccade.stream.publisher import Publisher
from saccade.stream.wire import encode

#: A recording can be over in milliseconds: a subscriber that was already waiting gets this long
#: from the bind to be connected. It tries again every 100 ms by ZeroMQ's default.
SETTLE_S = 0.3
#: What a label header has besides labels and groups, at most.
REST_BYTES = 2048


def fitting(ns: int) -> int:
    """A number of nanoseconds in 64 bits: a damaged stamp may be further off than they say."""
    return max(ns, -(1 << 63))


class Publishing:
    """Publishes labels, embeddings, the vocabulary and a status once a second."""

    def __init__(
        self,
        uri: str,
        stream: str,
        run: str,
        wait_for: int = 0,
        keys: ServerKeys | None = None,
        insecure_no_auth: bool = False,
        beside: Publishing | None = None,
    ) -> None:
        """Binds at once, so that subscribers connect while the model loads.

        Args:
            uri: where to bind.
            stream: the stream's name in topics.
            run: the run's ULID.
            wait_for: subscribers to wait for before the first slice, however long that takes.
            keys, insecure_no_auth: see `Publisher`.
            beside: that of another stream on the same address.

        Raises:
            SaccadeError: a bad address, a port in use, a bind off loopback without keys.
        """
        self._publisher = Publisher(
            uri,
            stream,
            run,
            keys=keys,
            insecure_no_auth=insecure_no_auth,
            beside=beside._publisher if beside else None,
        )
        self.where = self._publisher.address
        self._bound = time.monotonic()
        self._wait_for = wait_for
        self._pipeline: Pipeline | None = None
        self._rev = 0  # of the vocabulary sent last

    def start(self, pipeline: Pipeline) -> None:
        """Announces the vocabulary, then waits for subscribers."""
        self._pipeline = pipeline
        pipeline.words.guard(self._refuse_long)
        now = pipeline.words.now
        self._publish_words(now.rev, now.bank)
        self._publisher.status = Heartbeat(pipeline, self._bound)
        if self._wait_for:
            self._publisher.wait_for_subscriber(None, self._wait_for)
        else:
            left = self._bound + SETTLE_S - time.monotonic()
            self._publisher.wait_for_subscriber(max(0.0, left))

    def write(self, prediction: Prediction) -> None:
        """Sends the labels, and the embedding; before, the words where they are others now."""
        assert self._pipeline is not None
        manifest = self._pipeline.model.manifest
        timing = prediction.timing
        if prediction.vocabulary_rev != self._rev:
            self._publish_words(prediction.vocabulary_rev, prediction.bank)
        common: dict[str, Any] = {
            "t_begin_us": prediction.t_begin_us,
            "t_end_us": prediction.t_end_us,
            "received_ns": timing.received_ns,
            "clock_offset_ns": fitting(timing.received_ns - prediction.t_last_us * 1000),
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
            LabelHeader(
                **common,
                vocabulary_rev=prediction.vocabulary_rev,
                labels=list(prediction.labels),
                scores=list(prediction.scores),
                groups=list(prediction.groups),
                group_scores=list(prediction.group_scores),
            )
        )
        self._publisher.publish_embedding(EmbeddingHeader(**common), prediction.embedding)

    def _publish_words(self, rev: int, bank: LabelBank) -> None:
        self._rev = rev
        self._publisher.publish_vocabulary(self._vocabulary(rev, bank))

    def _vocabulary(self, rev: int, bank: LabelBank) -> VocabularyHeader:
        assert self._pipeline is not None
        manifest, scoring = self._pipeline.model.manifest, self._pipeline.words.scoring
        return VocabularyHeader(
            rev=rev,
            labels=list(bank.names),
            scores=scoring.kind,
            unknown=scoring.unknown,
            groups={group: list(names) for group, names in bank.groups.items()},
            space=manifest.embedding.space,
            model=manifest.name,
            model_sha=manifest.sha256,
        )

    def _refuse_long(self, bank: LabelBank) -> None:
        """Refuses words that no message can hold, before they are in use."""
        assert self._pipeline is not None
        most = self._pipeline.words.scoring.top
        labels, groups = (
            sorted(names, key=lambda name: len(name.encode()), reverse=True)[:most]
            for names in (bank.names, (*bank.groups, *bank.names) if bank.groups else ())
        )
        longest = LabelHeader(
            labels=labels,
            scores=[0.0] * len(labels),
            groups=groups,
            group_scores=[0.0] * len(groups),
            model="-" * REST_BYTES,  # in place of all that does not depend on the words
        )
        big = 1 << 63  # what the publisher stamps is not longer than this
        stamp: dict[str, Any] = {"stream": "-" * 64, "run": "-" * 26, "seq": big}
        for header in (self._vocabulary(big, bank), longest):
            encode(msgspec.structs.replace(header, published_ns=big, **stamp))

    def close(self) -> None:
        """Sends the last status and closes the socket."""
        self._publisher.close()
