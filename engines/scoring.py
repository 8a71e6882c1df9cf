"""Scores: how well an embedding fits each label of a bank, and how that is smoothed over time."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.evaluation import softmax

Scores = Literal["softmax", "cosine"]
Ranking = tuple[tuple[str, ...], tuple[float, ...]]  # labels and their scores, best first
UNKNOWN = "unknown"


class LabelScorer:
    """Scores of one embedding against a bank: softmax(scale * cosine), or the cosine itself.

    A label of several synonyms has the cosine of the nearest. A group's score is the sum of its
    labels' probabilities, or the largest of their cosines.
    """

    def __init__(
        self,
        bank: LabelBank,
        scale: float,
        top: int,
        *,
        scores: Scores = "softmax",
        unknown: float | None = None,
    ) -> None:
        """Prepares the scores of `bank`.

        Args:
            bank: the words, and with them the space that embeddings must be of.
            scale: as the model was trained with (100 for CLIP).
            top: how many labels are given, or all where there are fewer.
            scores: probabilities over the whole bank, or cosines.
            unknown: where the best label scores below this (a probability, or a cosine: as
                `scores`), `"unknown"` comes first with this as its score, then the labels in their
                order, `top` in all. On real CLIP embeddings cosines notice better what none of
                up to 10 words fits (AUROC 0.961 of 5 words, probabilities 0.954), and as well
                what none of more does; of one word every probability is 1.

        Raises:
            LabelError: `top`, `scores` or `unknown` cannot be, or a label is called "unknown".
        """
        if top < 1:
            raise LabelError(f"top {top}: must be at least 1")
        if scores not in ("softmax", "cosine"):
            raise LabelError(f"scores {scores!r}: must be softmax or cosine")
        if unknown is not None:
            _check_unknown(unknown, scores, bank)
        if bank.cache is not None and scores == "cosine":
            raise LabelError("scores cosine: labels that remember examples have none; use softmax")
        self.bank = bank
        self._top, self._unknown, self._softmax = top, unknown, scores == "softmax"
        self._scale = float(scale)
        # One call and one thread: in numpy it is a dozen, and BLAS would wait for all cores.
        self._native = _native.Scorer(
            np.ascontiguousarray(bank.embeddings),
            bank.starts.astype(np.int64),
            bank.names,
            float(scale) if self._softmax else 0.0,
        )
        self._group_names, self._by_group, self._group_starts = _groups(bank)

    def __call__(self, embedding: NDArray[np.float32]) -> Ranking:
        """The best labels and their scores, best first, for an embedding float32 [dimension].

        Equal scores keep the bank's order.
        """
        if self.bank.cache is not None:
            return self._rank(self.bank.names, self.scores(embedding))
        labels, values = self._native.best(embedding, self._top)
        if self._unknown is not None:
            return self._with_unknown(labels, values)
        return labels, values

    def groups(self, embedding: NDArray[np.float32]) -> Ranking:
        """The same for the bank's groups; a label that is in none stands for itself."""
        merge = np.add if self._softmax else np.maximum
        scores = merge.reduceat(self.scores(embedding)[self._by_group], self._group_starts)
        return self._rank(self._group_names, scores)

    def scores(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """The score of every label, float32 [len(bank.names)], in the bank's order."""
        if self.bank.cache is None:
            return self._native.scores(embedding)
        logits = self.bank.logits(embedding[np.newaxis], self._scale)
        return softmax(logits)[0].astype(np.float32)

    def _rank(self, names: tuple[str, ...], scores: NDArray[np.float32]) -> Ranking:
        order, values = _native.best(scores, self._top)
        return self._with_unknown(tuple(names[i] for i in order), tuple(values))

    def _with_unknown(self, labels: tuple[str, ...], values: tuple[float, ...]) -> Ranking:
        """The best labels, behind "unknown" where the first is below the threshold."""
        if self._unknown is None or values[0] >= self._unknown:
            return labels, values
        return (UNKNOWN, *labels)[: self._top], (self._unknown, *values)[: self._top]


def _check_unknown(unknown: float, scores: Scores, bank: LabelBank) -> None:
    lowest = 0 if scores == "softmax" else -1
    if not lowest <= unknown <= 1:
        raise LabelError(f"unknown {unknown}: must be from {lowest} to 1, as {scores} scores are")
    if UNKNOWN in (*bank.names, *bank.groups):
        raise LabelError(f"label {UNKNOWN!r}: what fits no label is called so; name it otherwise")


def _groups(bank: LabelBank) -> tuple[tuple[str, ...], NDArray[np.intp], NDArray[np.intp]]:
    """Groups and lone labels in the order of the bank; its labels by these, and where each begins.

    A label that is in no group is the only one of its own.
    """
    group_of = {name: group for group, names in bank.groups.items() for name in names}
    members: dict[str, list[int]] = {}
    for i, name in enumerate(bank.names):
        members.setdefault(group_of.get(name, name), []).append(i)
    starts = np.cumsum([0, *map(len, members.values())])[:-1]
    return tuple(members), np.concatenate([*map(np.array, members.values())]), starts


class Smoothing(Protocol):
    """Steadies the labels of a stream of slices, for some delay. One stream each; no threads.

    For every slice, in this order: `add` its embedding, score what `add` gave, `vote`.
    """

    def add(self, embedding: NDArray[np.float32], t_us: int) -> NDArray[np.float32]:
        """The embedding to score, float32 [dimension], for that of a slice which ends at `t_us`.

        Where the time falls (a loop, another recording), what was before is forgotten.
        """
        ...

    def vote(self, labels: tuple[str, ...], scores: tuple[float, ...]) -> Ranking:
        """The labels to publish for those that were scored, best first."""
        ...

    def forget_words(self) -> None:
        """The vocabulary has changed: labels from before say nothing about the new words."""
        ...


class ExponentialSmoothing:
    """The mean of embeddings, each weighted by exp(-age / tau), normalised again.

    Lag: with slices every `dt`, a sudden change from one thing to another (each as near to its own
    label) reaches the labels `floor(tau * ln 2 / dt)` slices later than without smoothing, so at
    most 0.69 tau later. The mean age of what is averaged is `dt / (exp(dt / tau) - 1)`, at most
    tau.
    """

    def __init__(self, tau_us: float) -> None:
        """`tau_us` in microseconds of the sensor's clock; LabelError unless it is above 0."""
        if not 0 < tau_us < math.inf:
            raise LabelError(f"smoothing {tau_us} us: must be above 0")
        self._tau_us = tau_us
        self._sum: NDArray[np.float32] | None = None  # float32 [dimension]
        self._t_us = 0

    def add(self, embedding: NDArray[np.float32], t_us: int) -> NDArray[np.float32]:
        """The smoothed embedding, L2-normalised."""
        age_us, self._t_us = t_us - self._t_us, t_us
        before, total = self._sum, np.array(embedding, np.float32)
        if before is not None and age_us >= 0:
            total = np.add(total, before * np.float32(math.exp(-age_us / self._tau_us)))
        norm = math.sqrt(float(np.dot(total, total)))
        if norm == 0:  # of two opposites
            total, norm = np.array(embedding, np.float32), 1.0
        self._sum = total
        return total * np.float32(1 / norm)

    def vote(self, labels: tuple[str, ...], scores: tuple[float, ...]) -> Ranking:
        """The labels as they are."""
        return labels, scores

    def forget_words(self) -> None:
        """Nothing: embeddings outlast the words."""


class VoteSmoothing:
    """The label that was best most often in the last `n` slices; a tie goes to the newest.

    A score is then the share of those slices in which the label was the best.

    Lag: a sudden change reaches the labels `ceil(n / 2) - 1` slices later than without smoothing.
    """

    def __init__(self, n: int) -> None:
        """`n` slices; LabelError where that is less than 1."""
        if n < 1:
            raise LabelError(f"smoothing over {n} votes: must be at least 1")
        self._votes: deque[str] = deque(maxlen=n)
        self._t_us = 0

    def add(self, embedding: NDArray[np.float32], t_us: int) -> NDArray[np.float32]:
        """The embedding as it is."""
        if t_us < self._t_us:
            self._votes.clear()
        self._t_us = t_us
        return embedding

    def vote(self, labels: tuple[str, ...], scores: tuple[float, ...]) -> Ranking:
        """Those that were best in the last `n` slices, most votes first, not more than `labels`."""
        self._votes.append(labels[0])
        ranked = Counter(reversed(self._votes)).most_common(len(labels))  # of equals, the newest
        return tuple(label for label, _ in ranked), tuple(n / len(self._votes) for _, n in ranked)

    def forget_words(self) -> None:
        """Drops all votes."""
        self._votes.clear()
