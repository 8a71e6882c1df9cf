"""Caltech-101 images -> simulated frames, for saccade-mini.

Every frame is made as the program itself makes it: whole events from `camera.simulate`, counted and
normalised by `camera.frames`. Settings are drawn wide on purpose: the encoder must not care which
sensor, contrast threshold, speed, noise or distance it meets.
"""

from __future__ import annotations

import io
import math
import multiprocessing
import os
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saccade.camera import simulate
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec

BACKGROUND = "BACKGROUND_Google"
SPEC = FrameSpec("clamped", 96, "sensor", clamp=10)
WINDOW_US = 30_000
#: 320x180 stands for the wide sensors: to the frame it is what 1280x720 is, at a 16th of the time.
SENSORS = ((240, 180), (304, 240), (346, 260), (320, 180), (640, 480), (1280, 720))
SENSOR_SHARES = (0.4, 0.2, 0.2, 0.175, 0.02, 0.005)


@dataclass(frozen=True)
class Images:
    """Gray images (uint8 [h, w] each), their class numbers int64 [N], and the class names."""

    pixels: list[NDArray[np.uint8]]
    classes: NDArray[np.int64]
    names: tuple[str, ...]


def without(images: Images, left_out: Collection[str]) -> tuple[Images, Images]:
    """The images of all other classes, numbered anew, and those of these classes."""
    rows = [k for k, c in enumerate(images.classes) if images.names[c] not in left_out]
    out = [k for k, c in enumerate(images.classes) if images.names[c] in left_out]
    names = tuple(name for name in images.names if name not in left_out)
    return _chosen(images, rows, names), _chosen(images, out, tuple(sorted(left_out)))


def _chosen(images: Images, rows: Sequence[int], names: tuple[str, ...]) -> Images:
    classes = [names.index(images.names[images.classes[k]]) for k in rows]
    return Images([images.pixels[k] for k in rows], np.array(classes, np.int64), names)


def load_images(tar: Path) -> tuple[Images, Images]:
    """The training and the validation images of a tar of `class/image.jpg`.

    Held out is every tenth image of a class in the order of file names (the 5th, 15th, ...);
    BACKGROUND_Google is left out altogether.
    """
    groups: dict[str, list[tuple[str, NDArray[np.uint8]]]] = {}
    with tarfile.open(tar) as archive:
        for member in archive:
            name = Path(member.name)
            file = archive.extractfile(member)
            if file is None or name.suffix != ".jpg" or name.parent.name == BACKGROUND:
                continue
            image = np.asarray(Image.open(io.BytesIO(file.read())).convert("L"))
            groups.setdefault(name.parent.name, []).append((name.name, image))
    names = tuple(sorted(groups))
    parts: tuple[list[tuple[NDArray[np.uint8], int]], ...] = ([], [])
    for number, name in enumerate(names):
        for k, (_, image) in enumerate(sorted(groups[name], key=lambda item: item[0])):
            parts[k % 10 == 4].append((image, number))
    train, held = (
        Images([i for i, _ in part], np.array([c for _, c in part], np.int64), names)
        for part in parts
    )
    return train, held


@dataclass(frozen=True)
class Conditions:
    """What may be fixed when frames are drawn; None draws it.

    Attributes:
        sensor: (width, height).
        noise_hz: background events per pixel and second.
        keep: share of the events that are kept.
        motion: how much longer the stroke is than drawn; events grow in proportion.
    """

    sensor: tuple[int, int] | None = None
    noise_hz: float | None = None
    keep: float | None = None
    motion: float = 1.0


ANY = Conditions()


def simulated_events(
    image: NDArray[np.uint8], seed: int, conditions: Conditions = ANY
) -> tuple[list[Packet], tuple[int, int]]:
    """30 ms of events of an image under random conditions, and the sensor's (width, height)."""
    rng = np.random.default_rng(seed)
    drawn = SENSORS[rng.choice(len(SENSORS), p=SENSOR_SHARES)]
    width, height = conditions.sensor or drawn
    noise = float(rng.uniform(0, 2) * (rng.random() < 0.5))
    threshold = math.exp(rng.uniform(math.log(0.12), math.log(0.45)))
    sensor = simulate.Sensor(
        width,
        height,
        threshold_on=threshold * float(rng.uniform(0.85, 1.15)),
        threshold_off=threshold * float(rng.uniform(0.85, 1.15)),
        threshold_sigma=float(rng.uniform(0, 0.04)),
        refractory_us=int(rng.integers(0, 1000)),
        leak_hz=float(rng.uniform(0, 0.3)),
        noise_hz=noise if conditions.noise_hz is None else conditions.noise_hz,
    )
    fill = math.nan if rng.random() < 0.6 else math.log(rng.uniform(0, 1) + simulate.DARK)
    packets = list(
        simulate.simulate_image(
            image,
            _stroke(rng, width, height, conditions.motion),
            sensor,
            seed=seed,
            fit=float(rng.uniform(0.65, 1.1)),
            stretch=float(np.exp(rng.uniform(-0.2, 0.2))),
            fill=fill,
            pixels_per_step=max(1.0, height / 300),
        )
    )
    keep = float(rng.uniform(0.25, 1) if rng.random() < 0.4 else 1.0)
    keep = keep if conditions.keep is None else conditions.keep
    packets = [p if keep >= 1 else _thinned(p, keep, rng) for p in packets]
    return [*packets, _hot_pixels(rng, width, height)], (width, height)


