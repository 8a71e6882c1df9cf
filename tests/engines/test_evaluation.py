"""An evaluation's figures: each against a plain twin, or a value worked out by hand."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from saccade.engines.evaluation import (
    calibration,
    confusion,
    harmonic,
    mean_interval,
    mean_over_classes,
    ranks,
    share_of,
    softmax,
    wilson,
)
from saccade.engines.examples import Examples, cache_head, linear_head, prototypes
from saccade.engines.few_shot import few_shot


def test_softmax_is_that_of_the_definition():
    logits = np.random.default_rng(0).normal(0, 5, (6, 4)).astype(np.float32)
    for row, found in zip(logits.tolist(), softmax(logits), strict=True):
        whole = sum(math.exp(each) for each in row)
        np.testing.assert_allclose(found, [math.exp(each) / whole for each in row], rtol=1e-6)
    assert np.isfinite(softmax(np.float32([[1000, -1000]]))).all()


def test_ranks_count_the_labels_before_the_right_one():
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 4, (50, 7)).astype(np.float32)  # with many that are equal
    truth = rng.integers(0, 7, 50)
    plain = [
        sorted(range(7), key=lambda j: (-row[j], j)).index(right)
        for row, right in zip(scores.tolist(), truth.tolist(), strict=True)
    ]
    assert ranks(scores, truth).tolist() == plain
    assert (ranks(scores, truth) == 0).tolist() == (scores.argmax(axis=1) == truth).tolist()


@pytest.mark.parametrize(("right", "n"), [(0, 10), (3, 10), (10, 10), (81, 263), (1, 1)])
def test_wilson_interval_bounds_the_shares_that_are_not_refuted(right, n):
    """Its bounds p solve |right / n - p| = z sqrt(p (1 - p) / n)."""
    share = wilson(right / n, n)
    for p in (share.low, share.high):
        assert abs(right / n - p) == pytest.approx(1.959964 * math.sqrt(p * (1 - p) / n), abs=1e-9)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_windows_of_one_recording_count_as_one_case():
    right = np.array([True, True, False, True])
    share = share_of(right, np.array([0, 0, 5, 5]))
    assert share == wilson(0.75, 2)


def test_the_mean_of_draws_has_its_standard_error():
    values = np.array([0.5, 0.7, 0.6, 0.8])
    share = mean_interval(values)
    error = math.sqrt(sum((v - 0.65) ** 2 for v in values.tolist()) / 3) / 2
    assert (share.value, share.high - share.value) == pytest.approx((0.65, 1.959964 * error))
    assert mean_interval(np.array([0.4])).low == 0.4


def test_classes_count_the_same_however_large():
    truth = np.repeat([3, 5, 8], [60, 10, 30])
    right = np.random.default_rng(2).random(100) < np.repeat([0.9, 0.2, 0.5], [60, 10, 30])
    share = mean_over_classes(right, truth, np.arange(100))
    shares = [right[truth == each].mean() for each in (3, 5, 8)]
    assert share.value == pytest.approx(sum(shares) / 3)
    error = math.sqrt(sum(p * (1 - p) / n for p, n in zip(shares, [60, 10, 30], strict=True))) / 3
    assert (share.high - share.low) / 2 == pytest.approx(1.96 * error, rel=0.15)
    # Ten windows of each recording are no more evidence than one.
    again = [np.repeat(each, 10) for each in (right, truth, np.arange(100))]
    assert mean_over_classes(*again) == share


def test_confusion_counts_pairs():
    truth, taken = np.array([0, 0, 2, 1, 0]), np.array([0, 1, 2, 1, 1])
    assert confusion(truth, taken, 3).tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 1]]


def test_calibration_is_that_of_the_definition():
    rng = np.random.default_rng(3)
    confidence = np.append(rng.uniform(0.2, 1, 300), [0.2, 1.0, 1 / 3])  # on the bins' edges too
    right = rng.random(303) < confidence**2
    found = calibration(confidence, right, 15)
    error, n = 0.0, 0
    for k, each in enumerate(found.bins):
        inside = [i for i, c in enumerate(confidence) if k / 15 < c <= (k + 1) / 15]
        assert each.n == len(inside)
        n += each.n
        if inside:
            hits, sure = right[inside].mean(), confidence[inside].mean()
            assert (each.right, each.confidence) == pytest.approx((hits, sure))
            error += len(inside) / 303 * abs(hits - sure)
    assert n == 303
    assert found.error == pytest.approx(error)
    assert calibration(np.array([1.0]), np.array([True])).error == 0


def test_harmonic_mean():
    assert harmonic(0.5, 0.25) == pytest.approx(2 / (1 / 0.5 + 1 / 0.25))
    assert harmonic(0.0, 0.0) == 0.0


def pool(sizes, windows=2, spread=0.5, seed=0):
    """Two windows of each recording, around a direction for each label."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(sizes)), np.multiply(sizes, windows))
    recordings = np.repeat(np.arange(sum(sizes)), windows)
    rows = rng.normal(size=(len(sizes), 16))[owners] + spread * rng.normal(size=(len(owners), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"label {i}" for i in range(len(sizes)))
    return Examples(names, rows.astype(np.float32), owners, "tests/1"), recordings


def test_few_shot_equals_a_plain_twin():
    examples, recordings = pool([6, 5, 3], spread=2.0)
    seen = []

    def remembering(shown):
        seen.append(shown)
        return prototypes(shown)

    curve = few_shot(examples, recordings, [1, 3, 9], {"p": remembering}, 10.0, draws=4)
    assert [(shot.shots, shot.classes) for shot in curve] == [(1, 3), (3, 2)]  # none has 9
    for shot, shown_in_draws in zip(curve, (seen[:4], seen[4:]), strict=True):
        shares = []
        for shown in shown_in_draws:
            assert np.bincount(shown.owners).tolist() == [2 * shot.shots] * shot.classes
            means = np.stack(
                [shown.embeddings[shown.owners == i].sum(0) for i in range(shot.classes)]
            )
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            kept = {tuple(row) for row in shown.embeddings.tolist()}
            rest = [
                (row, owner)
                for row, owner in zip(examples.embeddings, examples.owners.tolist(), strict=True)
                if owner < shot.classes and tuple(row.tolist()) not in kept
            ]
            shares.append(np.mean([(means @ row).argmax() == owner for row, owner in rest]))
        assert shot.top1.value == pytest.approx(np.mean(shares))
        assert shot.top1.low < shot.top1.value < shot.top1.high


def test_heads_see_the_same_draws_and_more_examples_help():
    examples, recordings = pool([12, 12, 12, 12], spread=1.5, seed=4)
    heads = {"prototypes": prototypes, "linear": partial(linear_head, scale=10.0)}
    heads |= {"again": prototypes, "cache": cache_head}
    done = []
    curve = few_shot(
        examples, recordings, [1, 10], heads, 10.0, draws=3, report=lambda *n: done.append(n)
    )
    of = {(shot.head, shot.shots): shot.top1 for shot in curve}
    assert of["again", 1] == of["prototypes", 1]
    assert all(of[head, 10].value > of[head, 1].value for head in heads)
    assert done[-1] == (6, 6)
    assert curve == few_shot(examples, recordings, [1, 10], heads, 10.0, draws=3)
