"""Scores against plain definitions: synonyms, groups, the unknown; and the lag of smoothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saccade.engines.labels import LabelBank, LabelError, LabelScorer
from saccade.engines.scoring import ExponentialSmoothing, VoteSmoothing


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def make_bank(names: int, rows: int, **more) -> LabelBank:
    owners = tuple(sorted(i % names for i in range(rows)))
    return LabelBank(tuple(f"n{i}" for i in range(names)), unit(rows, 8), "s", rows=owners, **more)


BANK = LabelBank(
    ("car", "truck", "cup"), np.eye(3, dtype=np.float32), "s", groups={"vehicle": ("car", "truck")}
)
SEEN = np.float32([0.48, 0.36, 0.8])  # nearest to a cup


@pytest.mark.parametrize("scores", ["softmax", "cosine"])
@pytest.mark.parametrize(
    ("names", "rows", "top"), [(5, 5, 2), (40, 40, 3), (40, 95, 40), (9, 20, 1)]
)
def test_scores_are_their_definition(scores, names, rows, top):
    bank = make_bank(names, rows)
    for seed in range(20):
        seen = unit(8, seed=seed + 1)
        cosines = bank.embeddings.astype(np.float64) @ seen
        best = [
            max(c for c, row in zip(cosines, bank.rows, strict=True) if row == i)
            for i in range(names)
        ]
        wanted = np.array(best)
        if scores == "softmax":
            wanted = np.exp(20 * wanted) / np.exp(20 * wanted).sum()
        order = np.argsort(-wanted, kind="stable")[:top]
        labels, found = LabelScorer(bank, 20.0, top, scores=scores)(seen)
        assert labels == tuple(f"n{i}" for i in order)
        np.testing.assert_allclose(found, wanted[order], rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("top", [1, 3, 30, 100])
def test_equal_scores_keep_the_banks_order(top):
    bank = LabelBank(tuple(f"n{i}" for i in range(100)), np.tile(unit(50, 8), (2, 1)), "s")
    scorer = LabelScorer(bank, 20.0, top)
    wanted = np.argsort(-scorer.scores(bank.embeddings[7]), kind="stable")[:top]
    assert scorer(bank.embeddings[7])[0] == tuple(f"n{i}" for i in wanted)
    assert wanted[0] == 7


def test_a_groups_score_is_a_sum_of_probabilities_or_the_best_cosine():
    weights = np.exp(SEEN.astype(np.float64))
    names, scores = LabelScorer(BANK, 1.0, 5).groups(SEEN)
    assert names == ("vehicle", "cup")
    np.testing.assert_allclose(
        scores, [weights[:2].sum() / weights.sum(), weights[2] / weights.sum()], rtol=1e-6
    )
    names, scores = LabelScorer(BANK, 2.0, 5, scores="cosine").groups(SEEN)
    assert names == ("cup", "vehicle")
    np.testing.assert_allclose(scores, [0.8, 0.48], rtol=1e-6)


@pytest.mark.parametrize(
    ("unknown", "labels", "scores"),
    [
        (0.8, ("cup", "car"), (np.float32(0.8), np.float32(0.48))),
        (0.9, ("unknown", "cup"), (0.9, np.float32(0.8))),
    ],
)
def test_what_is_below_the_threshold_is_unknown(unknown, labels, scores):
    scorer = LabelScorer(BANK, 2.0, 2, scores="cosine", unknown=float(np.float32(unknown)))
    found = scorer(SEEN)
    assert found[0] == labels
    np.testing.assert_allclose(found[1], scores, rtol=1e-6)


def test_unknown_counts_among_the_best():
    assert LabelScorer(BANK, 2.0, 1, unknown=0.99)(SEEN) == (("unknown",), (0.99,))
    assert LabelScorer(BANK, 2.0, 9, unknown=0.99)(SEEN)[0] == ("unknown", "cup", "car", "truck")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top": 0}, "top 0"),
        ({"scores": "logits"}, "'logits': must be softmax or cosine"),
        ({"unknown": -0.1}, "must be from 0 to 1, as softmax"),
        ({"unknown": -1.1, "scores": "cosine"}, "must be from -1 to 1"),
        ({"unknown": math.nan}, "must be from 0"),
        (
            {"unknown": 0.5, "bank": LabelBank(("unknown",), np.eye(1, dtype=np.float32), "s")},
            "otherwise",
        ),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    given = {"bank": BANK, "scale": 1.0, "top": 5, **settings}
    with pytest.raises(LabelError, match=message):
        LabelScorer(**given)


def test_smoothing_weighs_by_age_whatever_the_steps():
    seen, times = unit(6, 8), [0, 10, 10, 35, 100, 101]
    smoothing = ExponentialSmoothing(20)
    for i, now in enumerate(times):
        found = smoothing.add(seen[i], now)
        weights = np.exp([-(now - t) / 20 for t in times[: i + 1]])
        wanted = weights @ seen[: i + 1]
        np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-6)
        assert found.dtype == np.float32


@pytest.mark.parametrize(("tau", "step"), [(100, 10), (100, 30), (200, 33), (50, 50), (10, 100)])
def test_smoothing_lags_by_its_formula(tau, step):
    first, then = np.eye(2, dtype=np.float32)
    smoothing = ExponentialSmoothing(tau)
    for i in range(200):
        smoothing.add(first, i * step)
    late = 0
    while smoothing.add(then, (200 + late) * step).argmax() == 0:
        late += 1
    assert late == math.floor(tau * math.log(2) / step)
    assert late * step <= 0.6932 * tau
    ages = step * np.arange(10_000)
    mean = np.average(ages, weights=np.exp(-ages / tau))
    np.testing.assert_allclose(mean, step / (math.exp(step / tau) - 1))
    assert mean <= tau


def test_smoothing_begins_again_where_time_falls_or_nothing_is_left():
    first, then = np.eye(2, dtype=np.float32)
    smoothing = ExponentialSmoothing(1000)
    smoothing.add(first, 500)
    np.testing.assert_array_equal(smoothing.add(then, 10), then)
    np.testing.assert_array_equal(smoothing.add(-then, 10), -then)
    assert smoothing.vote(("a",), (0.5,)) == (("a",), (0.5,))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
def test_votes_lag_by_their_formula(n):
    smoothing = VoteSmoothing(n)
    for _ in range(20):
        assert smoothing.vote(("a", "b"), (0.9, 0.1))[0][0] == "a"
    late = 0
    while smoothing.vote(("b", "a"), (0.9, 0.1))[0][0] == "a":
        late += 1
    assert late == math.ceil(n / 2) - 1


def test_scores_of_votes_are_shares():
    smoothing = VoteSmoothing(4)
    for label in ("a", "b", "b"):
        found = smoothing.vote((label, "x", "y"), (0.9, 0.05, 0.05))
    assert found == (("b", "a"), (2 / 3, 1 / 3))
    assert smoothing.vote(("a",), (0.9,)) == (("a",), (0.5,))
    smoothing.forget_words()
    assert smoothing.vote(("c", "x"), (0.9, 0.1)) == (("c",), (1.0,))


def test_votes_begin_again_where_time_falls():
    smoothing, seen = VoteSmoothing(3), unit(4)
    for now, label in ((10, "a"), (20, "a"), (5, "b")):
        assert smoothing.add(seen, now) is seen
        found = smoothing.vote((label,), (1.0,))
    assert found == (("b",), (1.0,))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ExponentialSmoothing(0),
        lambda: ExponentialSmoothing(math.inf),
        lambda: VoteSmoothing(0),
    ],
)
def test_smoothing_over_nothing_is_refused(make):
    with pytest.raises(LabelError, match="smoothing"):
        make()
