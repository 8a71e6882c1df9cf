"""The engine: a runtime holding an encoder. Four members, so that any runtime can be one."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import SaccadeError

#: The most frames of one run: more would only keep the first of them waiting.
MAX_BATCH = 8
#: What a run that may fall behind opens its engine for, unless told otherwise.
USUAL_BATCH = 4


class EngineError(SaccadeError):
    """An engine that cannot be had here, or that does not give what its reference gives."""


class Engine(Protocol):
    """Turns frames into embeddings. Not thread-safe: one thread at a time.

    The caller writes frames into `input`, calls `run(n)` and reads `output[:n]`; both buffers stay
    the same for the engine's life, so nothing is allocated per frame.
    """

    @property
    def input(self) -> NDArray[np.float32]:
        """float32 [batch, channels, size, size], written by the caller."""
        ...

    @property
    def output(self) -> NDArray[np.float32]:
        """float32 [batch, dimension], L2-normalised rows, valid until the next run."""
        ...

    def run(self, n: int, stream: int = 0) -> None:
        """Encodes the first `n` frames of `input` into the first `n` rows of `output`.

        `stream` is the CUDA stream (its handle) that the work joins; 0 is the engine's own, and the
        only one that an engine of the host has. `output` is ready when this returns.
        """
        ...

    def close(self) -> None:
        """Gives the runtime's memory back; the engine cannot be used after it."""
        ...


@runtime_checkable
class DeviceEngine(Protocol):
    """What an engine on a GPU has besides: frames that are made there need not pass the host."""

    @property
    def input_address(self) -> int:
        """Of `input_dtype` [batch, channels, size, size] on the device; 0 where it has none."""
        ...

    @property
    def input_dtype(self) -> np.dtype[Any]:
        """float16 or float32."""
        ...

    @property
    def cuda_device(self) -> int | _native.HostDevice:
        """The device's number; in tests a device that the host plays."""
        ...

    def run_on_device(self, n: int, stream: int) -> None:
        """As `run`, of `n` frames at `input_address` that work queued on `stream` has written."""
        ...


@runtime_checkable
class LabellingEngine(Protocol):
    """An engine that scores its embeddings too, in the same run."""

    def set_bank(self, bank: NDArray[np.float32], scale: float, top: int) -> None:
        """From the next run on, `best` are labels of `bank`, float32 [L, dimension].

        Call it from the thread that runs the engine; `top` is at most 32.
        """
        ...

    @property
    def best(self) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Of the last run: rows of the bank, best first, and softmax(scale * cosine)."""
        ...


def check_batch(batch: int) -> None:
    """Refuses to open an engine for a number of frames that none takes.

    Raises:
        EngineError: with the numbers that can be.
    """
    if not 1 <= batch <= MAX_BATCH:
        raise EngineError(f"batch {batch}: an engine takes from 1 to {MAX_BATCH} frames a run")


def check_frames(n: int, batch: int) -> None:
    """Raises a ValueError where an engine opened for `batch` frames shall encode another number."""
    if not 1 <= n <= batch:
        raise ValueError(f"{n} frames: this engine was opened for 1 to {batch}; open a larger one")


class OutputCheck:
    """Refuses embeddings with nan or inf, which would become labels without a word."""

    def __init__(self, output: NDArray[np.float32]) -> None:
        """Of an engine's `output`, float32 [batch, dimension], which keeps its place."""
        self._rows = _native.FiniteRows(output)

    def __call__(self, n: int) -> None:
        """Looks at the first `n` rows.

        Raises:
            EngineError: with the number of the first such row.
        """
        row = self._rows.first_bad(n)
        if row < 0:
            return
        raise EngineError(
            f"the embedding of frame {row} of the batch is not finite: either the frame was not, "
            "or the model overflows at this precision; use --precision fp32"
        )
