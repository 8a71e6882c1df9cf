"""Histograms, voxel grids and time surfaces in plain numpy: what the native core must equal."""

from __future__ import annotations

import numpy as np


def _inside(events, width, height):
    return events[(events["x"] < width) & (events["y"] < height)]


def histogram(events, width, height):
    """uint64 [2, H, W], OFF first, of an array of `EVENT_DTYPE`."""
    events = _inside(events, width, height)
    grid = np.zeros((2, height, width), np.uint64)
    np.add.at(grid, (events["on"].astype(int), events["y"], events["x"]), 1)
    return grid


def voxel_grid(events, width, height, bins, begin, end):
    """float64 [B, H, W]: sum of p max(0, 1 - |b - t*|), straight from the formula."""
    events = _inside(events, width, height)
    t = np.clip(events["t"].astype(np.int64), begin, max(begin, end)) - begin
    moment = (bins - 1) * t / (end - begin) if end > begin else np.zeros(len(t))
    sign = np.where(events["on"], 1.0, -1.0)
    grid = np.zeros((bins, height, width))
    for b in range(bins):
        weight = sign * np.maximum(0, 1 - np.abs(b - moment))
        np.add.at(grid[b], (events["y"], events["x"]), weight)
    return grid


def normalise(grid):
    """float64: values that are not 0 to mean 0 and standard deviation 1."""
    grid = grid.astype(np.float64)
    there = grid != 0
    if there.any():
        values = grid[there] - grid[there].mean()
        deviation = values.std()
        grid[there] = values / deviation if deviation > 0 else values
    return grid


def last_times(last, events):
    """Puts the time of each event in float64 [2, H, W], one after the other; -inf is never."""
    events = _inside(events, last.shape[2], last.shape[1])
    for t, x, y, on in events.tolist():
        last[int(on), y, x] = t
    return last


def time_surface(last, now, decay, tau):
    """float64 [2, H, W] of what `last_times` gave."""
    age = np.maximum(now - last, 0)
    return np.exp(-age / tau) if decay == "exponential" else np.maximum(0, 1 - age / tau)
