"""Labels on a GPU: the kernel's code on the host beside its definition, and there."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference.labels import best_labels

from saccade.camera import _native
from saccade.engines.labels import LabelBank, LabelScorer


def normalised(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Labels:
    """A runner with memory for 8 embeddings of one dimension, as an engine has it."""

    def __init__(self, device: object, dimension: int) -> None:
        on_host = isinstance(device, _native.HostDevice)
        self.runner = _native.host_runner(device) if on_host else _native.cuda_runner(device)
        self.dimension = dimension
        self._staged = self.runner.pinned(8 * dimension * 4)
        self._embeddings = self.runner.allocate(self._staged.nbytes)
        self._found = self.runner.pinned(2 * 8 * 4 * _native.max_top)
        self._best = self.runner.allocate(self._found.nbytes)

    def __call__(self, embeddings: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices and scores [N, top]."""
        n, stream = len(embeddings), self.runner.stream
        data = np.ascontiguousarray(embeddings)
        self._staged[: data.nbytes] = data.reshape(-1).view(np.uint8)
        self.runner.copy(self._embeddings, self._staged.ctypes.data, data.nbytes, stream)
        half = self._best + self._found.nbytes // 2
        self.runner.label(
            self._embeddings, n, self.dimension, data.dtype == np.float16, self._best, half, stream
        )
        self.runner.copy(self._found.ctypes.data, self._best, self._found.nbytes, stream)
        self.runner.synchronise(stream)
        indices, scores = self._found.view(np.uint32).reshape(2, 8, _native.max_top)[:, :n, :top]
        return indices, scores.copy().view(np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(
    ("labels", "dimension", "top"), [(1, 4, 1), (3, 1, 5), (34, 512, 5), (700, 64, 32)]
)
def test_best_labels_are_those_of_the_definition(device, dtype, labels, dimension, top) -> None:
    rng = np.random.default_rng(labels)
    bank = normalised(rng.normal(size=(labels, dimension)))
    found = Labels(device, dimension)
    found.runner.set_vocabulary(bank, 20.0, top)
    for n in (1, 3, 8):
        embeddings = normalised(rng.normal(size=(n, dimension))).astype(dtype)
        wanted, scores = best_labels(embeddings, bank, 20.0, top)
        indices, given = found(embeddings, min(top, labels))
        np.testing.assert_allclose(given, scores, rtol=2e-5, atol=1e-9)
        # Where two weights are nearly one, either may come first.
        _, all_scores = best_labels(embeddings, bank, 20.0, labels)
        order, _ = best_labels(embeddings, bank, 20.0, labels)
        score_of = np.empty_like(all_scores)
        np.put_along_axis(score_of, order, all_scores, axis=1)
        by_index = np.take_along_axis(score_of, indices.astype(np.int64), axis=1)
        np.testing.assert_allclose(by_index, scores, rtol=2e-5, atol=1e-9)
        assert all(len(set(row)) == len(row) for row in indices.tolist())
        assert (indices == wanted).mean() > 0.99


@pytest.mark.parametrize("threads", [1, 32, 40, 96, 256])
def test_any_number_of_threads_gives_the_same(threads) -> None:
    """Warps share the dimensions: one of them, several, and threads that are left over."""
    rng = np.random.default_rng(threads)
    bank, embeddings = normalised(rng.normal(size=(77, 50))), normalised(rng.normal(size=(3, 50)))
    found = Labels(_native.HostDevice(1, threads, 2, False), 50)
    found.runner.set_vocabulary(bank, 10.0, 6)
    indices, given = found(embeddings, 6)
    wanted, scores = best_labels(embeddings, bank, 10.0, 6)
    np.testing.assert_array_equal(indices, wanted)
    np.testing.assert_allclose(given, scores, rtol=2e-5)


def test_ties_keep_the_banks_order(device) -> None:
    """Rows that are equal, in blocks and warps of their own, and all of one weight."""
    rng = np.random.default_rng(5)
    few = normalised(rng.normal(size=(7, 16)))
    bank = few[rng.integers(0, 7, 333)]
    embeddings = normalised(rng.normal(size=(4, 16)))
    found = Labels(device, 16)
    found.runner.set_vocabulary(bank, 10.0, 32)
    wanted, scores = best_labels(embeddings, bank, 10.0, 32)
    indices, given = found(embeddings, 32)
    np.testing.assert_array_equal(indices, wanted)
    np.testing.assert_allclose(given, scores, rtol=2e-5)
    found.runner.set_vocabulary(np.ascontiguousarray(bank[:1].repeat(50, 0)), 100.0, 9)
    indices, given = found(embeddings, 9)
    np.testing.assert_array_equal(indices, np.tile(np.arange(9), (4, 1)))
    np.testing.assert_allclose(given, 1 / 50, rtol=1e-5)


def test_the_labels_are_those_of_the_host(device) -> None:
    rng = np.random.default_rng(6)
    bank = LabelBank(tuple(f"w{i}" for i in range(90)), normalised(rng.normal(size=(90, 32))), "s")
    scorer = LabelScorer(bank, 100.0, 5)
    found = Labels(device, 32)
    found.runner.set_vocabulary(bank.embeddings, 100.0, 5)
    embeddings = normalised(rng.normal(size=(8, 32)))
    indices, given = found(embeddings, 5)
    for row, embedding in enumerate(embeddings):
        names, scores = scorer(embedding)
        assert tuple(bank.names[i] for i in indices[row]) == names
        np.testing.assert_allclose(given[row], scores, rtol=1e-4, atol=1e-12)


def test_words_change_while_it_runs(device) -> None:
    """Larger and smaller vocabularies, and none at first: in one graph, captured before."""
    rng = np.random.default_rng(7)
    found = Labels(device, 8)
    embeddings = normalised(rng.normal(size=(2, 8)))
    assert not found(embeddings, 5)[1].any()
    for labels in (3, 200, 2, 1000):
        bank = normalised(rng.normal(size=(labels, 8)))
        found.runner.set_vocabulary(bank, 5.0, 2)
        np.testing.assert_array_equal(
            found(embeddings, 2)[0], best_labels(embeddings, bank, 5.0, 2)[0]
        )


def test_an_embedding_that_is_no_number_has_labels_in_range(device) -> None:
    found = Labels(device, 8)
    found.runner.set_vocabulary(normalised(np.ones((40, 8))), 5.0, 3)
    indices, scores = found(np.full((1, 8), np.nan, np.float32), 3)
    assert indices.tolist() == [[0, 1, 2]]
    assert np.isnan(scores).all()


def test_what_cannot_be_labelled_is_refused() -> None:
    runner = _native.host_runner(_native.HostDevice(1, 7, 1, False))
    bank = normalised(np.ones((2, 8)))
    for top in (0, _native.max_top + 1):
        with pytest.raises(_native.CudaError, match="from 1 to 32 labels"):
            runner.set_vocabulary(bank, 5.0, top)
    with pytest.raises(_native.CudaError, match="no label"):
        runner.set_vocabulary(bank[:0], 5.0, 1)
    runner.set_vocabulary(bank, 5.0, 1)
    with pytest.raises(_native.CudaError, match="at once"):
        runner.label(0, 9, 8, False, 0, 0, 0)
    with pytest.raises(_native.CudaError, match="7 dimensions, the labels 8"):
        runner.label(0, 1, 7, False, 0, 0, 0)


def test_half_numbers_are_read_as_numpy_reads_them() -> None:
    """Every finite fp16 but 0 as an embedding of one dimension: two labels, 1 and 0, show it."""
    runner = _native.host_runner(_native.HostDevice(1, 7, 1, False))
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    values = values[np.isfinite(values) & (values > 0)]
    out = np.zeros((2, 8, _native.max_top), np.uint32)
    for row in np.stack([values, -values], axis=1):
        scale = 2 / float(np.abs(row.astype(np.float64)).max())
        runner.set_vocabulary(np.float32([[1], [0]]), scale, 2)
        runner.label(row.ctypes.data, 2, 1, True, out[0].ctypes.data, out[1].ctypes.data, 0)
        scores = out[1, :2, 0].view(np.float32).astype(np.float64)
        found = np.log(scores / (1 - scores)) / scale  # the softmax of (x, 0) undone
        np.testing.assert_allclose(found, np.abs(row.astype(np.float64)), rtol=3e-6)
        assert (out[0, :2, 0] == (row < 0)).all()
