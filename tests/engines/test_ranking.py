"""The native softmax and choice of the best scores, beside their plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference import ranking as plain

from saccade.camera import _native


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_row_that_is_not_finite(value):
    rows = np.random.default_rng(0).standard_normal((4, 33)).astype(np.float32)
    check = _native.FiniteRows(rows)
    assert check.first_bad(4) == -1
    rows[3, 0] = rows[2, 32] = value
    assert check.first_bad(4) == 2 == plain.first_not_finite(rows.tolist())
    assert check.first_bad(2) == check.first_bad(0) == -1
    with pytest.raises(ValueError, match="fewer rows"):
        check.first_bad(5)


@pytest.mark.parametrize("n", [1, 2, 101, 1203, 3000])  # the last without the GIL
@pytest.mark.parametrize("scale", [0.0, 1.0, 14.5, 100.0])
def test_scores_and_the_best_of_them(n, scale):
    rng = np.random.default_rng(n)
    rows = rng.standard_normal((n, 387)).astype(np.float32)  # no multiple of a vector's length
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    starts = np.flatnonzero(rng.random(n) < 0.7)
    starts = np.union1d(starts, 0)
    embedding = rows[n // 2].copy()
    names = tuple(f"word {i}" for i in range(len(starts)))
    scorer = _native.Scorer(rows, starts, names, scale)
    found = scorer.scores(embedding)
    products = rows.astype(np.float64) @ embedding
    wanted = np.maximum.reduceat(products, starts)
    if scale:
        wanted = plain.softmax(wanted.tolist(), scale)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    places, values = _native.best(found, 5)
    assert scorer.best(embedding, 5) == (tuple(names[i] for i in places), tuple(values))


def test_what_no_scorer_can_be_made_of_is_refused():
    rows, one = np.zeros((3, 4), np.float32), np.zeros(1, np.int64)
    for starts in ([0, 0], [1, 0], [0, 3], [-1]):
        with pytest.raises(ValueError, match="starts must rise"):
            _native.Scorer(rows, np.array(starts, np.int64), ("a",) * len(starts), 1.0)
    with pytest.raises(ValueError, match="a name for each"):
        _native.Scorer(rows, one, (), 1.0)
    with pytest.raises(ValueError, match="another dimension"):
        _native.Scorer(rows, one, ("a",), 1.0).scores(np.zeros(5, np.float32))
    for given in (np.zeros(4), np.zeros((1, 4), np.float32), [0.0] * 4):
        with pytest.raises(TypeError):
            _native.Scorer(rows, one, ("a",), 1.0).best(given, 1)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("top", [1, 5, 1000])
def test_the_best_with_equal_ones_in_their_order(top):
    scores = np.random.default_rng(top).integers(0, 9, 101).astype(np.float32)
    places, values = _native.best(scores, top)
    assert places == plain.best(scores.tolist(), top)
    assert values == scores[places].tolist()


def test_nothing_of_nothing():
    rows = np.empty((0, 4), np.float32)
    scorer = _native.Scorer(rows, np.empty(0, np.int64), (), 1.0)
    assert len(scorer.scores(np.zeros(4, np.float32))) == 0
    assert _native.best(np.empty(0, np.float32), 5) == ([], [])


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((3, 1), np.float32), [0.0]])
def test_other_arrays_are_refused(scores):
    with pytest.raises(TypeError):
        _native.best(scores, 1)
