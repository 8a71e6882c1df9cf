"""How good labels are on embeddings whose labels are known: shares and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15  # of calibration, as in Guo et al. 2017
BOOTSTRAPS = 1000
_Z = 1.959964  # standard deviations on each side of 95 % of a normal distribution


@dataclass(frozen=True, slots=True)
class Share:
    """A share from 0 to 1, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Windows whose confidence lies in (low, high].

    Attributes:
        low, high: the bin.
        n: windows in it.
        confidence, right: means over them, 0 where there are none.
    """

    low: float
    high: float
    n: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The expected calibration error, and the reliability diagram's bins."""

    error: float
    bins: list[Bin]


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities float64 [N, labels] of logits [N, labels]."""
    shifted = logits.astype(np.float64) - np.max(logits, axis=1, keepdims=True)
    found: NDArray[np.float64] = np.exp(shifted)
    return found / np.sum(found, axis=1, keepdims=True)


def ranks(scores: NDArray[np.floating], truth: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many labels stand before the right one, intp [N]; of equal scores the first label does.

    Args:
        scores: [N, labels].
        truth: [N], the index of each one's label.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.argmax(order == truth[:, None], axis=1)


def wilson(share: float, n: int) -> Share:
    """A share of n independent cases with Wilson's interval of 95 % (Wilson 1927)."""
    z2 = _Z * _Z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    return Share(share, max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share)))


def mean_interval(values: NDArray[np.float64]) -> Share:
    """The mean of draws, with 1.96 standard errors (normal) on each side, within 0 and 1."""
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return Share(mean, max(0.0, mean - _Z * error), min(1.0, mean + _Z * error))


def share_of(right: NDArray[np.bool_], recordings: NDArray[np.intp]) -> Share:
    """The share of windows that are right; Wilson's interval for as many cases as recordings.

    Windows of one recording are alike, so that counting each as a case would promise too much.

    Args:
        right: bool [N].
        recordings: intp [N], the number of each window's recording.
    """
    return wilson(float(np.mean(right)), len(np.unique(recordings)))


def mean_over_classes(
    right: NDArray[np.bool_], truth: NDArray[np.intp], recordings: NDArray[np.intp], seed: int = 0
) -> Share:
    """The mean of the classes' shares, each counting the same.

    The interval holds 95 % of `BOOTSTRAPS` draws of recordings with replacement within each class;
    it cannot widen where a class has one recording, or only right ones.

    Args:
        right, truth, recordings: [N] of each window; a recording is of one class.
    """
    rng = np.random.default_rng(seed)
    classes: list[int] = np.unique(truth).tolist()
    mean, drawn = 0.0, np.zeros(BOOTSTRAPS)
    for each in classes:
        mine = truth == each
        _, number = np.unique(recordings[mine], return_inverse=True)
        windows = np.bincount(number)
        hits = np.bincount(number, weights=right[mine])
        mean += float(np.sum(hits) / np.sum(windows)) / len(classes)
        chosen = rng.integers(len(windows), size=(BOOTSTRAPS, len(windows)))
        drawn += hits[chosen].sum(axis=1) / windows[chosen].sum(axis=1) / len(classes)
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Share(mean, min(low, mean), max(high, mean))


def confusion(truth: NDArray[np.intp], taken: NDArray[np.intp], labels: int) -> NDArray[np.int64]:
    """How often a label (row) was taken for another (column), int64 [labels, labels]."""
    found = np.zeros((labels, labels), np.int64)
    np.add.at(found, (truth, taken), 1)
    return found


def calibration(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = BINS
) -> Calibration:
    """The expected calibration error over bins of equal width (Guo et al. 2017, equation 3).

    Args:
        confidence: [N], the probability of the best label of each window.
        right: [N], whether that label is right.
        bins: how many; the k-th is (k / bins, (k + 1) / bins].
    """
    above: NDArray[np.intp] = np.ceil(confidence * bins).astype(np.intp) - 1
    place = np.minimum(np.maximum(above, 0), bins - 1)
    n = np.bincount(place, minlength=bins)
    some = np.maximum(n, 1)
    sure: NDArray[np.float64] = np.bincount(place, weights=confidence, minlength=bins) / some
    hits: NDArray[np.float64] = np.bincount(place, weights=right, minlength=bins) / some
    error = float(np.sum(n * np.abs(hits - sure)) / len(confidence))
    each = zip(n.tolist(), sure.tolist(), hits.tolist(), strict=True)
    found = [Bin(k / bins, (k + 1) / bins, *values) for k, values in enumerate(each)]
    return Calibration(error, found)


def harmonic(first: float, second: float) -> float:
    """The harmonic mean, as of seen and unseen classes (Xian et al. 2017); 0 where both are."""
    return 2 * first * second / (first + second) if first + second else 0.0
