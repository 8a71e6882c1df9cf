"""What turns slices into arrays, on the CPU or on a GPU: one protocol for all."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.camera.slicing import Slice

#: DLPack's type and number of the host, where the CPU's arrays lie.
HOST = (1, 0)


class Accumulator(Protocol):
    """Turns slices of one sensor into arrays of one shape; one thread at a time.

    `FrameMaker` and those of `saccade.camera.representations` make them on the CPU;
    `CudaFrameMaker` and those of `saccade.camera.cuda_representations` on a GPU. What is written
    for this protocol with an `out` of NumPy runs on either.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Of every array."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every array."""
        ...

    @property
    def device(self) -> tuple[int, int]:
        """DLPack's type and number of where new arrays lie."""
        ...

    @property
    def out_of_bounds(self) -> int:
        """Events so far whose coordinates lay outside the sensor."""
        ...

    def make(self, cut: Slice, /, out: Any = None) -> Any:
        """The array of a slice.

        Args:
            cut: its packets lie on the host.
            out: a NumPy array of `shape` and `dtype` in C order: written on the host, where the
                call then waits for a GPU, and returned. An array of the same kind on `device`
                (DLPack): written there, and returned. None: a new NumPy array of the CPU's; the
                accumulator's own one of a GPU's, good until the next slice.

        Raises:
            SaccadeError: `out` is not such an array, or lies elsewhere.
            TypeError, ValueError: a packet's columns are not what `Packet` says, or not contiguous.
        """
        ...


def check_out(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raises SaccadeError where `out` cannot be written as an array of this kind."""
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise SaccadeError(f"out: must be {dtype} {list(shape)} in C order")
