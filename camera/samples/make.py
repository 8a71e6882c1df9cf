"""Makes the sample recording: `python -m saccade.camera.samples.make OUT.aedat4` (extra `simulate`).

Three photographs that come with scikit-image - a cup of coffee, a motorcycle, the face of an
astronaut - are moved before a simulated DAVIS346, one after another, by three saccades each.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.aedat4_writer import Aedat4Writer
from saccade.camera.events import Packet
from saccade.camera.simulate import Sensor, saccades, simulate_image

SEED = 7
OBJECT_US = 1_500_000
PACKET_US = 10_000

#: Rows and columns of each photograph that hold its object, so that it fills the picture.
CROPS = {
    "coffee": (slice(20, 330), slice(120, 520)),
    "motorcycle": (slice(40, 460), slice(40, 700)),
    "astronaut": (slice(0, 260), slice(110, 350)),
}

SENSOR = Sensor(346, 260, 0.32, 0.32, 0.02, refractory_us=500, leak_hz=0.0, noise_hz=0.02)


def photographs() -> dict[str, NDArray[np.float64]]:
    """The three photographs, gray, float64 [h, w] in [0, 1]."""
    data: Any = importlib.import_module("skimage.data")
    color: Any = importlib.import_module("skimage.color")
    pictures = {
        "coffee": data.coffee(),
        "motorcycle": data.stereo_motorcycle()[0],
        "astronaut": data.astronaut(),
    }
    return {name: color.rgb2gray(image[..., :3])[CROPS[name]] for name, image in pictures.items()}


def scene() -> Iterator[Packet]:
    """The events of the whole recording, in packets of about 10 ms."""
    for number, image in enumerate(photographs().values()):
        start = number * OBJECT_US
        path = saccades(OBJECT_US, amplitude=80, start_us=start)
        yield from _regrouped(
            simulate_image(image, path, SENSOR, seed=SEED + number, fit=1.0), start
        )


def _regrouped(packets: Iterator[Packet], start_us: int) -> Iterator[Packet]:
    waiting: list[Packet] = []
    edge = start_us + PACKET_US
    for packet in packets:
        waiting.append(packet)
        if int(packet.t[-1]) >= edge:
            yield _joined(waiting)
            waiting = []
            edge = int(packet.t[-1]) + PACKET_US
    if waiting:
        yield _joined(waiting)


def _joined(packets: list[Packet]) -> Packet:
    return Packet(
        np.concatenate([p.t for p in packets]),
        np.concatenate([p.x for p in packets]),
        np.concatenate([p.y for p in packets]),
        np.concatenate([p.on for p in packets]),
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out: Path = parser.parse_args().out
    with Aedat4Writer(out, SENSOR.width, SENSOR.height, "zstd", "saccade simulator") as writer:
        for packet in scene():
            writer.write(packet)
    print(f"{out}: {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
