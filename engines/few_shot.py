"""Few-shot curves: how good heads become with a few recordings of each class as examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.engines.evaluation import Share, mean_interval
from saccade.engines.examples import Examples, Head

DRAWS = 20


@dataclass(frozen=True, slots=True)
class Shot:
    """How often a head is right with so many recordings a class.

    Attributes:
        head: its name.
        shots: recordings of each class that are its examples.
        classes: that have more recordings than that, and so are told apart.
        top1: the mean over the draws of the share of windows that are right, of the recordings left
            out; its interval is that of the mean over draws (1.96 standard errors), not over other
            recordings than these.
    """

    head: str
    shots: int
    classes: int
    top1: Share


def few_shot(
    pool: Examples,
    recordings: NDArray[np.intp],
    shots: Sequence[int],
    heads: Mapping[str, Head],
    scale: float,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> list[Shot]:
    """The curve of each head; heads see the same draws.

    Of each draw, `shots` recordings of a class are its examples and all others are the test.

    Args:
        pool: every window's embedding and label.
        recordings: intp [N], the number of each window's recording, which is of one class.
        shots: recordings of each class; those that fewer than two classes have more of are left
            out, and a class that has no more sits out.
        heads: by name.
        scale: of the model whose embeddings they are.
        draws: how many are averaged.
        seed: of the draws.
        report: called with the number of draws done, and how many they are.
    """
    of_class = [np.unique(recordings[pool.owners == i]) for i in range(len(pool.names))]
    told = {k: [i for i, found in enumerate(of_class) if len(found) > k] for k in shots}
    told = {k: classes for k, classes in told.items() if len(classes) > 1}
    curve: list[Shot] = []
    for place, (k, classes) in enumerate(told.items()):
        rng = np.random.default_rng([seed, k])
        right: dict[str, list[float]] = {name: [] for name in heads}
        for draw in range(draws):
            chosen = [rng.permutation(of_class[i])[:k] for i in classes]
            shown, rest = _split(pool, recordings, classes, np.concatenate(chosen))
            for name, head in heads.items():
                best = head(shown).logits(rest.embeddings, scale).argmax(axis=1)
                right[name].append(float(np.mean(np.equal(best, rest.owners))))
            if report is not None:
                report(place * draws + draw + 1, len(told) * draws)
        curve += [
            Shot(name, k, len(classes), mean_interval(np.array(each)))
            for name, each in right.items()
        ]
    return curve


def _split(
    pool: Examples, recordings: NDArray[np.intp], classes: Sequence[int], chosen: NDArray[np.intp]
) -> tuple[Examples, Examples]:
    """The windows of the chosen recordings, and the others of these classes."""
    number = np.full(len(pool.names), -1, np.intp)
    number[[*classes]] = np.arange(len(classes))
    owners = number[pool.owners]
    names = tuple(pool.names[i] for i in classes)
    shown = np.isin(recordings, chosen)
    parts = [(owners >= 0) & shown, (owners >= 0) & ~shown]
    first, then = (Examples(names, pool.embeddings[p], owners[p], pool.space) for p in parts)
    return first, then
