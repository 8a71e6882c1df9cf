"""The headers of saccade/1 as msgspec structs: what a subscriber in any language can rely on.

A field never changes its meaning and unknown ones are ignored; a breaking change is a new `v`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

MAX_HEADER_BYTES = 64 * 1024
MAX_BLOB_BYTES = 16 * 1024 * 1024

Count: TypeAlias = Annotated[int, Meta(ge=0)]


class Dropped(Struct, frozen=True, kw_only=True):
    """Events lost since the run began (cumulative), by the stage that lost them.

    Attributes:
        source: refused by the decoder or the camera.
        filter: removed by the event filters, as was asked for.
        queue: in slices that were dropped because a later stage fell behind.
        slice: between two strided windows, in no slice.
        rate: in slices beyond the limit to the rate of events.
        publish: in slices whose labels no sink took.
    """

    source: Count = 0
    filter: Count = 0
    queue: Count = 0
    slice: Count = 0
    rate: Count = 0
    publish: Count = 0


class Blob(Struct, frozen=True, kw_only=True):
    """How to read one raw part: numpy's dtype string, shape, and the codec (only "raw")."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    dtype: str
    shape: Annotated[tuple[Annotated[int, Meta(ge=0, le=MAX_BLOB_BYTES)], ...], Meta(max_length=8)]
    codec: str = "raw"


class Header(Struct, frozen=True, kw_only=True):
    """What every header has. The publisher stamps `stream`, `run`, `seq` and `published_ns`.

    Attributes:
        v: the protocol's version; a breaking change is a new one.
        run: the ULID of the publisher's run; a new run starts `seq` again.
        seq: number of this message in its topic, from 0.
        published_ns: the publisher's monotonic clock when it was sent, ns.
        blobs: descriptions of the parts after the header, in their order.
    """

    v: Literal[1] = 1
    stream: str = ""
    run: str = ""
    seq: Count = 0
    published_ns: Count = 0
    blobs: list[Blob] = msgspec.field(default_factory=list[Blob])


class ResultHeader(Header, frozen=True, kw_only=True):
    """What labels and embeddings share: which events, when, by which model.

    Attributes:
        t_begin_us, t_end_us: the slice on the sensor's clock, us.
        received_ns: arrival of the slice's last event, monotonic clock, ns.
        clock_offset_ns: monotonic clock minus sensor clock, ns.
        n_events: events of the slice. Slices go on at the same rate without any: what an empty one
            has for labels says nothing.
        width, height: the sensor, pixels.
        space: name of the embedding space.
        stage_us: time spent in each stage, us.
    """

    t_begin_us: int = 0
    t_end_us: int = 0
    received_ns: Count = 0
    clock_offset_ns: int = 0
    n_events: Count = 0
    width: Count = 0
    height: Count = 0
    dropped: Dropped = Dropped()
    model: str = ""
    model_sha: str = ""
    space: str = ""
    stage_us: dict[str, float] = msgspec.field(default_factory=dict[str, float])


class LabelHeader(ResultHeader, frozen=True, kw_only=True):
    """The labels of one slice, best first; `scores` has one number for each of them.

    Attributes:
        vocabulary_rev: `rev` of the vocabulary that all of its labels are of. That vocabulary was
            sent before this message, and never falls within a run.
        labels: names of the vocabulary, or first "unknown" where its threshold says so.
        groups, group_scores: the best groups, where the vocabulary has groups.
    """

    type: Literal["label"] = "label"
    vocabulary_rev: Count = 0
    labels: list[str] = msgspec.field(default_factory=list[str])
    scores: list[float] = msgspec.field(default_factory=list[float])
    groups: list[str] = msgspec.field(default_factory=list[str])
    group_scores: list[float] = msgspec.field(default_factory=list[float])


class EmbeddingHeader(ResultHeader, frozen=True, kw_only=True):
    """The embedding of one slice: a blob named "embedding", float32 [N, D]."""

    type: Literal["embedding"] = "embedding"


class StatusHeader(Header, frozen=True, kw_only=True):
    """The application's heartbeat, once a second; `state` is "ended" in a run's last one.

    Attributes:
        events_in: events that the source gave, those that it dropped included.
        events_pending: events read that are neither published nor dropped yet:
            events_in = events_published + all of dropped + events_pending at every status.
        slices: slices cut.
        labels: messages sent on `label/` in this run, counted and stamped by the publisher: a
            subscriber that has seen fewer has lost the others.
        rate_eps: events per second lately.
        backlog: slices waiting between two stages.
        backlog_bytes: memory of those that wait for a frame, and of a live source's ring.
        budget_us: a slice that is older and not the newest is dropped, us; 0 where all are kept.
        delay_us: latency of the last result, from the slice's last event to its labels, us.
        jitter_us: mean change of the delay between arrival and the sensor's clock, us.
        on_share: of the events lately, how many were ON (0 to 1); None where that is not known.
        cpu: processor time that the process took lately: 1.0 is one core.
        stuck: the stage that has worked on one slice for more than 2 s; "" where none has.
        outages, outage_s: how often a live source was lost, and for how long in all, s.
        notes: what a person should look at, such as "no events: lens cap? biases?".
        recording: how the recording made of a live source goes; "" without one.
        uptime_s: since the publisher was opened, s.
        engine: what encodes, at which precision, and why it was chosen.
        frames: where frames are made, "cpu" or "cuda", and why.
    """

    type: Literal["status"] = "status"
    state: str = "running"
    events_in: Count = 0
    events_published: Count = 0
    events_pending: Count = 0
    slices: Count = 0
    labels: Count = 0
    dropped: Dropped = Dropped()
    rate_eps: float = 0.0
    backlog: Count = 0
    backlog_bytes: Count = 0
    budget_us: Count = 0
    delay_us: float = 0.0
    jitter_us: float = 0.0
    on_share: float | None = None
    cpu: float = 0.0
    stuck: str = ""
    outages: Count = 0
    outage_s: float = 0.0
    notes: list[str] = msgspec.field(default_factory=list[str])
    recording: str = ""
    uptime_s: float = 0.0
    engine: str = ""
    frames: str = ""


class VocabularyHeader(Header, frozen=True, kw_only=True):
    """All the labels there are to choose from, sent at the start and after each change.

    Attributes:
        rev: `vocabulary_rev` in the label headers. A revision that scored no slice is not sent.
        scores: what scores are: "softmax", probabilities over these labels, "cosine", or "votes",
            the share of the last slices in which the label was the best.
        unknown: a best score below this made "unknown" the first label; None for no threshold.
        groups: names of labels by the name of their group.
    """

    type: Literal["vocabulary"] = "vocabulary"
    rev: Count = 0
    labels: list[str] = msgspec.field(default_factory=list[str])
    scores: str = "softmax"
    unknown: float | None = None
    groups: dict[str, list[str]] = msgspec.field(default_factory=dict[str, list[str]])
    space: str = ""
    model: str = ""
    model_sha: str = ""


AnyHeader: TypeAlias = LabelHeader | EmbeddingHeader | StatusHeader | VocabularyHeader
