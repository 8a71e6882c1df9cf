"""The frame's definition in plain numpy: what the native core must equal."""

from __future__ import annotations

import numpy as np


def counts(x, y, on, width, height, size, counting):
    """uint32 [2, rows, columns], OFF first."""
    if counting == "encoder":
        x, y = x.astype(np.int64) * size // width, y.astype(np.int64) * size // height
        width = height = size
    grid = np.zeros((2, height, width), np.uint32)
    np.add.at(grid, (on.astype(np.int64), y.astype(np.int64), x.astype(np.int64)), 1)
    return grid


def normalise(grid, kind, clamp):
    """float64 [rows, columns] of counts [2, rows, columns]."""
    off, on = grid.astype(np.float64)
    total = off + on
    if kind == "paper":
        return total / (total.max() + 1)
    if kind == "signed":
        return on / (on.max() + 1) + off / (off.max() + 1) - 1
    clamped = np.minimum(total, clamp)
    return clamped / max(clamped.max(), 1)


def resize_matrix(size_in, size_out):
    """float64 [out, in]: triangle filter, widened by the scale when it shrinks, rows sum to 1."""
    ratio = size_in / size_out
    support = max(ratio, 1.0)
    centres = (np.arange(size_out) + 0.5) * ratio
    distance = np.abs(np.arange(size_in)[None] + 0.5 - centres[:, None])
    weights = np.maximum(0, 1 - distance / support)
    return weights / weights.sum(1, keepdims=True)


def frame(x, y, on, width, height, kind, size, counting, clamp):
    """float64 [size, size]: count, normalise, resize."""
    values = normalise(counts(x, y, on, width, height, size, counting), kind, clamp)
    rows, columns = values.shape
    return resize_matrix(rows, size) @ values @ resize_matrix(columns, size).T
