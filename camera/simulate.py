"""The event simulator: a moving image, or a video, in front of an ideal sensor with real flaws.

Each pixel remembers the log intensity of its last event and fires whenever the light has changed
by its contrast threshold since (Lichtsteiner et al., 2008); between two frames the light moves
linearly, which gives each event its microsecond, as in ESIM (Rebecq et al., 2018). That is exact
for light that does: frames between would add no event and move none, so none are made.

Flaws: thresholds that differ between pixels and between ON and OFF; a refractory period, in which
events are lost while the memory follows; a memory that leaks towards ON; and shot noise, Poisson
in each pixel, which may fall with light as in v2e (Hu et al., 2021). Not modelled: the pixels'
bandwidth, the readout's, and the noise's effect on the memory. [docs/simulator.md] compares
simulated with real recordings.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.events import MAX_SIDE, Packet
from saccade.camera.motion import Path, random_walk, rotation, saccades, zoom

__all__ = [
    "DARK",
    "Path",
    "Sensor",
    "Simulator",
    "log_intensity",
    "random_walk",
    "rotation",
    "saccades",
    "simulate_frames",
    "simulate_image",
    "zoom",
]

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
        noise_hz: random events per pixel and second of either polarity, in the dark.
        noise_in_light: share of them that is left in full light, linear between (v2e: 0.25).
    """

    width: int = 346
    height: int = 260
    threshold_on: float = 0.2
    threshold_off: float = 0.2
    threshold_sigma: float = 0.02
    refractory_us: int = 100
    leak_hz: float = 0.1
    noise_hz: float = 0.1
    noise_in_light: float = 1.0

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
        if not 0 <= self.noise_in_light <= 1:
            raise SaccadeError(f"noise_in_light {self.noise_in_light}: must be from 0 to 1")


#: Of each byte: a table is exact, and costs less than a logarithm.
_BYTES = np.log(np.arange(256, dtype=np.float32) / np.float32(255) + np.float32(DARK))


