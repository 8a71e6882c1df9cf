"""Small data sets for tests, in the files that the real ones have: bytes as their authors say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from saccade.camera.events import Packet
from saccade.camera.writers import open_writer


def events(n: int, width: int, height: int, seed: int = 0, place: int | None = None) -> Packet:
    """n events in 50 ms, all over the sensor, or in one quarter of it, 0 to 3."""
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, width, n), rng.integers(0, height, n)
    if place is not None:
        x = x // 2 + (place % 2) * (width // 2)
        y = y // 2 + (place // 2) * (height // 2)
    t = np.sort(rng.integers(0, 50_000, n)) + 1000
    return Packet(
        t.astype(np.uint64), x.astype(np.uint16), y.astype(np.uint16), rng.random(n) < 0.5
    )


def write_bin(path: Path, packet: Packet) -> None:
    """N-MNIST and N-Caltech101: x, y, polarity and 23 bits of time, five bytes."""
    t = packet.t.astype(np.int64)
    rows = np.empty((len(packet), 5), np.uint8)
    rows[:, 0], rows[:, 1] = packet.x, packet.y
    rows[:, 2] = packet.on.astype(np.uint8) << 7 | (t >> 16 & 0x7F).astype(np.uint8)
    rows[:, 3], rows[:, 4] = (t >> 8 & 0xFF).astype(np.uint8), (t & 0xFF).astype(np.uint8)
    path.write_bytes(rows.tobytes())


def write_n_imagenet(path: Path, packet: Packet) -> None:
    """N-ImageNet: records x, y, t, p named `event_data`."""
    kind = [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "u1")]
    rows = np.empty(len(packet), kind)
    rows["x"], rows["y"], rows["t"], rows["p"] = packet.x, packet.y, packet.t, packet.on
    np.savez_compressed(path, event_data=rows)


def write_aedat2(path: Path, packet: Packet) -> None:
    """CIFAR10-DVS: big-endian addresses and times; no chip is named in the header."""
    x, y = packet.x.astype(np.uint32), packet.y.astype(np.uint32)
    words = np.empty((len(packet), 2), ">u4")
    words[:, 0] = y << 8 | x << 1 | packet.on
    words[:, 1] = packet.t
    path.write_bytes(b"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n" + words.tobytes())


def write_dat(path: Path, packet: Packet) -> None:
    """N-Cars: DAT of type 0x00; the header does not tell the sensor's size."""
    words = np.empty((len(packet), 2), "<u4")
    words[:, 0] = packet.t
    on = packet.on.astype(np.uint32)
    words[:, 1] = on << 28 | packet.y.astype(np.uint32) << 14 | packet.x
    path.write_bytes(b"% Data file containing TD events.\n% Version 2\n\x00\x08" + words.tobytes())


def write_recording(path: Path, packet: Packet, width: int = 64, height: int = 48) -> None:
    """A recording of our own."""
    with open_writer(path, width, height) as writer:
        writer.write(packet)


def write_image(path: Path, seed: int = 0, place: int = 0) -> None:
    """A gray picture: a bright square in one quarter, 0 to 3, on faint noise."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(38, 44, (40, 60))
    top, left = (place // 2) * 20 + 4, (place % 2) * 30 + 6
    pixels[top : top + 12, left : left + 18] = 230
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_places(root: Path, images: Path | None = None, each: int = 3, first: int = 0) -> Path:
    """Recordings whose class is the quarter that their events are in, and images of the same."""
    for place, name in enumerate(("north_west", "north_east", "south_west", "south_east")):
        (root / name).mkdir(parents=True)
        for k in range(first, first + each):
            packet = events(400, 64, 48, seed=10 * k + place, place=place)
            write_recording(root / name / f"{k:03}.aedat4", packet)
            if images is not None:
                (images / name).mkdir(parents=True, exist_ok=True)
                write_image(images / name / f"{k:03}.png", 10 * k + place, place)
    return root
