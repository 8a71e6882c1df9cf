"""What a virtual camera looks at."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import Packet
from saccade.camera.motion import Path as Motion
from saccade.camera.motion import random_walk, rotation, saccades, zoom
from saccade.camera.recordings import open_recording
from saccade.camera.simulate import Sensor, simulate_image
from saccade.camera.sources.sim_options import SimOptions

SAMPLE = Path(__file__).parents[1] / "samples" / "three_objects.aedat4"
#: More are not simulated: they are shown again.
_FILM_EVENTS = 1_000_000
_CIRCLES, _CIRCLE_US = 200, 500_000


def film(options: SimOptions, n: int) -> Packet:
    """Events of the scene in their order, at least one and at most `n` if there are so many."""
    n = min(n, _FILM_EVENTS)
    if options.scene == "sample":
        return _sample(n)
    if options.scene == "noise":
        return _noise(options, n)
    sensor = Sensor(options.width, options.height, leak_hz=0.0, noise_hz=0.0)
    image = read_image(options.path) if options.scene == "image" else picture(options.seed)
    path = _motion(options.motion, min(options.width, options.height), options.seed)
    found: list[Packet] = []
    count = 0
    for packet in simulate_image(image, path, sensor, seed=options.seed):
        found.append(packet)
        count += len(packet)
        if count >= n:
            break
    if not count:  # a pixel or two see no picture
        return _noise(options, n)
    return Packet.joined(found)[:n]


def picture(seed: int, side: int = 384) -> NDArray[np.uint8]:
    """A gray picture of bright and dark boxes and discs, uint8 [side, side]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    image = np.full((side, side), 90, np.uint8)
    for k in range(60):
        y, x = rng.uniform(0, side, 2)
        size = rng.uniform(side / 40, side / 8)
        if k % 2:
            inside = (rows - y) ** 2 + (columns - x) ** 2 < size**2
        else:
            inside = (abs(rows - y) < size) & (abs(columns - x) < size * 0.6)
        image[inside] = rng.integers(10, 250)
    return image


def read_image(path: str) -> NDArray[np.uint8]:
    """A file's image in gray, uint8 [h, w].

    Raises SaccadeError where it is none, or Pillow is missing.
    """
    try:
        pillow: Any = importlib.import_module("PIL.Image")
    except ModuleNotFoundError:
        what = "Pillow, which reads it, is not installed; `pip install 'saccade[pictures]'`"
        raise SaccadeError(f"image {printable(path)}: {what}") from None
    try:
        with pillow.open(path) as image:
            return np.asarray(image.convert("L"))
    except (OSError, ValueError, pillow.DecompressionBombError) as error:
        what = getattr(error, "strerror", None) or "no image that Pillow reads"
        raise SaccadeError(
            f"image {printable(path)}: {printable(str(what))}; name a PNG or JPEG"
        ) from None


def _motion(name: str, side: int, seed: int) -> Motion:
    """How the picture moves before a sensor whose shorter side is `side`, for long enough."""
    if name == "saccades":
        return saccades(300_000, side / 12).repeated(200)
    if name == "walk":
        return random_walk(10_000_000, side / 2, seed)
    if name == "zoom":
        return zoom(1_000_000, 1.5).repeated(100)
    if name == "rotate":
        return rotation(100_000_000, 100 * np.pi)
    return _circles(side / 8)


def _circles(radius: float) -> Motion:
    """The picture goes round, so that all of its edges move and none leaves for good."""
    points = 32 * _CIRCLES + 1
    turn = np.linspace(0, 2 * np.pi * _CIRCLES, points)
    t = np.linspace(0, _CIRCLES * _CIRCLE_US, points).astype(np.int64)
    return Motion(t, radius * np.cos(turn), radius * np.sin(turn))


def _sample(n: int) -> Packet:
    with open_recording(SAMPLE) as recording:
        packet = Packet.joined(list(recording.packets()))[:n]
    return Packet(packet.t - packet.t[0], packet.x, packet.y, packet.on)


def _noise(options: SimOptions, n: int) -> Packet:
    rng = np.random.default_rng(options.seed)
    return Packet(
        np.arange(n, dtype=np.uint64),
        rng.integers(0, options.width, n, np.uint16),
        rng.integers(0, options.height, n, np.uint16),
        rng.integers(0, 2, n).astype(np.bool_),
    )
