"""The drivers of real cameras: optional packages, imported when a camera is opened or listed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.camera.events import Packet
from saccade.camera.sources.base import SourceError


def import_driver(name: str, module: str, extra: str) -> Any:
    """The driver's module.

    Raises SourceError with what to install where it is missing or does not load.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        what = f"its driver is not installed ({module})"
        raise SourceError(name, what, f"`pip install 'saccade[{extra}]'`") from None
    except ImportError as error:
        remedy = f"`pip install --force-reinstall 'saccade[{extra}]'`"
        raise SourceError(name, f"its driver does not load: {error}", remedy) from None


def reason(error: Exception) -> str:
    """What a driver says in an exception, on one line, its stack traces aside."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line.partition(": ")[2] for line in lines if line.startswith("RuntimeError: ")]
    return printable((said or lines or [type(error).__name__])[0])


def checked(
    t: NDArray[np.int64],
    x: NDArray[np.int16],
    y: NDArray[np.int16],
    on: NDArray[np.generic],
    size: tuple[int, int],
    dropped: dict[str, int],
) -> Packet:
    """A driver's columns as a packet (copies); what no sensor of that size sends is counted.

    Args:
        size: width and height in pixels.
        dropped: gets `out_of_bounds` and `negative_time` added.
    """
    outside = (x < 0) | (x >= size[0]) | (y < 0) | (y >= size[1])
    negative = (t < 0) & ~outside
    if outside.any() or negative.any():
        dropped["out_of_bounds"] += int(np.count_nonzero(outside))
        dropped["negative_time"] += int(np.count_nonzero(negative))
        keep = ~(outside | negative)
        t, x, y, on = t[keep], x[keep], y[keep], on[keep]
    return Packet(
        t.astype(np.uint64), x.astype(np.uint16), y.astype(np.uint16), on.astype(np.bool_)
    )