def log_intensity(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """log(I + DARK), float32 [h, w], of a gray image: uint8 [h, w], or float [h, w] in [0, 1].

    Raises:
        SaccadeError: another dtype.
    """
    if image.dtype == np.uint8:
        return _BYTES[image.astype(np.uint8, copy=False)]
    if image.dtype.kind != "f":
        raise SaccadeError(f"image of {image.dtype}: must be uint8, or float in [0, 1]")
    return np.log(image.astype(np.float32) + np.float32(DARK))


class Simulator:
    """A sensor that is shown frames, or an image that moves; not thread-safe.

    Deterministic for a seed: neither threads nor the processor's instructions change an event.
    """

    def __init__(
        self, sensor: Sensor, seed: int, *, settled: bool = True, threads: int = 1
    ) -> None:
        """A sensor before its first frame.

        Args:
            sensor: what it is.
            seed: of every random choice.
            settled: pixels' memories begin anywhere between the thresholds, as after a long run;
                or else at the light of the first frame, as after a reset.
            threads: that work on a frame's rows.
        """
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
            sensor.noise_in_light,
            DARK,
            seed,
            settled,
            threads,
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
        self._check_time(t_us)
        try:
            columns = self._native.step(np.ascontiguousarray(log_frame, np.float32), t_us)
        except ValueError as error:
            raise SaccadeError(f"frame at {t_us} us: {error}") from None
        self._now_us = t_us
        return Packet(*columns)

    def look(
        self,
        light: _native.LightImage,
        affines: NDArray[np.float64],
        times_us: NDArray[np.uint64],
        fill: float = math.nan,
    ) -> Packet:
        """As `step` for each of K frames, in which (x, y) shows `light` at an affine map of it.

        Args:
            light: log intensity.
            affines: float64 [K, 6]; (x, y) looks at (a0 x + a1 y + a2, a3 x + a4 y + a5).
            times_us: uint64 [K], increasing; less than 2^32 from the frame before to the last.
            fill: what lies around the image; its edge goes on where NaN.
        """
        self._check_time(int(times_us[-1]))
        self._check_time(int(times_us[0]))
        columns = self._native.look(light, affines, fill, times_us)
        self._now_us = int(times_us[-1])
        return Packet(*columns)

    def _check_time(self, t_us: int) -> None:
        if self._now_us is not None and not 0 < t_us - self._now_us < 1 << 32:
            raise SaccadeError(
                f"frame at {t_us} us: must be later than {self._now_us} us, at most 71 minutes"
            )


def simulate_frames(
    frames: Iterable[tuple[int, NDArray[np.generic]]], sensor: Sensor, *, seed: int
) -> Iterator[Packet]:
    """Events of a video in front of a sensor, a packet for each frame that gives any.

    Args:
        frames: times in microseconds, which increase, and gray images of the sensor's size, uint8
            or float in [0, 1].
        sensor: what sees them.
        seed: of every random choice.

    Raises:
        SaccadeError: a frame of another size or dtype, or at a time that does not increase.
    """
    simulator = Simulator(sensor, seed)
    for t_us, image in frames:
        packet = simulator.step(log_intensity(image), t_us)
        if len(packet):
            yield packet


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
    """Events of an image that moves along a path in front of a sensor, a packet for a few steps.

    Args:
        image: gray, uint8 [h, w] or float [h, w] in [0, 1].
        path: the motion of its centre, its size and its angle.
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
    try:
        light = _native.LightImage(np.ascontiguousarray(log_intensity(image)))
    except ValueError as error:
        raise SaccadeError(f"image: {error}") from None
    height, width = image.shape
    size = fit * min(sensor.width / width, sensor.height / height)
    zoom_x, zoom_y = size * math.sqrt(stretch), size / math.sqrt(stretch)
    simulator = Simulator(sensor, seed)
    times = _times(path, pixels_per_step, math.hypot(sensor.width, sensor.height) / 2)
    steps = 1
    while len(batch := np.fromiter(itertools.islice(times, steps), np.uint64)):
        affines = _affines(path, batch, (zoom_x, zoom_y), image.shape, sensor)
        packet = simulator.look(light, affines, batch, fill)
        steps = max(1, min(2 * steps, _MOST_STEPS, _BATCH_EVENTS * steps // (len(packet) + 1)))
        if len(packet):
            yield packet


#: Steps that are simulated together: state that stays in the cache is worth half the time, and
#: events are few enough to be sorted there.
_MOST_STEPS, _BATCH_EVENTS = 32, 500_000


def _affines(
    path: Path,
    times: NDArray[np.uint64],
    zooms: tuple[float, float],
    shape: tuple[int, ...],
    sensor: Sensor,
) -> NDArray[np.float64]:
    """Where in an image of `shape` each of the sensor's pixels looks: float64 [K, 6]."""
    x, y, scale, angle = path.poses(times)
    zoom_x, zoom_y = zooms[0] * scale, zooms[1] * scale
    cosine, sine = np.cos(angle), np.sin(angle)
    a0, a1, a3, a4 = cosine / zoom_x, sine / zoom_x, -sine / zoom_y, cosine / zoom_y
    x, y = x + (sensor.width - 1) / 2, y + (sensor.height - 1) / 2
    a2, a5 = (shape[1] - 1) / 2 - a0 * x - a1 * y, (shape[0] - 1) / 2 - a3 * x - a4 * y
    return np.stack([a0, a1, a2, a3, a4, a5], axis=1)


#: A still image is rendered this often: leak and noise need no more.
_STILL_US = 10_000


def _times(path: Path, pixels_per_step: float, radius: float) -> Iterator[int]:
    """Times at which to render: the path's points, and as many between as the motion asks for."""
    yield int(path.t_us[0])
    for k, length in enumerate(path.lengths(radius).tolist()):
        begin, end = int(path.t_us[k]), int(path.t_us[k + 1])
        steps = max(1, math.ceil(length / pixels_per_step), (end - begin) // _STILL_US)
        steps = min(steps, end - begin)
        yield from (begin + (end - begin) * s // steps for s in range(1, steps + 1))
