"""What training does to events and to frames, as the released code of arXiv 2412.03093 does.

Events: with probability 1/2 time runs backwards and polarities with it; a shift of up to 20 pixels
(of an eighth of the side, where that is less: on the 34 pixels of N-MNIST nothing would be left);
100 to 5000 correlated noise events, each a copy of an event, moved by Gaussians of 1.5 pixels and
1 ms. Frames: a crop of 45 to 100 % of the area, resized back, and with probability 1/2 a mirror.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet
from saccade.training.datasets.resize import resized

SHIFT = 20  # pixels
NOISE = (100, 5000)  # events
NOISE_PIXELS, NOISE_US = 1.5, 1000.0
AREA, RATIO = (0.45, 1.0), (3 / 4, 4 / 3)


def augment_events(packet: Packet, width: int, height: int, rng: np.random.Generator) -> Packet:
    """Flip in time, shift, noise, on a sensor of `width` x `height`; sorted by time."""
    if rng.random() < 0.5:
        packet = flip_time(packet)
    dx, dy = (int(rng.integers(-most, most + 1)) for most in shifts(width, height))
    packet = shift(packet, dx, dy, width, height)
    return add_noise(packet, int(rng.integers(NOISE[0], NOISE[1] + 1)), width, height, rng)


def shifts(width: int, height: int) -> tuple[int, int]:
    """How far events are moved at most, right and down, in pixels."""
    return min(SHIFT, width // 8), min(SHIFT, height // 8)


def flip_time(packet: Packet) -> Packet:
    """The events backwards: what got brighter gets darker. First and last time stay."""
    if not len(packet):
        return packet
    t = packet.t.min() + packet.t.max() - packet.t
    return Packet(t[::-1].copy(), packet.x[::-1].copy(), packet.y[::-1].copy(), ~packet.on[::-1])


def shift(packet: Packet, dx: int, dy: int, width: int, height: int) -> Packet:
    """The events moved by so many pixels; those that leave the sensor are gone."""
    x, y = packet.x.astype(np.int64) + dx, packet.y.astype(np.int64) + dy
    return _inside(packet.t, x, y, packet.on, width, height)


def add_noise(
    packet: Packet, events: int, width: int, height: int, rng: np.random.Generator
) -> Packet:
    """`events` more, but never more than there are: copies moved in space and time."""
    if not len(packet):
        return packet
    chosen = rng.integers(0, len(packet), min(events, len(packet)))
    moved = rng.normal(0, 1, (3, len(chosen)))
    x = np.rint(packet.x[chosen] + NOISE_PIXELS * moved[0]).astype(np.int64)
    y = np.rint(packet.y[chosen] + NOISE_PIXELS * moved[1]).astype(np.int64)
    # From the first event on: times are unsigned. Noise before the window falls onto its start.
    start = packet.t.min()
    since = (packet.t[chosen] - start).astype(np.float64) + NOISE_US * moved[2]
    t = start + np.rint(since.clip(0)).astype(np.uint64)
    noise = _inside(t, x, y, packet.on[chosen], width, height)
    both = Packet.joined([packet, noise])
    return both[np.argsort(both.t, kind="stable")]


def _inside(
    t: NDArray[np.uint64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    on: NDArray[np.bool_],
    width: int,
    height: int,
) -> Packet:
    kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Packet(t[kept], x[kept].astype(np.uint16), y[kept].astype(np.uint16), on[kept])


def augment_frame(frame: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """RandomResizedCrop and horizontal flip of a frame float32 [size, size]."""
    frame = resized(frame, len(frame), crop_box(len(frame), rng))
    return np.ascontiguousarray(frame[:, ::-1]) if rng.random() < 0.5 else frame


def crop_box(size: int, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a crop: its area and its ratio drawn as torchvision does.

    Area uniform in 45 to 100 %, width over height log-uniform in 3/4 to 4/3; ten tries to find one
    that fits, then the whole.
    """
    for _ in range(10):
        area = rng.uniform(*AREA) * size * size
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < width <= size and 0 < height <= size:
            left = int(rng.integers(0, size - width + 1))
            top = int(rng.integers(0, size - height + 1))
            return left, top, left + width, top + height
    return 0, 0, size, size
