"""Large made-up recordings for the benchmarks: moving edges in row bursts, noise and hot pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from saccade.camera.events import Packet


@dataclass(frozen=True, slots=True)
class Scene:
    """What a benchmark's recording shows.

    Attributes:
        width, height: pixels.
        events: how many, about.
        seconds: how long.
        edge: pixels that one edge changes in a row at a time, at most.
        ellipses: moving objects; each has two edges in a row.
        step_us: time from one readout of the whole sensor to the next.
    """

    width: int
    height: int
    events: int
    seconds: float
    edge: int
    ellipses: int
    step_us: int = 1000


#: 32 M events in 2 s, as a 1280x720 sensor gives them.
HD = Scene(1280, 720, 30_000_000, 2.0, edge=5, ellipses=24)
#: 17 M events in 4 s, as a 346x260 sensor gives them.
D346 = Scene(346, 260, 17_000_000, 4.0, edge=3, ellipses=24)
NOISE, HOT_PIXELS, FILLED = 0.08, 50, 0.7
LOST = 0.25  # of the edges' events: beside the sensor, or at a pixel that has one already


def packets(scene: Scene, share: float = 1.0, seed: int = 1) -> Iterator[Packet]:
    """Packets of one readout each, in the order of time, row and column; the same for a seed.

    Args:
        scene: what is seen.
        share: part of the scene's duration.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    steps = round(scene.seconds * 1e6 / scene.step_us)
    objects = _objects(scene, rng)
    hot = rng.integers(0, scene.width * scene.height, HOT_PIXELS)
    per_step = scene.events / steps
    for step in range(round(steps * share)):
        edges = _edges(scene, objects, step, int(per_step * (1 - NOISE) / (1 - LOST)), rng)
        noise = _noise(scene, int(per_step * NOISE), hot, rng)
        y, x, on = (np.concatenate(pair) for pair in zip(edges, noise, strict=True))
        # Rows are read one after the other, each within its microsecond.
        t = step * scene.step_us + y * scene.step_us // scene.height
        order = np.lexsort((x, y))
        keep = order[np.r_[True, np.diff((y * scene.width + x)[order]) != 0]]
        yield Packet(
            t[keep].astype(np.uint64),
            x[keep].astype(np.uint16),
            y[keep].astype(np.uint16),
            on[keep].astype(bool),
        )


def _objects(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Centre x and y, half axes, and speed in x and y (pixels a step), for each ellipse."""
    n = scene.ellipses
    size = np.array([scene.width, scene.height])
    centre = rng.random((n, 2)) * size
    axes = (0.15 + 0.2 * rng.random((n, 2))) * size
    speed = rng.normal(0, 0.002, (n, 2)) * size
    return np.concatenate([centre, axes, speed], 1)


def _edges(
    scene: Scene, objects: np.ndarray, step: int, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, x, on of about n events along the outlines."""
    size = np.array([scene.width, scene.height])
    centre = (objects[:, :2] + step * objects[:, 4:]) % size
    rows = np.arange(scene.height)
    dy = (rows[None] - centre[:, 1:2]) / objects[:, 3:4]
    half = objects[:, 2:3] * np.sqrt(np.clip(1 - dy * dy, 0, None))
    crossed = np.abs(dy) < 1
    left, right = centre[:, :1] - half, centre[:, :1] + half
    start = np.concatenate([left[crossed], right[crossed]]).astype(np.int64)
    row = np.concatenate([np.broadcast_to(rows, dy.shape)[crossed]] * 2)
    side = np.repeat([True, False], len(row) // 2)
    chosen = rng.random(len(row)) < n / max(1, len(row) * scene.edge * FILLED)
    row, start, side = row[chosen], start[chosen], side[chosen]
    x = start[:, None] + np.arange(scene.edge)[None]
    seen = (rng.random(x.shape) < FILLED) & (x >= 0) & (x < scene.width)
    return (
        np.broadcast_to(row[:, None], x.shape)[seen],
        x[seen],
        np.broadcast_to(side[:, None], x.shape)[seen],
    )


def _noise(
    scene: Scene, n: int, hot: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pixel = rng.integers(0, scene.width * scene.height, n)
    pixel[: n // 8] = rng.choice(hot, n // 8)
    return pixel // scene.width, pixel % scene.width, rng.random(n) < 0.5
