"""Labels of an engine's runs by the words in use: on its device where that can score them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.slicing import Window
from saccade.engines.engine import Engine, LabellingEngine
from saccade.stream.live_words import LiveWords, Ranked, Ranker, Revision, Scoring


class Labelling:
    """The labels of one stream. `prepare`, run the engine, then call it for each frame in order."""

    def __init__(self, engine: Engine, words: LiveWords) -> None:
        """Labels by `words`; `engine` gives them where it can score, else its embeddings do."""
        self._engine = engine if isinstance(engine, LabellingEngine) else None
        self._words, self._ranker = words, Ranker(words)
        self._given: Revision | None = None  # what the engine has
        self._by_engine: Revision | None = None  # what it scores this slice by

    def prepare(self) -> None:
        """Takes up the words in use: the engine is given those that it can score.

        Raises:
            SaccadeError: they do not fit its memory.
        """
        words = self._words.now
        self._by_engine = None
        if self._engine is None or not is_plain(words, self._words.scoring):
            return
        if words is not self._given:
            scale = self._words.model.manifest.embedding.scale
            self._engine.set_bank(words.bank.embeddings, scale, self._words.scoring.top)
            self._given = words
        self._by_engine = words

    def __call__(self, embedding: NDArray[np.float32], cut: Window, row: int = 0) -> Ranked:
        """The labels of frame `row` of the last run, which is that of slice `cut`."""
        words = self._by_engine
        if words is None or self._engine is None:
            return self._ranker(embedding, cut.t_end_us, empty=not cut.n_events)
        rows, scores = self._engine.best
        labels = tuple(words.bank.names[int(best)] for best in rows[row])
        return Ranked(words, labels, tuple(map(float, scores[row])))


def is_plain(words: Revision, scoring: Scoring) -> bool:
    """Whether labels are no more than the best softmax over the rows: what a device scores."""
    return (
        scoring.kind == "softmax"
        and scoring.unknown is None
        and scoring.smooth_us is None
        and scoring.top <= _native.max_top
        and not words.bank.groups
        and words.bank.cache is None
        and len(words.bank.rows) == len(words.bank.names)
    )
