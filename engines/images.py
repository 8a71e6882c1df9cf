"""The image tower: photos to embeddings of the encoder's space, for testing words against them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.models import Model, ModelError
from saccade.engines.text import cpu_session

BATCH = 8


def open_photo(pillow: Any, path: Path, mode: str) -> Any:
    """An image file as Pillow (its module `Image`) has it, in a mode such as RGB or L.

    Raises:
        ModelError: it is no image.
    """
    try:
        with pillow.open(path) as opened:
            return opened.convert(mode)
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise ModelError(printable(f"{path}: no image that can be read ({error})")) from None


def fit_photo(pillow: Any, photo: Any, size: int) -> NDArray[np.float32]:
    """CLIP's square of a photo: its short side to `size` (bicubic), the centre, from 0 to 1.

    float32 [size, size] of a gray one, [size, size, 3] of RGB.
    """
    scale = size / min(photo.size)
    width, height = (max(size, int(side * scale)) for side in photo.size)
    photo = photo.resize((width, height), pillow.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    pixels = np.asarray(photo.crop((left, top, left + size, top + size)), np.float32)
    fitted: NDArray[np.float32] = np.divide(pixels, np.float32(255))
    return fitted


class ImageTower:
    """A model's `[image]`: its ONNX file, and what photos go through before."""

    def __init__(self, model: Model, threads: int | None = None) -> None:
        """Loads it on `threads` threads; by default one per core, four at most.

        Raises:
            ModelError: the model has none, it does not run, or Pillow is not installed.
        """
        image = model.manifest.image
        if image is None:
            raise ModelError(
                f"model {model.manifest.name!r}: has no tower for photos; take a CLIP model "
                "(`saccade models add openai/clip-vit-base-patch32`)"
            )
        try:
            self._pillow: Any = importlib.import_module("PIL.Image")
        except ImportError:
            raise ModelError("photos: need Pillow; pip install 'saccade[pictures]'") from None
        self._image, self._path = image, printable(str(model.folder / image.file))
        self._dimension = model.manifest.embedding.dimension
        self._session: Any = cpu_session(self._path, model.network(image.file), threads)
        self._input: str = self._session.get_inputs()[0].name

    def embed(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embeddings float32 [len(paths), dimension], L2-normalised, of image files.

        Raises:
            ModelError: a file is no image, or ONNX Runtime fails.
        """
        found = [np.empty((0, self._dimension), np.float32)]
        for start in range(0, len(paths), BATCH):
            batch = np.stack([self.prepare(path) for path in paths[start : start + BATCH]])
            try:
                found.append(self._session.run(None, {self._input: batch})[0])
            except Exception as error:  # ONNX Runtime has no common base for what it raises
                reason = printable(f"{error}".strip().partition("\n")[0])
                raise ModelError(f"{self._path}: does not take photos ({reason})") from None
        return np.concatenate(found)

    def prepare(self, path: Path) -> NDArray[np.float32]:
        """The photo as the tower takes it, float32 [3, size, size]; ModelError if it is none."""
        size = self._image.size
        pixels = fit_photo(self._pillow, open_photo(self._pillow, path, "RGB"), size)
        mean, std = (np.array(v, np.float32) for v in (self._image.mean, self._image.std))
        ready: NDArray[np.float32] = np.divide(pixels - mean, std)
        return np.ascontiguousarray(np.moveaxis(ready, 2, 0))

    def close(self) -> None:
        """Gives the memory back; the tower cannot be used after it."""
        self._session = None
