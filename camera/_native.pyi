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
