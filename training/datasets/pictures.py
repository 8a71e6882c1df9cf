"""Pictures: as the image tower takes them, and as events of a simulated sensor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saccade.camera import simulate
from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import Packet
from saccade.engines.clip.config import MEAN, STD
from saccade.engines.images import fit_photo, open_photo
from saccade.training.config import SimulationConfig
from saccade.training.datasets.resize import pillow


def read_photo(path: Path, size: int) -> NDArray[np.float32]:
    """A paired image as the paper gives it to the image tower, float32 [3, size, size].

    Gray, three copies, then CLIP's own: the short side to `size` (bicubic), the centre, less CLIP's
    mean, over its std.

    Raises:
        SaccadeError: it is no image.
    """
    image = pillow()
    gray = fit_photo(image, open_photo(image, path, "L"), size)
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in (MEAN, STD))
    ready: NDArray[np.float32] = np.divide(gray[None] - mean, std)
    return ready


def simulated_events(path: Path, config: SimulationConfig, seed: int, *, training: bool) -> Packet:
    """Events of an image that moves before a simulated sensor, sorted by time.

    Args:
        path: of the image.
        config: the sensor, and the motion in training.
        seed: of the motion and of the sensor's noise.
        training: else the image moves in three saccades.

    Raises:
        SaccadeError: it is no image, or no such sensor can be.
    """
    sensor = simulate.Sensor(
        config.width,
        config.height,
        threshold_on=config.threshold,
        threshold_off=config.threshold,
        noise_hz=config.noise_hz,
    )
    length = config.amplitude * config.height
    if training and config.motion == "random_walk":
        speed = length / (config.duration_us / 1e6)
        motion = simulate.random_walk(config.duration_us, speed, seed)
    else:
        motion = simulate.saccades(config.duration_us, length)
    gray = np.asarray(open_photo(pillow(), path, "L"))
    packets = list(simulate.simulate_image(gray, motion, sensor, seed=seed))
    if not packets:
        what = "gives no event: it is of one colour, or too faint for the threshold"
        raise SaccadeError(printable(f"{path}: {what}; remove it, or lower simulation.threshold"))
    return Packet.joined(packets)
