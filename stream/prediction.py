"""What the pipeline yields, and what travels between its stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.engines.labels import LabelBank
from saccade.stream.live_words import Ranked
from saccade.stream.replay import TimedSlice


@dataclass(frozen=True, slots=True)
class Timing:
    """When it happened. Clocks are `time.monotonic_ns()`.

    Attributes:
        received_ns: arrival of the slice's last event (see `TimedSlice`).
        published_ns: when the labels were ready.
        latency_us: from the one to the other, microseconds: event to label.
        stage_us: microseconds spent in `decode`, `frame`, `encode` and `label`; waiting excluded.
            Of frames that were encoded together each has an equal share.
    """

    received_ns: int
    published_ns: int
    latency_us: float
    stage_us: dict[str, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The labels of one slice.

    Attributes:
        seq: number of the prediction, from 0.
        t_begin_us, t_end_us: the slice's window [begin, end), microseconds of the sensor's clock.
        t_last_us: time of its last event (the window's end where it has none).
        n_events: events in the slice. Where it is 0, labels are those of an empty frame, never
            steadied: slices of a live source go on at the same rate without events.
        labels: the best labels, best first; "unknown" first where a threshold says so.
        scores: their probabilities over all labels in use, or their cosines.
        groups, group_scores: the same of the words' groups; empty where they have none.
        vocabulary_rev: how often the words had been changed when they scored this slice.
        bank: those words.
        embedding: float32 [dimension], L2-normalised, in the model's space; of this slice alone,
            however labels are smoothed.
        frame: float32 [size, size], what the encoder saw; of a frame made on a GPU for an engine of
            16 bits as it was rounded there.
        dropped: events lost so far by stage: source, filter, queue, slice, rate,
            publish.
        timing: everything that differs from run to run.
    """

    seq: int
    t_begin_us: int
    t_end_us: int
    t_last_us: int
    n_events: int
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    groups: tuple[str, ...]
    group_scores: tuple[float, ...]
    vocabulary_rev: int
    bank: LabelBank
    embedding: NDArray[np.float32]
    frame: NDArray[np.float32]
    dropped: dict[str, int]
    timing: Timing


@dataclass(frozen=True, slots=True)
class Framed:
    """A slice and its frame, float32 [size, size]."""

    timed: TimedSlice
    frame: NDArray[np.float32]
    frame_us: float


@dataclass(frozen=True, slots=True)
class Encoded:
    """A frame with its embedding, float32 [dimension], and its best labels."""

    framed: Framed
    embedding: NDArray[np.float32]
    ranked: Ranked
    encode_us: float
    label_us: float
