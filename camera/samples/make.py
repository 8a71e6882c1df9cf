"""Makes the sample recording: `python -m saccade.camera.samples.make OUT` (extra `simulate`).

Three photographs that come with scikit-image - a cup of coffee, a motorcycle, the face of an
astronaut - are moved before a simulated sensor of 128x128 pixels, the DVS128's size, one after
another, by three saccades each.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.simulate import Sensor, saccades, simulate_image

SEED = 7
OBJECT_US = 1_000_000
#: A readout's period: events of one readout share their time and come row by row, as in a scanned
#: sensor such as the DVXplorer; it also halves the file.
READOUT_US = 200
PACKET_US = 10_000

#: Rows and columns of each photograph that hold its object, so that it fills the picture: the cup
#: and the motorcycle whole, the face close up.
CROPS = {
    "coffee": (slice(0, 400), slice(60, 500)),
    "motorcycle": (slice(90, 465), slice(80, 700)),
    "astronaut": (slice(10, 190), slice(165, 290)),
}

SENSOR = Sensor(128, 128, 0.4, 0.4, 0.02, refractory_us=6_000, leak_hz=0.0, noise_hz=0.02)
#: Pixels of each photograph: a lens is not perfectly sharp. The face is small in its own.
BLUR = {"coffee": 2.5, "motorcycle": 2.5, "astronaut": 1.5}
AMPLITUDE = 15  # pixels of a saccade


def photographs() -> dict[str, NDArray[np.float64]]:
    """The three photographs, gray, float64 [h, w] in [0, 1]."""
    data: Any = importlib.import_module("skimage.data")
    color: Any = importlib.import_module("skimage.color")
    pictures = {
        "coffee": data.coffee(),
        "motorcycle": data.stereo_motorcycle()[0],
        "astronaut": data.astronaut(),
    }
    blur: Any = importlib.import_module("skimage.filters").gaussian
    return {
        name: blur(color.rgb2gray(image[..., :3]), BLUR[name])[CROPS[name]]
        for name, image in pictures.items()
    }


def scene() -> Iterator[Packet]:
    """The events of the whole recording, in packets of about 10 ms."""
    for number, image in enumerate(photographs().values()):
        start = number * OBJECT_US
        path = saccades(OBJECT_US, amplitude=AMPLITUDE, start_us=start)
        yield from _regrouped(
            simulate_image(image, path, SENSOR, seed=SEED + number, fit=0.85), start
        )


def _regrouped(packets: Iterator[Packet], start_us: int) -> Iterator[Packet]:
    waiting: list[Packet] = []
    edge = start_us + PACKET_US
    for packet in packets:
        waiting.append(packet)
        if int(packet.t[-1]) >= edge:
            yield _read_out(waiting)
            waiting = []
            edge = int(packet.t[-1]) + PACKET_US
    if waiting:
        yield _read_out(waiting)


def _read_out(packets: list[Packet]) -> Packet:
    """One packet of all, its events by readout, row and column."""
    events = Packet.joined(packets)
    events = replace(events, t=events.t // READOUT_US * READOUT_US)
    return events[np.lexsort((events.x, events.y, events.t))]


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
