"""What recordings would be like elsewhere: noisier, sparser, faster, slower, of another sensor.

A disturbance changes the events before frames are made of them; it keeps their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.camera.events import MAX_SIDE, Packet
from saccade.camera.rising import RESET_US


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What is done to a recording.

    Attributes:
        noise_hz: random events per pixel and second that are added, spread evenly over pixels,
            time and polarities. A silence of more than `RESET_US` gets none.
        kept: share of the events that stay, each by chance.
        speed: times are divided by this, so that 2 is twice as fast.
        sensor: (width, height) that coordinates are scaled to, None for the recording's own. On a
            larger one, pixels between stay empty.
    """

    noise_hz: float = 0.0
    kept: float = 1.0
    speed: float = 1.0
    sensor: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not (self.noise_hz >= 0 and 0 < self.kept <= 1 and self.speed > 0):
            raise SaccadeError(f"{self}: rates cannot be negative, nor shares and speeds 0")
        if self.sensor is not None and not all(1 <= side <= MAX_SIDE for side in self.sensor):
            raise SaccadeError(f"sensor {self.sensor}: sides must be from 1 to {MAX_SIDE}")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The sensor's size afterwards."""
        return self.sensor or (width, height)

    def apply(
        self, packets: Iterator[Packet], width: int, height: int, rng: np.random.Generator
    ) -> Iterator[Packet]:
        """The packets as they would be; those that nothing is left of are left out.

        Args:
            packets: of a sensor of `width` x `height` pixels.
            rng: of every random choice.
        """
        newest: int | None = None
        for packet in packets:
            found = packet
            if self.noise_hz:
                rising = np.maximum.accumulate(packet.t)
                if newest is not None and int(rising[-1]) + RESET_US < newest:
                    newest = None  # the clock was set back, or a stamp before was damaged
                if newest is not None:
                    rising = np.maximum(rising, np.uint64(newest))
                since = int(rising[0]) if newest is None else newest
                found = _with_noise(packet, rising, since, self.noise_hz, width, height, rng)
                newest = int(rising[-1])
            if self.kept < 1:
                found = found[rng.random(len(found)) < self.kept]
            if self.speed != 1:
                found = replace(found, t=_slowed(found.t, self.speed))
            if self.sensor is not None:
                found = _scaled(found, (width, height), self.sensor)
            if len(found):
                yield found


def _with_noise(
    packet: Packet,
    rising: NDArray[np.uint64],
    since_us: int,
    noise_hz: float,
    width: int,
    height: int,
    rng: np.random.Generator,
) -> Packet:
    """Noise between the events of a packet, whose times made non-decreasing are `rising`."""
    gaps = np.diff(rising, prepend=np.uint64(since_us)).astype(np.float64)
    gaps[gaps > RESET_US] = 0
    until: NDArray[np.float64] = np.cumsum(gaps)
    whole_us = float(until[-1])
    n = int(rng.poisson(noise_hz * width * height * whole_us / 1e6))
    at: NDArray[np.float64] = np.sort(rng.random(n)) * whole_us
    place = np.minimum(np.searchsorted(until, at, side="right"), len(until) - 1)
    t = rising[place] - np.ceil(until[place] - at).astype(np.uint64)
    x: NDArray[np.uint16] = rng.integers(0, width, n).astype(np.uint16)
    y: NDArray[np.uint16] = rng.integers(0, height, n).astype(np.uint16)
    return Packet(
        np.insert(packet.t, place, t),
        np.insert(packet.x, place, x),
        np.insert(packet.y, place, y),
        np.insert(packet.on, place, np.less(rng.random(n), 0.5)),
    )


def _slowed(t: NDArray[np.uint64], speed: float) -> NDArray[np.uint64]:
    # A damaged stamp may lie beyond what uint64 holds then.
    return np.minimum(t / speed, 2.0**63).astype(np.uint64)


def _scaled(packet: Packet, old: tuple[int, int], new: tuple[int, int]) -> Packet:
    x = packet.x.astype(np.uint32) * new[0] // old[0]
    y = packet.y.astype(np.uint32) * new[1] // old[1]
    return replace(packet, x=x.astype(np.uint16), y=y.astype(np.uint16))
