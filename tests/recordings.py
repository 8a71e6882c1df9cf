"""Small recordings for tests, written with the project's own writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer

WIDTH, HEIGHT = 64, 48
#: Where the events of each part of `write_quarters` lie: x from, x to, y from, y to.
PLACES = {
    "left": (0, 32, 0, 48),
    "right": (32, 64, 0, 48),
    "top": (0, 64, 0, 24),
    "bottom": (0, 64, 24, 48),
}


def quarters(part_us: int = 100_000, events: int = 5000) -> list[Packet]:
    """Events in the left half, then the right, the top and the bottom one, for `part_us` each."""
    rng = np.random.default_rng(4)
    packets = []
    for k, (x0, x1, y0, y1) in enumerate(PLACES.values()):
        t = np.sort(rng.integers(k * part_us, (k + 1) * part_us, events)) + 1_000_000
        t[0] = 1_000_000 + k * part_us
        packets.append(
            Packet(
                t.astype(np.uint64),
                rng.integers(x0, x1, events).astype(np.uint16),
                rng.integers(y0, y1, events).astype(np.uint16),
                rng.random(events) < 0.5,
            )
        )
    return packets


def write_quarters(path: Path, part_us: int = 100_000, events: int = 5000) -> Path:
    """A recording of `quarters`, in AEDAT4 packets of 500 events."""
    with Aedat4Writer(path, WIDTH, HEIGHT, compression="lz4") as writer:
        for packet in quarters(part_us, events):
            for start in range(0, len(packet), 500):
                writer.write(packet[start : start + 500])
    return path
