"""The event simulator: an image moved along a path in front of an ideal sensor with real flaws.

Each pixel remembers the log intensity of its last event and fires whenever the light has changed
by its contrast threshold since (Lichtsteiner et al., 2008); between two frames the light moves
linearly, which gives each event its microsecond, as in ESIM (Rebecq et al., 2018).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.events import MAX_SIDE, Packet

#: Added to intensities in [0, 1] before the logarithm: a sensor's dark current, which keeps dark
#: noise from having infinite contrast.
DARK = 0.03

MIN_THRESHOLD = 0.001  # smaller ones, which no sensor has, would fire without end
MAX_RATE = 1_000_000  # Hz, or microseconds


@dataclass(frozen=True, slots=True)
class Sensor:
    """A simulated sensor.

    Attributes:
        width, height: pixels.
        threshold_on, threshold_off: contrast that fires a pixel, in log intensity (0.2 = 22 %).
        threshold_sigma: standard deviation of both between pixels.
        refractory_us: a pixel is blind so long after an event.
        leak_hz: ON events per pixel and second that come without light.
        noise_hz: random events per pixel and second of either polarity.
    """

    width: int = 346
    height: int = 260
    threshold_on: float = 0.2
    threshold_off: float = 0.2
    threshold_sigma: float = 0.02
    refractory_us: int = 100
    leak_hz: float = 0.1
    noise_hz: float = 0.1

    def __post_init__(self) -> None:
        if not (1 <= self.width <= MAX_SIDE and 1 <= self.height <= MAX_SIDE):
            size = f"{self.width}x{self.height}"
            raise SaccadeError(f"sensor {size}: sides must be from 1 to {MAX_SIDE} pixels")
        for name in ("threshold_on", "threshold_off"):
            if not MIN_THRESHOLD <= getattr(self, name) < math.inf:
                value = getattr(self, name)
                raise SaccadeError(f"{name} {value}: must be at least {MIN_THRESHOLD} (0.1 %)")
        for name in ("threshold_sigma", "refractory_us", "leak_hz", "noise_hz"):
            if not 0 <= getattr(self, name) <= MAX_RATE:
                raise SaccadeError(f"{name} {getattr(self, name)}: must be from 0 to {MAX_RATE}")


@dataclass(frozen=True, slots=True)
class Path:
    """Where the image's centre is, relative to the sensor's: piecewise linear in time.

    Attributes:
        t_us: int64 [K], increasing.
        x, y: float64 [K], pixels of the sensor, right and down.
    """

    t_us: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    def __post_init__(self) -> None:
        t = self.t_us
        if not (t.ndim == 1 and t.size and t.shape == self.x.shape == self.y.shape):
            raise SaccadeError("path: t_us, x and y must be of one length, and not empty")
        if t[0] < 0 or not np.all(np.diff(t) > 0):
            raise SaccadeError("path: t_us must increase, from 0 or later")
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise SaccadeError("path: x and y must be finite")

    def at(self, t_us: float) -> tuple[float, float]:
        """The position at a time; before the first and after the last point it stands still."""
        x, y = np.interp(t_us, self.t_us, self.x), np.interp(t_us, self.t_us, self.y)
        return float(x), float(y)


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


def log_intensity(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """log(I + DARK), float32 [h, w], of a gray image: uint8 [h, w], or float [h, w] in [0, 1].

    Raises:
        SaccadeError: another dtype.
    """
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise SaccadeError(f"image of {image.dtype}: must be uint8, or float in [0, 1]")
    scale = 255.0 if image.dtype == np.uint8 else 1.0
    return np.log(image.astype(np.float32) / np.float32(scale) + np.float32(DARK))


class Simulator:
    """A sensor that is shown frames. Deterministic for a seed; not thread-safe."""

    def __init__(self, sensor: Sensor, seed: int) -> None:
        self.sensor = sensor
        self._now_us: int | None = None
        self._native = _native.Simulator(
            sensor.width,
            sensor.height,
            sensor.threshold_on,
            sensor.threshold_off,
            sensor.threshold_sigma,
            sensor.refractory_us,
            sensor.leak_hz,
            sensor.noise_hz,
            seed,
        )

    def step(self, log_frame: NDArray[np.float32], t_us: int) -> Packet:
        """The events between the frame before and this one, sorted by time.

        Args:
            log_frame: float32 [height, width], log intensity. The first one sets the pixels'
                memories and gives no events.
            t_us: its time in microseconds, later than the frame's before by less than 2^32.

        Raises:
            SaccadeError: such a time or such a frame it is not, or values are beyond +-100.
        """
        if self._now_us is not None and not 0 < t_us - self._now_us < 1 << 32:
            raise SaccadeError(
                f"frame at {t_us} us: must be later than {self._now_us} us, at most 71 minutes"
            )
        try:
            columns = self._native.step(np.ascontiguousarray(log_frame, np.float32), t_us)
        except ValueError as error:
            raise SaccadeError(f"frame at {t_us} us: {error}") from None
        self._now_us = t_us
        return Packet(*columns)


def simulate_image(
    image: NDArray[np.generic],
    path: Path,
    sensor: Sensor,
    *,
    seed: int,
    fit: float = 0.9,
    stretch: float = 1.0,
    fill: float = math.nan,
    pixels_per_step: float = 1.0,
) -> Iterator[Packet]:
    """Events of an image that moves along a path in front of a sensor, a packet per step.

    Args:
        image: gray, uint8 [h, w] or float [h, w] in [0, 1].
        path: the motion of its centre.
        sensor: what sees it.
        seed: of every random choice.
        fit: size of the image relative to the largest that the sensor would hold whole.
        stretch: width over height, relative to the image's own.
        fill: log intensity around the image; its own edge goes on where NaN.
        pixels_per_step: motion between two rendered frames, at most.

    Raises:
        SaccadeError: an empty image, or a size that is not positive.
    """
    if image.ndim != 2 or not image.size:
        raise SaccadeError(f"image of shape {image.shape}: must be gray [h, w] and not empty")
    if not (fit > 0 and stretch > 0 and pixels_per_step > 0):
        raise SaccadeError("fit, stretch and pixels_per_step: must be positive")
    light = np.ascontiguousarray(log_intensity(image))
    height, width = image.shape
    scale = fit * min(sensor.width / width, sensor.height / height)
    zoom_x, zoom_y = scale * math.sqrt(stretch), scale / math.sqrt(stretch)
    simulator = Simulator(sensor, seed)
    canvas = np.empty((sensor.height, sensor.width), np.float32)
    for t in _times(path, pixels_per_step):
        x, y = path.at(t)
        left = (width - 1) / 2 - ((sensor.width - 1) / 2 + x) / zoom_x
        top = (height - 1) / 2 - ((sensor.height - 1) / 2 + y) / zoom_y
        _native.warp(light, 1 / zoom_x, 0.0, left, 0.0, 1 / zoom_y, top, fill, canvas)
        packet = simulator.step(canvas, t)
        if len(packet):
            yield packet


#: A still image is rendered this often: leak and noise need no more.
_STILL_US = 10_000


def _times(path: Path, pixels_per_step: float) -> list[int]:
    """Times at which to render: the path's points, and as many between as the motion asks for."""
    times = [int(path.t_us[0])]
    for k in range(1, len(path.t_us)):
        begin, end = int(path.t_us[k - 1]), int(path.t_us[k])
        length = math.hypot(path.x[k] - path.x[k - 1], path.y[k] - path.y[k - 1])
        steps = max(1, math.ceil(length / pixels_per_step), (end - begin) // _STILL_US)
        steps = min(steps, end - begin)
        times += [begin + (end - begin) * s // steps for s in range(1, steps + 1)]
    return times
