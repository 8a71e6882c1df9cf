"""The engine: a runtime holding an encoder. Four members, so that any runtime can be one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError


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
