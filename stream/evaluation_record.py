"""What `saccade evaluate` finds, as its JSON record holds it, and how it is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from saccade.engines.bank import LabelBank
from saccade.engines.evaluation import (
    Calibration,
    Share,
    calibration,
    confusion,
    harmonic,
    mean_over_classes,
    ranks,
    share_of,
    softmax,
)
from saccade.engines.examples import Examples, Head, cache_head, linear_head, prototypes
from saccade.engines.few_shot import Shot, few_shot


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """The windows of one label."""

    name: str
    recordings: int
    windows: int
    top1: Share
    top5: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often the labels `names` (rows) were taken for each other (columns)."""

    names: list[str]
    windows: list[list[int]]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Labels that the model was not trained on, all labels competing: means over classes.

    `seen` and `harmonic_mean` are None where every class is unseen.
    """

    names: list[str]
    unseen: Share
    seen: Share | None
    harmonic_mean: float | None


@dataclass(frozen=True, slots=True)
class Robustness:
    """The recordings under one condition; the first condition is none."""

    condition: str
    recordings: int
    top1: Share
    mean_over_classes: Share


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that was found. Shares are from 0 to 1, with intervals of 95 %."""

    saccade: str
    model: dict[str, str | int]
    engine: str
    labels: int
    slices: str
    recordings: int
    windows: int
    left_out: dict[str, str]
    damaged: dict[str, str]
    unknown_folders: list[str]
    top1: Share
    top5: Share
    mean_over_classes: Share
    classes: list[ClassFigures]
    confusion: Confusion
    calibration: Calibration
    unseen: Unseen | None
    few_shot: list[Shot]
    robustness: list[Robustness]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a bank says of windows: [N] each.

    Attributes:
        truth: intp, the index of the right label.
        taken: intp, that of the best label.
        confidence: float64, its probability.
        rank: intp, how many labels stand before the right one.
        owners: intp, the number of the window's recording.
    """

    truth: NDArray[np.intp]
    taken: NDArray[np.intp]
    confidence: NDArray[np.float64]
    rank: NDArray[np.intp]
    owners: NDArray[np.intp]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the best label is the right one, bool [N]."""
        return self.rank == 0


def judge(
    bank: LabelBank,
    scale: float,
    embeddings: NDArray[np.float32],
    truth: NDArray[np.intp],
    owners: NDArray[np.intp],
) -> Judged:
    """The labels of embeddings float32 [N, dimension] whose right ones are `truth`, intp [N]."""
    scores = softmax(bank.logits(embeddings, scale))
    return Judged(truth, scores.argmax(axis=1), scores.max(axis=1), ranks(scores, truth), owners)


def class_figures(judged: Judged, names: Sequence[str]) -> list[ClassFigures]:
    """The figures of each label that there are windows of, in the bank's order."""
    found: list[ClassFigures] = []
    labels: list[int] = np.unique(judged.truth).tolist()
    for label in labels:
        mine = judged.truth == label
        recordings = judged.owners[mine]
        top1 = share_of(judged.right[mine], recordings)
        top5 = float(np.mean(judged.rank[mine] < 5))
        n = len(np.unique(recordings))
        found.append(ClassFigures(names[label], n, int(mine.sum()), top1, top5))
    return found


def confused(judged: Judged, names: Sequence[str]) -> Confusion:
    """The confusion of those labels that are right or were said, in the bank's order."""
    used = np.union1d(judged.truth, judged.taken)
    rows, columns = (np.searchsorted(used, each) for each in (judged.truth, judged.taken))
    windows: list[list[int]] = confusion(rows, columns, len(used)).tolist()
    kept: list[int] = used.tolist()
    return Confusion([names[i] for i in kept], windows)


def unseen_figures(judged: Judged, names: Sequence[str], unseen: Sequence[int]) -> Unseen:
    """The mean over the classes `unseen`, of which there are windows, and over all others."""
    new = np.isin(judged.truth, unseen)

    def mean(part: NDArray[np.bool_]) -> Share:
        return mean_over_classes(judged.right[part], judged.truth[part], judged.owners[part])

    of_new, seen = mean(new), None if new.all() else mean(~new)
    both = None if seen is None else harmonic(of_new.value, seen.value)
    found: list[int] = np.unique(judged.truth[new]).tolist()
    return Unseen([names[i] for i in found], of_new, seen, both)


def robustness(condition: str, judged: Judged) -> Robustness:
    """How the recordings fare under a condition."""
    return Robustness(
        condition,
        len(np.unique(judged.owners)),
        share_of(judged.right, judged.owners),
        mean_over_classes(judged.right, judged.truth, judged.owners),
    )


def curves(
    bank: LabelBank,
    embeddings: NDArray[np.float32],
    judged: Judged,
    shots: Sequence[int],
    scale: float,
    has_text: bool,
    report: Callable[[int, int], None],
) -> list[Shot]:
    """The few-shot curves of all heads; the cache is over what the words say, as in `teach`."""
    labels, owners = np.unique(judged.truth, return_inverse=True)
    kept: list[int] = labels.tolist()
    names = tuple(bank.names[i] for i in kept)
    pool = Examples(names, embeddings, np.reshape(owners, -1).astype(np.intp), bank.space)
    words = bank if has_text and bank.cache is None else None
    heads: dict[str, Head] = {
        "prototypes": prototypes,
        "linear": partial(linear_head, scale=scale),
        "cache": partial(_cache, words),
    }
    return few_shot(pool, judged.owners, shots, heads, scale, report=report)


def _cache(words: LabelBank | None, examples: Examples) -> LabelBank:
    return cache_head(examples, words and words.select(list(examples.names)))


def overall(judged: Judged) -> tuple[Share, Share, Share, Calibration]:
    """Top-1, top-5, the mean over classes, and how far confidence is to be believed."""
    return (
        share_of(judged.right, judged.owners),
        share_of(judged.rank < 5, judged.owners),
        mean_over_classes(judged.right, judged.truth, judged.owners),
        calibration(judged.confidence, judged.right),
    )
