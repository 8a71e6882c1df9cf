"""Frames to compare encoders on: moving outlines as an event camera sees them, always the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.frames import FrameMaker, FrameSpec

_WIDTH, _HEIGHT = 640, 480


def probe_frames(spec: FrameSpec, n: int, channels: int, seed: int = 0) -> NDArray[np.float32]:
    """float32 [n, channels, size, size]: frames of `spec`, copied to the channels.

    Each is of 10,000 to 30,000 events: up to six ellipses, whole or in part, that move, and noise.
    """
    rng = np.random.default_rng(seed)
    maker = FrameMaker(_WIDTH, _HEIGHT, spec)
    frames = np.empty((n, channels, spec.size, spec.size), np.float32)
    for frame in frames:
        frame[:] = maker.make([Packet.from_array(_scene(rng))])
    return frames


def _scene(rng: np.random.Generator) -> NDArray[np.void]:
    outlines = [_outline(rng, int(rng.integers(3000, 5000))) for _ in range(rng.integers(3, 7))]
    noise = np.zeros(1000, EVENT_DTYPE)
    noise["x"], noise["y"] = rng.integers(0, _WIDTH, 1000), rng.integers(0, _HEIGHT, 1000)
    noise["on"] = rng.random(1000) < 0.5
    return np.concatenate([*outlines, noise])


def _outline(rng: np.random.Generator, n: int) -> NDArray[np.void]:
    """An arc of an ellipse that moves some pixels: ON before it, OFF behind."""
    angle = rng.uniform(0, 2 * np.pi) + rng.uniform(1, 2 * np.pi) * rng.random(n)
    towards = rng.uniform(0, 2 * np.pi)
    moved = rng.uniform(2, 20) * rng.random(n)
    x = rng.uniform(80, 560) + rng.uniform(20, 200) * np.cos(angle) + moved * np.cos(towards)
    y = rng.uniform(60, 420) + rng.uniform(20, 150) * np.sin(angle) + moved * np.sin(towards)
    inside = (x >= 0) & (x < _WIDTH) & (y >= 0) & (y < _HEIGHT)
    events = np.zeros(int(inside.sum()), EVENT_DTYPE)
    events["x"], events["y"] = x[inside], y[inside]
    events["on"] = np.cos(angle - towards)[inside] > 0
    return events