def _stroke(rng: np.random.Generator, width: int, height: int, longer: float) -> simulate.Path:
    """30 ms of motion, 1 to 8 % of the height long: straight, with a bend, or round a corner."""
    length = math.exp(rng.uniform(math.log(0.01), math.log(0.08))) * height * longer
    angle = rng.uniform(0, 2 * math.pi)
    bends = (0.0, rng.normal(0, 0.6), rng.uniform(-math.pi, math.pi))
    bend = bends[rng.choice(3, p=(0.5, 0.35, 0.15))]
    share = rng.uniform(0.3, 0.7)
    dx = np.array([0, share * math.cos(angle), (1 - share) * math.cos(angle + bend)])
    dy = np.array([0, share * math.sin(angle), (1 - share) * math.sin(angle + bend)])
    x, y = np.cumsum(dx) * length, np.cumsum(dy) * length
    x += rng.uniform(-0.08, 0.08) * width - x.mean()
    y += rng.uniform(-0.08, 0.08) * height - y.mean()
    return simulate.Path(np.array([0, round(share * WINDOW_US), WINDOW_US]), x, y)


def _thinned(packet: Packet, keep: float, rng: np.random.Generator) -> Packet:
    return packet[rng.random(len(packet)) < keep]


def _hot_pixels(rng: np.random.Generator, width: int, height: int) -> Packet:
    pixels = int(rng.integers(0, 30))
    x = np.repeat(rng.integers(0, width, pixels), 20).astype(np.uint16)
    y = np.repeat(rng.integers(0, height, pixels), 20).astype(np.uint16)
    return Packet(np.zeros(len(x), np.uint64), x, y, np.ones(len(x), np.bool_))


def simulated_frame(
    image: NDArray[np.uint8], seed: int, conditions: Conditions = ANY
) -> NDArray[np.uint8]:
    """One frame of an image under random conditions, uint8 [96, 96], 255 for 1.0."""
    packets, (width, height) = simulated_events(image, seed, conditions)
    frame = FrameMaker(width, height, SPEC).make(packets)
    return np.rint(frame * 255).astype(np.uint8)


def _job(job: tuple[NDArray[np.uint8], int, Conditions]) -> NDArray[np.uint8]:
    return simulated_frame(*job)


def simulate_frames(
    images: Images, seed: int, variant: int = 0, conditions: Conditions = ANY, processes: int = 2
) -> NDArray[np.uint8]:
    """A frame of every image, uint8 [N, 96, 96], each under conditions of its own.

    Args:
        images: what is simulated.
        seed: of all variants.
        variant: which one: the same images under other conditions.
        conditions: what is not drawn.
        processes: how many work at it; the frames do not depend on it.
    """
    n = len(images.pixels)
    seeds = np.random.SeedSequence((seed, variant)).generate_state(n, np.uint64)
    jobs = ((image, int(s) >> 1, conditions) for image, s in zip(images.pixels, seeds, strict=True))
    frames = np.empty((n, SPEC.size, SPEC.size), np.uint8)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for k, frame in enumerate(pool.imap(_job, jobs, chunksize=64)):
            frames[k] = frame
    return frames


def cached_frames(
    images: Images,
    seed: int,
    variant: int,
    folder: Path,
    conditions: Conditions = ANY,
    name: str = "frames",
) -> NDArray[np.uint8]:
    """`simulate_frames` by all cores, memory-mapped from `folder`, which keeps what was made once.

    A variant is a file of its own, so that an interrupted simulation goes on where it was. `name`
    tells conditions, or images, apart.
    """
    path = folder / f"{name}_{seed}_{variant:02}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        frames = simulate_frames(images, seed, variant, conditions, os.cpu_count() or 1)
        with path.with_suffix(".part").open("wb") as file:
            np.save(file, frames)
        path.with_suffix(".part").replace(path)
    return np.load(path, mmap_mode="r")
