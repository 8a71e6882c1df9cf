"""Labels from examples: prototypes, a trained head, and a cache that remembers them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.examples import Examples, cache_head, expected, linear_head, prototypes
from saccade.engines.label_cache import LabelCache
from saccade.engines.scoring import LabelScorer

SPACE = "tests/1"


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def draw(labels=3, shots=4, dimension=16, spread=0.3, seed=0):
    """Examples around a random direction each, and these directions."""
    rng = np.random.default_rng(seed)
    centres = unit(rng.normal(size=(labels, dimension)))
    seen = unit(centres[:, None] + spread * rng.normal(size=(labels, shots, dimension)))
    names = tuple(f"label {i}" for i in range(labels))
    owners = np.repeat(np.arange(labels), shots)
    return Examples(names, seen.reshape(-1, dimension), owners, SPACE), centres


def test_prototypes_are_the_mean_directions():
    examples, _ = draw()
    bank = prototypes(examples)
    sums = [examples.embeddings[examples.owners == i].sum(axis=0) for i in range(3)]
    np.testing.assert_allclose(bank.embeddings, unit(np.array(sums)), atol=1e-6)
    assert (bank.names, bank.space) == (examples.names, SPACE)


def test_a_trained_head_fits_the_examples_better_and_stays_a_bank():
    examples, _ = draw(labels=6, shots=3, spread=0.6, seed=3)

    def loss(bank, scale=20.0):
        logits = bank.logits(examples.embeddings, scale).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[np.arange(len(logits)), examples.owners]
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - right))

    assert loss(linear_head(examples, 20.0)) < loss(prototypes(examples))
    held = linear_head(examples, 20.0, decay=100.0)
    np.testing.assert_allclose(held.embeddings, prototypes(examples).embeddings, atol=5e-3)


def test_one_label_needs_no_training():
    examples, _ = draw(labels=1)
    np.testing.assert_array_equal(
        linear_head(examples, 10.0).embeddings, prototypes(examples).embeddings
    )


def test_cached_examples_add_what_the_formula_says():
    examples, centres = draw()
    words = LabelBank(examples.names, centres, SPACE)
    bank = cache_head(examples, words, alpha=2.0, beta=3.0)
    seen = unit(np.random.default_rng(1).normal(size=(5, 16)))
    one_hot = np.eye(3)[examples.owners]
    near = np.exp(-3.0 * (1 - seen @ examples.embeddings.T)) @ one_hot
    np.testing.assert_allclose(bank.logits(seen, 7.0), 7.0 * seen @ centres.T + 2 * near, atol=1e-5)
    probabilities = np.exp(bank.logits(seen, 7.0)[0].astype(np.float64))
    scored = LabelScorer(bank, 7.0, 3).scores(seen[0])
    np.testing.assert_allclose(scored, probabilities / probabilities.sum(), atol=1e-6)
    with pytest.raises(LabelError, match="use softmax"):
        LabelScorer(bank, 7.0, 3, scores="cosine")


def test_examples_stay_with_their_labels(tmp_path):
    examples, _ = draw()
    bank = cache_head(examples)
    other = LabelBank(("word",), examples.embeddings[:1], SPACE)
    joined = other.join(bank)
    assert joined.cache is not None
    np.testing.assert_array_equal(joined.cache.owners, examples.owners + 1)
    chosen = joined.select(["label 2", "word", "label 0"])
    assert chosen.cache is not None
    np.testing.assert_array_equal(np.unique(chosen.cache.owners), [0, 2])
    np.testing.assert_array_equal(
        chosen.cache.keys[chosen.cache.owners == 0], examples.embeddings[examples.owners == 2]
    )
    assert joined.select(["word"]).cache is None
    twice = bank.join(
        cache_head(Examples(("x",), examples.embeddings[:2], np.zeros(2, int), SPACE))
    )
    assert twice.cache is not None
    assert twice.cache.owners.tolist() == [*examples.owners.tolist(), 3, 3]
    path = tmp_path / "b.safetensors"
    chosen.save(path)
    again = LabelBank.load(path)
    assert again.cache is not None
    np.testing.assert_array_equal(again.cache.keys, chosen.cache.keys)
    np.testing.assert_array_equal(again.cache.owners, chosen.cache.owners)
    assert (again.cache.alpha, again.cache.beta) == (chosen.cache.alpha, chosen.cache.beta)


def test_a_cache_that_does_not_fit_is_refused(tmp_path):
    examples, _ = draw()
    bank = prototypes(examples)
    for cache, text in [
        (LabelCache(examples.embeddings[:, :8], examples.owners), "examples for embeddings of 16"),
        (LabelCache(examples.embeddings, examples.owners + 1), "not of its 3 names"),
        (LabelCache(examples.embeddings, examples.owners, alpha=-1.0), "alpha -1"),
    ]:
        with pytest.raises(LabelError, match=text):
            bank.with_cache(cache)
    path = tmp_path / "b.safetensors"
    cache_head(examples).save(path)
    tensors = load_file(path)
    save_file({"embeddings": tensors["embeddings"]}, path, {"names": "[]", "space": SPACE})
    with pytest.raises(LabelError, match="not a label bank"):
        LabelBank.load(path)


def test_what_is_expected_comes_from_examples_left_out():
    easy, _ = draw(spread=0.1)
    assert expected(easy, prototypes, 10.0) == 1.0
    hard, _ = draw(labels=10, spread=5.0, seed=5)
    share = expected(hard, partial(linear_head, scale=10.0), 10.0)
    assert share is not None
    assert share < 0.6
    assert expected(easy.at_most(1), prototypes, 10.0) is None
    assert len(easy.at_most(2).owners) == 6


def test_examples_need_labels():
    with pytest.raises(LabelError, match="at least one"):
        Examples(("a", "b"), np.eye(2, dtype=np.float32)[:1], np.zeros(1, int), SPACE)
    opposite = Examples(("a",), np.float32([[1, 0], [-1, 0]]), np.zeros(2, int), SPACE)
    with pytest.raises(LabelError, match="cancel out"):
        prototypes(opposite)
