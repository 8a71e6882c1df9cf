"""Pictures resized by Pillow, which comes with the extra `train`."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError


def pillow() -> Any:
    """Pillow's `Image`.

    Raises:
        SaccadeError: it is not installed.
    """
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        raise SaccadeError("images: need Pillow; pip install 'saccade[train]'") from None


def resized(
    frame: NDArray[np.float32], size: int, box: tuple[float, float, float, float] | None = None
) -> NDArray[np.float32]:
    """float32 [h, w] -> float32 [size, size]: antialiased bilinear, each axis on its own.

    `box` is the part that is taken: left, top, right, bottom in pixels; the whole by default.
    """
    image = pillow()
    picture = image.fromarray(np.ascontiguousarray(frame, np.float32))
    found = picture.resize((size, size), image.Resampling.BILINEAR, box=box)
    return np.array(found, np.float32)
