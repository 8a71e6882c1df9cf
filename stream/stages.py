"""The pipeline's work on a slice: frame, embedding, labels, prediction; without threads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np

from saccade.camera.frames import FrameMaker
from saccade.camera.fused import FramedSlice
from saccade.camera.word_slices import WordSlice
from saccade.engines.engine import Engine
from saccade.stream.labelling import Labelling
from saccade.stream.live_words import LiveWords
from saccade.stream.prediction import Encoded, Framed, Prediction, Timing
from saccade.stream.replay import TimedSlice
from saccade.stream.statistics import Ledger


def make_frames(maker: FrameMaker, slices: Iterable[TimedSlice]) -> Iterator[Framed]:
    """The frame of each slice, which some have already."""
    for timed in slices:
        if isinstance(timed.cut, FramedSlice):
            yield Framed(timed, timed.cut.frame, timed.cut.frame_us)
            continue
        assert not isinstance(timed.cut, WordSlice), "words are for a GPU"
        started = time.perf_counter_ns()
        frame = maker.make(timed.cut.packets)
        yield Framed(timed, frame, (time.perf_counter_ns() - started) / 1000)


def encode(engine: Engine, words: LiveWords, frames: Iterable[Framed]) -> Iterator[Encoded]:
    """The embedding of each frame, and its best labels by the words in use.

    But for the engine's run it keeps the GIL, which numpy lets go to copy more than 500 numbers:
    the thread that makes frames has just been woken, and would hold it for longer than a copy.
    """
    label = Labelling(engine, words)
    same = engine.input.dtype == np.float32  # else each number is rounded on its way
    channels = [channel.data.cast("B") for channel in engine.input[0] if same]
    output = engine.output[0].data
    embedding = np.empty_like(engine.output[0])
    for framed in frames:
        started = time.perf_counter_ns()
        label.prepare()
        if same:
            frame = framed.frame.data.cast("B")
            for channel in channels:
                channel[:] = frame
        else:
            engine.input[0] = framed.frame
        engine.run(1)
        embedding.data[:] = output
        encoded_ns = time.perf_counter_ns()
        ranked = label(embedding, framed.timed.cut.t_end_us)
        ended_ns = time.perf_counter_ns()
        encode_us, label_us = (encoded_ns - started) / 1000, (ended_ns - encoded_ns) / 1000
        yield Encoded(framed, embedding, ranked, encode_us, label_us)
        embedding = np.empty_like(embedding)  # for the next, which is not here yet


def predict(seq: int, encoded: Encoded, ledger: Ledger) -> Prediction:
    """The prediction of a slice, which is published by this: its events are accounted for."""
    framed, ranked = encoded.framed, encoded.ranked
    timed, cut = framed.timed, framed.timed.cut
    dropped = ledger.publish(cut.first, cut.last)
    dropped |= {stage: dropped[stage] + n for stage, n in timed.refused.items()}
    published_ns = time.monotonic_ns()
    stage_us = {
        "decode": timed.decode_us,
        "frame": framed.frame_us,
        "encode": encoded.encode_us,
        "label": encoded.label_us,
    }
    return Prediction(
        seq=seq,
        t_begin_us=cut.t_begin_us,
        t_end_us=cut.t_end_us,
        t_last_us=cut.t_last_us,
        n_events=cut.n_events,
        labels=ranked.labels,
        scores=ranked.scores,
        groups=ranked.groups,
        group_scores=ranked.group_scores,
        vocabulary_rev=ranked.words.rev,
        bank=ranked.words.bank,
        embedding=encoded.embedding,
        frame=framed.frame,
        dropped=dropped,
        timing=Timing(
            timed.received_ns, published_ns, (published_ns - timed.received_ns) / 1000, stage_us
        ),
    )
