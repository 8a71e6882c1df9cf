"""Types of the native core (camera/native)."""

import enum

import numpy as np
from numpy.typing import NDArray

class FrameKind(enum.Enum):
    paper = 0
    signed = 1
    clamped = 2

class Counting(enum.Enum):
    sensor = 0
    encoder = 1

class FrameMaker:
    def __init__(
        self,
        width: int,
        height: int,
        size: int,
        kind: FrameKind,
        counting: Counting,
        clamp: int,
    ) -> None: ...
    def add(self, x: NDArray[np.uint16], y: NDArray[np.uint16], on: NDArray[np.bool_]) -> None: ...
    def finish(self, out: NDArray[np.float32]) -> None: ...
    def clear(self) -> None: ...
    def counts(self) -> NDArray[np.uint16]: ...
    @property
    def saturated(self) -> int: ...
    @property
    def out_of_bounds(self) -> int: ...

class Simulator:
    def __init__(
        self,
        width: int,
        height: int,
        threshold_on: float,
        threshold_off: float,
        threshold_sigma: float,
        refractory_us: int,
        leak_hz: float,
        noise_hz: float,
        seed: int,
    ) -> None: ...
    def step(
        self, log_frame: NDArray[np.float32], t_us: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]: ...

def warp(
    image: NDArray[np.float32],
    a0: float,
    a1: float,
    a2: float,
    a3: float,
    a4: float,
    a5: float,
    fill: float,
    out: NDArray[np.float32],
) -> None: ...
