"""Statistics of events that do not depend on how fast the scene moved: simulated beside real ones.

`rows(folder)` compares with the recordings in `folder`, scene by scene, and says where no scene of
ours can be the same.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet
from saccade.camera.recordings import open_recording
from saccade.camera.simulate import DARK, Sensor, random_walk, saccades, simulate_image

WINDOW_US = 30_000
REAL = {
    "nmnist": "nmnist/digit4.bin",
    "boxes": "aedat2/davis240_boxes_imu.aedat",
    "lab": "aedat4/davis346_lab_lz4.aedat4",
}


def statistics(packets: list[Packet], width: int, height: int) -> dict[str, float]:
    """What a recording is like.

    rate: events per pixel and second. on: share of ON events. interval_ms: median time between two
    events of a pixel. pace: rate times that interval, which no speed changes. same: share of events
    of the polarity of the pixel's event before. active: share of pixels with an event in 30 ms.
    busiest: share of events in the busiest tenth of the pixels.
    """
    events = Packet.joined(packets)
    t, x, y, on = events.t, events.x, events.y, events.on
    pixel = y.astype(np.int64) * width + x
    order = np.lexsort((t, pixel))
    again = np.diff(pixel[order]) == 0
    interval = float(np.median(np.diff(t[order].astype(np.int64))[again])) / 1e6
    rate = len(t) / (int(t[-1]) - int(t[0])) * 1e6 / (width * height)
    counts = np.sort(np.bincount(pixel, minlength=width * height))
    return {
        "rate": round(rate, 2),
        "on": round(float(on.mean()), 3),
        "interval_ms": round(interval * 1e3, 2),
        "pace": round(rate * interval, 3),
        "same": round(float(np.mean((on[order][1:] == on[order][:-1])[again])), 3),
        "active": round(_active(t, pixel) / (width * height), 3),
        "busiest": round(float(counts[-(width * height // 10) :].sum() / len(t)), 3),
    }


def _active(t: NDArray[np.uint64], pixel: NDArray[np.int64]) -> float:
    """Pixels with an event in a whole window, the mean over windows."""
    window = (t - t[0]) // np.uint64(WINDOW_US)
    whole = [len(np.unique(pixel[window == k])) for k in range(int(window[-1]))]
    return float(np.mean(whole))


def texture(side: int, seed: int) -> NDArray[np.uint8]:
    """Gray noise with the spectrum (1 / f) and the contrast of photographs, uint8 [side, side]."""
    noise = np.random.default_rng(seed).normal(size=(side, side))
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / side)
    image = np.fft.irfft2(np.fft.rfft2(noise) / frequency, (side, side))
    return (128 + 55 * (image - image.mean()) / image.std()).clip(0, 255).astype(np.uint8)


def digit_four() -> NDArray[np.float64]:
    """A "4" like those of MNIST, float64 [28, 28] in [0, 1], its edges a pixel wide."""
    rows, columns = np.mgrid[0:280, 0:280] + 0.5
    strokes = [((50, 90), (150, 70)), ((150, 70), (150, 190)), ((60, 190), (240, 180))]
    inside = np.zeros((280, 280))
    for (y0, x0), (y1, x1) in strokes:
        along = ((rows - y0) * (y1 - y0) + (columns - x0) * (x1 - x0)) / (
            (y1 - y0) ** 2 + (x1 - x0) ** 2
        )
        along = along.clip(0, 1)
        gap = np.hypot(rows - y0 - along * (y1 - y0), columns - x0 - along * (x1 - x0))
        inside = np.maximum(inside, gap < 14)
    return inside.reshape(28, 10, 28, 10).mean((1, 3))


def simulated(name: str) -> dict[str, float]:
    """Of our own scene that is most like the recording."""
    if name == "nmnist":  # on a screen, in the dark; three saccades
        sensor = Sensor(34, 34, 0.45, 0.45, 0.03, refractory_us=500, noise_hz=0.5)
        path, fill = saccades(300_000, 4.2), math.log(DARK)
        packets = simulate_image(0.9 * digit_four(), path, sensor, seed=1, fit=28 / 34, fill=fill)
        return statistics(list(packets), 34, 34)
    sensor = Sensor(240, 180, 0.25, 0.25, 0.03, refractory_us=500, noise_hz=0.1)
    walk = random_walk(2_000_000, 3.5, seed=1)
    packets = simulate_image(texture(256, 1), walk, sensor, seed=1, fit=1.4)
    return statistics(list(packets), 240, 180)


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    """By recording: its statistics, and those of our scene (none of the flickering lab)."""
    out: dict[str, dict[str, Any]] = {}
    for name, path in REAL.items():
        with open_recording(folder / path) as recording:
            found = statistics(list(recording.packets()), recording.width, recording.height)
        out[name] = {"real": found}
        if name != "lab":
            out[name]["simulated"] = simulated(name)
    return out
