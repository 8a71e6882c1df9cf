"""The words in use, which can be changed while it runs, and what an embedding scores by them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.engines.labels import (
    ExponentialSmoothing,
    LabelBank,
    LabelScorer,
    Smoothing,
    VoteSmoothing,
    Words,
)
from saccade.engines.models import Model
from saccade.engines.scoring import Scores
from saccade.engines.templates import read_templates
from saccade.engines.vocabulary import Vocabulary

_BANK_FILE = ".safetensors"


@dataclass(frozen=True, slots=True)
class Scoring:
    """How embeddings become labels.

    Attributes:
        top: labels per prediction.
        scores: "softmax", probabilities over the words in use, or "cosine".
        unknown: a best score below this is of nothing known: "unknown" comes first.
        smooth_us: time constant of the mean over embeddings, None for none.
        vote: slices that vote on the best label, None for none.
        template: prompts that words are put into: names of sets, or texts with `{}`.
    """

    top: int = 5
    scores: Scores = "softmax"
    unknown: float | None = None
    smooth_us: int | None = None
    vote: int | None = None
    template: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What a score is: "softmax", "cosine", or with a vote "votes", a share of the slices."""
        return self.scores if self.vote is None else "votes"

    def smoothing(self) -> Smoothing:
        """What steadies the labels of one stream."""
        if self.vote is not None:
            return VoteSmoothing(self.vote)
        return _Unsmoothed() if self.smooth_us is None else ExponentialSmoothing(self.smooth_us)


class _Unsmoothed:
    """Each slice by itself."""

    def add(self, embedding: NDArray[np.float32], t_us: int) -> NDArray[np.float32]:
        return embedding

    def vote(
        self, labels: tuple[str, ...], scores: tuple[float, ...]
    ) -> tuple[tuple[str, ...], tuple[float, ...]]:
        return labels, scores

    def forget_words(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Revision:
    """The words from one change to the next; a slice is scored by one of them as a whole."""

    rev: int
    bank: LabelBank
    scorer: LabelScorer


class LiveWords:
    """The words of a pipeline. `now` is one reference: who reads it once sees one revision."""

    def __init__(
        self, model: Model, labels: str | Sequence[str] | LabelBank | None, scoring: Scoring
    ) -> None:
        """Begins with revision 0.

        Args:
            model: whose space and scale it is; without words of its own it needs `labels`.
            labels: words, a bank, or the path of one (`.safetensors`), which then stands for the
                model's own; None is all of that.
            scoring: how they are scored.

        Raises:
            SaccadeError: the words, the bank's space or the scoring are refused.
        """
        self.model, self.scoring = model, scoring
        bank, words = _split(labels)
        templates = read_templates(scoring.template) if scoring.template else None
        # One thread makes words, for the pipeline needs the others.
        self._vocabulary = Vocabulary(model, bank, templates=templates, threads=1)
        self._guards: list[Callable[[LabelBank], None]] = []
        self._changing = threading.Lock()
        self._ended = False
        self._now = self._revision(0, bank or self._vocabulary.bank(words))

    @property
    def now(self) -> Revision:
        """The words in use."""
        return self._now

    def change(self, labels: str | Sequence[str] | Words) -> Revision:
        """Makes other words, then puts them in use: the revision that is after this one.

        The words are made in the caller's thread while slices are scored by those of before.

        Raises:
            SaccadeError: the words are refused, or the run has ended: then nothing was changed.
        """
        with self._changing:
            bank = self._vocabulary.bank(labels)
            for check in self._guards:
                check(bank)
            changed = self._revision(self._now.rev + 1, bank)
            if self._ended:
                raise SaccadeError("labels: the run has ended, whose words could be changed")
            self._now = changed
        return changed

    def guard(self, check: Callable[[LabelBank], None]) -> None:
        """Calls `check` with the bank in use and later with each new one, which it may refuse.

        Raises:
            SaccadeError: it refuses the one in use.
        """
        with self._changing:
            check(self._now.bank)
            self._guards.append(check)

    def end(self) -> None:
        """No more changes; does not wait for one that is being made."""
        self._ended = True
        if self._changing.acquire(blocking=False):
            self._vocabulary.close()
            self._changing.release()

    def _revision(self, rev: int, bank: LabelBank) -> Revision:
        scoring, scale = self.scoring, self.model.manifest.embedding.scale
        scorer = LabelScorer(
            bank, scale, scoring.top, scores=scoring.scores, unknown=scoring.unknown
        )
        return Revision(rev, bank, scorer)


def is_bank_file(labels: object) -> TypeGuard[str]:
    """Whether what the user wrote for labels is a bank's path, by its ending; else it is words."""
    return isinstance(labels, str) and labels.endswith(_BANK_FILE)


def _split(
    labels: str | Sequence[str] | LabelBank | None,
) -> tuple[LabelBank | None, str | Sequence[str] | None]:
    """The bank that `labels` is or names, or else the words."""
    if isinstance(labels, LabelBank):
        return labels, None
    if is_bank_file(labels):
        return LabelBank.load(Path(labels)), None
    return None, labels


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best labels of a slice, and the best groups where its words are in groups."""

    words: Revision
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    groups: tuple[str, ...] = ()
    group_scores: tuple[float, ...] = ()


class Ranker:
    """Scores the embeddings of one stream, in their order, by the words in use at each."""

    def __init__(self, words: LiveWords) -> None:
        """Reads `words.now` once for each embedding."""
        self._words, self._last = words, words.now
        self._labels, self._groups = words.scoring.smoothing(), words.scoring.smoothing()
        # Every call is felt here: the encoder has emptied the caches of what it runs through.
        self._smooths = not isinstance(self._labels, _Unsmoothed)

    def __call__(self, embedding: NDArray[np.float32], t_us: int, empty: bool = False) -> Ranked:
        """The labels of an embedding, float32 [dimension], of a slice that ends at `t_us`.

        One that is `empty` of events is ranked by itself: nothing was seen, so the slices around it
        are steadied as if it were not there.
        """
        words, before = self._words.now, self._last
        if words is not before:
            self._last = words
            self._labels.forget_words()
            self._groups.forget_words()
        if not self._smooths and not words.bank.groups:
            return Ranked(words, *words.scorer(embedding))
        alone = self._words.scoring.smoothing
        by_label, by_group = (alone(), alone()) if empty else (self._labels, self._groups)
        labels = by_label.vote(*words.scorer(by_label.add(embedding, t_us)))
        grouped = by_group.add(embedding, t_us)
        if not words.bank.groups:
            return Ranked(words, *labels)
        return Ranked(words, *labels, *by_group.vote(*words.scorer.groups(grouped)))
