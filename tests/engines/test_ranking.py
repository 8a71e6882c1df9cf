"""The native softmax and choice of the best scores, beside their plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference import ranking as plain

from saccade.camera import _native


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_row_that_is_not_finite(value):
    rows = np.random.default_rng(0).standard_normal((4, 33)).astype(np.float32)
    assert _native.first_not_finite(rows) == -1
    assert _native.first_not_finite(rows[:0]) == -1
    rows[3, 0] = rows[2, 32] = value
    assert _native.first_not_finite(rows) == 2 == plain.first_not_finite(rows.tolist())


@pytest.mark.parametrize("n", [1, 2, 101, 1203])
@pytest.mark.parametrize("scale", [1.0, 14.5, 100.0])
def test_softmax(n, scale):
    scores = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    wanted = plain.softmax(scores.tolist(), scale)
    _native.softmax(scores, scale)
    np.testing.assert_allclose(scores, wanted, rtol=2e-5, atol=1e-12)


@pytest.mark.parametrize("top", [1, 5, 1000])
def test_the_best_with_equal_ones_in_their_order(top):
    scores = np.random.default_rng(top).integers(0, 9, 101).astype(np.float32)
    places, values = _native.best(scores, top)
    assert places == plain.best(scores.tolist(), top)
    assert values == scores[places].tolist()


def test_nothing_of_nothing():
    _native.softmax(np.empty(0, np.float32), 1.0)
    assert _native.best(np.empty(0, np.float32), 5) == ([], [])


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((3, 1), np.float32), [0.0]])
def test_other_arrays_are_refused(scores):
    for call in (_native.softmax, _native.best):
        with pytest.raises(TypeError):
            call(scores, 1)
