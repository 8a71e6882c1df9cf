"""What engines on the CPU share: the number of threads, and checks of a network before its use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.engine import EngineError
from saccade.engines.models import ModelError

_MOST_THREADS = 4  # unless more are asked for: the encoders here stop gaining there


def usable_cores() -> int:
    """How many cores this process may use, which taskset and containers make fewer."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int | None) -> int:
    """The number of threads to work on; None is one per core, four at most.

    Raises:
        EngineError: less than 1.
    """
    if threads is not None and threads < 1:
        raise EngineError(f"threads {threads}: must be at least 1")
    return threads or min(usable_cores(), _MOST_THREADS)


def check_first_run(
    path: Path, run: Callable[[], object], frames: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Runs one frame, a ramp (an empty one may have no direction), and clears both buffers.

    Args:
        path: the network's file.
        run: encodes the first of `frames` into the first row of `out`; what it raises is raised.
        frames, out: the engine's buffers.

    Raises:
        ModelError: the embedding is not L2-normalised.
    """
    frames[0] = np.linspace(0, 1, frames.shape[3])
    run()
    norm = float(np.linalg.norm(out[0].astype(np.float64)))
    if not abs(norm - 1) <= 1e-3:
        raise ModelError(
            f"{printable(str(path))}: the embedding of a test frame has norm "
            f"{norm:.4g}, not 1; export the model with an L2 normalisation at its end"
        )
    frames[0] = out[0] = 0


def check_fixed_batch(path: Path, name: str, fixed: int, batch: int) -> None:
    """Refuses a tensor that states how many frames there are, but for one where one is wanted.

    Raises:
        ModelError: with the remedy.
    """
    if not fixed == batch == 1:
        raise ModelError(
            f"{printable(str(path))}: {name} holds {fixed} frames, not any number from 1 to "
            f"{batch}; export the model with a dynamic first dimension"
        )
