"""Batches for torch: the one place of the data sets that knows it."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from saccade.training.datasets.samples import Item, Samples


@dataclass(frozen=True)
class Batch:
    """Samples of one step.

    Attributes:
        frames: float32 [N, 1, size, size].
        photos: float32 [N, 3, photo_size, photo_size]; None without paired images.
        labels: int64 [N].
    """

    frames: Tensor
    photos: Tensor | None
    labels: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        photos = None if self.photos is None else self.photos.to(device, non_blocking=True)
        frames, labels = (t.to(device, non_blocking=True) for t in (self.frames, self.labels))
        return Batch(frames, photos, labels)

    def split(self, parts: int) -> Iterator[Batch]:
        """The batch in so many parts of one size."""
        photos = [None] * parts if self.photos is None else self.photos.chunk(parts)
        chunks = zip(self.frames.chunk(parts), photos, self.labels.chunk(parts), strict=True)
        return (Batch(*chunk) for chunk in chunks)


class _Items(Dataset[Item]):
    """Samples by (epoch, index), so that workers, too, know the epoch."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, key: tuple[int, int]) -> Item:
        return self.samples.item(key[1], key[0])


class Order(Sampler["list[tuple[int, int]]"]):
    """The batches of one process in an epoch, from some step on.

    Every epoch has an order of its own, the same in all processes: `batch` * `processes` samples a
    step, of which each process takes its run. What fills no step is left out.
    """

    def __init__(
        self, samples: int, batch: int, *, seed: int, rank: int = 0, processes: int = 1
    ) -> None:
        self.steps = samples // (batch * processes)
        self.epoch = self.first_step = 0
        self._samples, self._batch, self._seed = samples, batch, seed
        self._rank, self._processes = rank, processes

    def __len__(self) -> int:
        return self.steps - self.first_step

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = np.random.default_rng([self._seed, self.epoch]).permutation(self._samples)
        for step in range(self.first_step, self.steps):
            first = (step * self._processes + self._rank) * self._batch
            yield [(self.epoch, int(k)) for k in order[first : first + self._batch]]


def _collate(items: list[Item]) -> Batch:
    photos = [item.photo for item in items if item.photo is not None]
    return Batch(
        torch.from_numpy(np.stack([item.frame for item in items])).unsqueeze(1),
        torch.from_numpy(np.stack(photos)) if photos else None,
        torch.tensor([item.label for item in items]),
    )


def training_batches(samples: Samples, order: Order, workers: int) -> DataLoader[Batch]:
    """The batches of `order`; set its `epoch` and `first_step` before each pass."""
    return _loader(samples, order, workers)


def test_batches(samples: Samples, batch: int, workers: int) -> DataLoader[Batch]:
    """All samples in their order; the last batch may be smaller."""
    keys = [(0, k) for k in range(len(samples))]
    batches = [keys[k : k + batch] for k in range(0, len(keys), batch)]
    return _loader(samples, batches, workers)


def _begin_worker(_: int) -> None:
    """Lets a worker end without what nanobind would call leaked."""
    info: Any = get_worker_info()
    atexit.register(info.dataset.samples.release)


def _loader(samples: Samples, batches: object, workers: int) -> DataLoader[Batch]:
    # Spawned, not forked: the parent has threads of torch and of ONNX Runtime.
    loader: Any = DataLoader(
        _Items(samples),
        batch_sampler=batches,  # pyright: ignore[reportArgumentType]
        num_workers=workers,
        collate_fn=_collate,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_begin_worker,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )
    return loader
