"""The pipeline's work on a slice: frame, embedding, labels, prediction; without threads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from saccade.camera.frames import FrameMaker
from saccade.camera.fused import FramedSlice
from saccade.camera.word_slices import WordSlice
from saccade.engines.engine import Engine
from saccade.stream.batching import BatchSizes
from saccade.stream.labelling import Labelling
from saccade.stream.live_words import LiveWords
from saccade.stream.prediction import Encoded, Framed, Prediction, Timing
from saccade.stream.prefetch import Prefetch
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


class _Buffers:
    """An engine's buffers by rows, copied without letting go of the GIL.

    numpy lets go of it to copy more than 500 numbers: the thread that makes frames has just been
    woken, and would hold it for longer than a copy takes.
    """

    def __init__(self, engine: Engine) -> None:
        self._input = engine.input
        # An engine of 16 bits rounds, which is numpy's to do.
        same = engine.input.dtype == np.float32
        self._channels = [
            [channel.data.cast("B") for channel in row] if same else [] for row in engine.input
        ]
        self._output = [row.data for row in engine.output]
        self._spare = [np.empty_like(row) for row in engine.output]

    def write(self, row: int, frame: NDArray[np.float32]) -> None:
        """Puts a frame, float32 [size, size], into each channel of a row."""
        if not self._channels[row]:
            self._input[row] = frame
            return
        data = frame.data.cast("B")
        for channel in self._channels[row]:
            channel[:] = data

    def read(self, row: int) -> NDArray[np.float32]:
        """A copy of the embedding in a row, float32 [dimension]; once before the next `renew`."""
        embedding = self._spare[row]
        embedding.data[:] = self._output[row]
        return embedding

    def renew(self, n: int) -> None:
        """Makes room for the next embeddings where `n` were read: now, while no frame waits."""
        for row in range(n):
            self._spare[row] = np.empty_like(self._spare[row])


def encode(
    engine: Engine, words: LiveWords, frames: Prefetch[Framed], budget_us: int | None
) -> Iterator[Encoded]:
    """The embedding of each frame, and its best labels by the words in use.

    Where frames wait, as many are run at once as that is worth (`BatchSizes`) within the budget:
    us after leaving the source that each shall be encoded; None: one at a time, whatever waits.
    """
    label, buffers = Labelling(engine, words), _Buffers(engine)
    sizes = BatchSizes(1 if budget_us is None else len(engine.input))
    for framed in frames:
        age_us = (time.monotonic_ns() - framed.timed.left_ns) / 1000
        size = sizes.choose(1 + frames.backlog, (budget_us or 0) - age_us)
        batch = [framed, *(frames.more(size - 1) if size > 1 else ())]
        started = time.perf_counter_ns()
        label.prepare()
        for row, one in enumerate(batch):
            buffers.write(row, one.frame)
        engine.run(len(batch))
        embeddings = [buffers.read(row) for row in range(len(batch))]
        spent_us = (time.perf_counter_ns() - started) / 1000
        sizes.took(len(batch), spent_us)
        for row, (one, embedding) in enumerate(zip(batch, embeddings, strict=True)):
            started = time.perf_counter_ns()
            ranked = label(embedding, one.timed.cut, row)
            label_us = (time.perf_counter_ns() - started) / 1000
            yield Encoded(one, embedding, ranked, spent_us / len(batch), label_us)
        buffers.renew(len(batch))


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
