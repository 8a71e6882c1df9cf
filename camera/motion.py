"""How an image moves in front of a simulated sensor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError


class Pose(NamedTuple):
    """Where the image is: pixels right and down, its size relative to rest, radians clockwise."""

    x: float
    y: float
    scale: float
    angle: float


@dataclass(frozen=True, slots=True)
class Path:
    """Where the image's centre is, relative to the sensor's: piecewise linear in time.

    Attributes:
        t_us: int64 [K], increasing.
        x, y: float64 [K], pixels of the sensor, right and down.
        scale: float64 [K], the image's size relative to what it is at rest; None: 1.
        angle: float64 [K], radians that it is turned clockwise around its centre; None: 0.
    """

    t_us: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    scale: NDArray[np.float64] | None = None
    angle: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        t = self.t_us
        tracks = [self.x, self.y, *(a for a in (self.scale, self.angle) if a is not None)]
        if not (t.ndim == 1 and t.size and all(t.shape == track.shape for track in tracks)):
            raise SaccadeError(
                "path: t_us, x, y, scale and angle must be of one length, and not empty"
            )
        if t[0] < 0 or not np.all(np.diff(t) > 0):
            raise SaccadeError("path: t_us must increase, from 0 or later")
        if not all(np.isfinite(track).all() for track in tracks):
            raise SaccadeError("path: x, y, scale and angle must be finite")
        if self.scale is not None and not np.all(self.scale > 0):
            raise SaccadeError("path: scale must be above 0")

    def at(self, t_us: float) -> tuple[float, float]:
        """The position at a time; before the first and after the last point it stands still."""
        return self.pose(t_us)[:2]

    def pose(self, t_us: float) -> Pose:
        """Position, size and angle at a time, as `at`."""
        return Pose(*(float(track[0]) for track in self.poses(np.array([t_us]))))

    def poses(
        self, t_us: NDArray[np.uint64] | NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], ...]:
        """x, y, scale and angle at N times, float64 [N] each."""
        tracks = ((self.x, 0.0), (self.y, 0.0), (self.scale, 1.0), (self.angle, 0.0))
        return tuple(
            np.full(t_us.shape, rest) if track is None else np.interp(t_us, self.t_us, track)
            for track, rest in tracks
        )

    def lengths(self, radius: float) -> NDArray[np.float64]:
        """Float64 [K - 1]: how far what lies `radius` pixels from the centre moves at most."""
        length = np.hypot(np.diff(self.x), np.diff(self.y))
        if self.scale is not None:
            length += radius * np.abs(np.diff(np.log(self.scale)))
        if self.angle is not None:
            length += radius * np.abs(np.diff(self.angle))
        return length

    def repeated(self, times: int) -> Path:
        """The same way again and again: it should end where it begins."""
        span = self.t_us[-1] - self.t_us[0]

        def again(track: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.concatenate([track[:1], np.tile(track[1:], times)])

        turns = np.repeat(np.arange(times, dtype=np.int64), len(self.t_us) - 1) * span
        t = np.concatenate([self.t_us[:1], np.tile(self.t_us[1:], times) + turns])
        scale = None if self.scale is None else again(self.scale)
        angle = None if self.angle is None else again(self.angle)
        return Path(t, again(self.x), again(self.y), scale, angle)


def saccades(duration_us: int, amplitude: float, start_us: int = 0) -> Path:
    """Three equal strokes along a triangle and back to its start, as N-Caltech101 was recorded.

    Args:
        duration_us: of all three together.
        amplitude: width of the triangle in pixels.
        start_us: time of the first point.
    """
    t = start_us + np.linspace(0, duration_us, 4).astype(np.int64)
    x = np.array([-0.5, 0.0, 0.5, -0.5]) * amplitude
    y = np.array([-0.5, 0.5, -0.5, -0.5]) * amplitude
    return Path(t, x, y)


def random_walk(duration_us: int, speed: float, seed: int, start_us: int = 0) -> Path:
    """A drift that turns every 20 ms.

    Args:
        duration_us: length in time.
        speed: pixels per second.
        seed: of the turns.
        start_us: time of the first point.
    """
    n = max(1, round(duration_us / 20_000))
    t = start_us + np.linspace(0, duration_us, n + 1).astype(np.int64)
    turns = np.random.default_rng(seed).normal(0, 0.6, n).cumsum()
    stride = speed * duration_us / 1e6 / n
    x = np.concatenate([[0.0], np.cumsum(np.cos(turns)) * stride])
    y = np.concatenate([[0.0], np.cumsum(np.sin(turns)) * stride])
    return Path(t, x - x.mean(), y - y.mean())


def zoom(duration_us: int, factor: float, start_us: int = 0) -> Path:
    """Grows to `factor` times its size and shrinks back, at an even rate: each quarter of it alike.

    Args:
        duration_us: of both together.
        factor: above 0; below 1 it shrinks first.
        start_us: time of the first point.
    """
    if not 0 < factor < math.inf:
        raise SaccadeError(f"zoom {factor}: must be above 0")
    n = 2 * max(1, math.ceil(abs(math.log(factor)) / 0.02))  # linear between: within 0.005 %
    t = start_us + np.linspace(0, duration_us, n + 1).astype(np.int64)
    scale = np.exp(math.log(factor) * (1 - np.abs(np.linspace(-1, 1, n + 1))))
    return Path(t, np.zeros(n + 1), np.zeros(n + 1), scale)


def rotation(duration_us: int, radians: float, start_us: int = 0) -> Path:
    """Turns around its centre, clockwise where `radians` is above 0, at an even rate."""
    t = start_us + np.array([0, duration_us], np.int64)
    return Path(t, np.zeros(2), np.zeros(2), None, np.array([0.0, radians]))
