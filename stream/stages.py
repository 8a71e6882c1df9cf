"""The pipeline's work on a slice: a frame, then an embedding and its labels; without threads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from saccade.camera.frames import FrameMaker
from saccade.camera.fused import FramedSlice
from saccade.engines.engine import Engine
from saccade.engines.labels import LabelScorer
from saccade.stream.prediction import Encoded, Framed
from saccade.stream.replay import TimedSlice


def make_frames(maker: FrameMaker, slices: Iterable[TimedSlice]) -> Iterator[Framed]:
    """The frame of each slice, which some have already."""
    for timed in slices:
        if isinstance(timed.cut, FramedSlice):
            yield Framed(timed, timed.cut.frame, timed.cut.frame_us)
            continue
        started = time.perf_counter_ns()
        frame = maker.make(timed.cut.packets)
        yield Framed(timed, frame, (time.perf_counter_ns() - started) / 1000)


def encode(engine: Engine, scorer: LabelScorer, frames: Iterable[Framed]) -> Iterator[Encoded]:
    """The embedding of each frame, and its best labels."""
    for framed in frames:
        started = time.perf_counter_ns()
        engine.input[0] = framed.frame  # copied to each channel
        engine.run(1)
        embedding = engine.output[0].copy()
        encode_us = (time.perf_counter_ns() - started) / 1000
        labels, scores = scorer(embedding)
        label_us = (time.perf_counter_ns() - started) / 1000 - encode_us
        yield Encoded(framed, embedding, labels, scores, encode_us, label_us)
