"""The data sets that are known: their files, sensors, windows and frames.

Frames are those of the released code of arXiv 2412.03093: N-ImageNet 30,000 events, coordinates
scaled to the frame before counting, `signed`; N-Caltech101 30,000 events, counts clamped at 20,
then `signed`, then resized; N-MNIST 2,000 events, `clamped` at 10, resized. What the paper has no
frame for is `clamped` at 10, as the program's models are unless told otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet
from saccade.camera.frames import Counting, FrameKind, FrameMaker, FrameSpec
from saccade.training.config import FrameConfig, Kind
from saccade.training.datasets.resize import resized


@dataclass(frozen=True)
class Recipe:
    """How events become a frame.

    Attributes:
        kind, counting, clamp: see `FrameSpec`.
        cap: counts of each polarity are cut at it before anything else; 0 is not at all. No
            `FrameSpec` has it: the program cannot make such frames live.
    """

    kind: FrameKind
    counting: Counting
    clamp: int = 10
    cap: int = 0


@dataclass(frozen=True)
class DataSet:
    """What a kind of data set is, where its configuration says nothing else.

    Attributes:
        extensions: of its recordings; empty takes every file.
        recipe: of its frames.
        events: of a window.
        geometry: (width, height) where the files do not state it.
        classes: the class file that comes with saccade, "" where there is none.
    """

    extensions: tuple[str, ...]
    recipe: Recipe
    events: int
    geometry: tuple[int, int] | None = None
    classes: str = ""


_CLAMPED = Recipe("clamped", "sensor", 10)
KINDS: dict[Kind, DataSet] = {
    "n-imagenet": DataSet((".npz",), Recipe("signed", "encoder"), 30_000),
    "n-caltech101": DataSet(
        (".bin",), Recipe("signed", "sensor", cap=20), 30_000, classes="n-caltech101"
    ),
    "n-mnist": DataSet((".bin",), _CLAMPED, 2_000, (34, 34), "n-mnist"),
    "cifar10-dvs": DataSet((".aedat", ".aedat4"), _CLAMPED, 30_000, (128, 128), "cifar10-dvs"),
    "n-cars": DataSet((".dat",), _CLAMPED, 30_000, (120, 100), "n-cars"),
    "recordings": DataSet((), _CLAMPED, 30_000),
    "images": DataSet((".jpg", ".jpeg", ".png", ".bmp", ".webp"), _CLAMPED, 30_000),
}


def recipe_of(kind: Kind, frame: FrameConfig | None) -> Recipe:
    """The frames of a data set, or those of `[frame]`."""
    if frame is None:
        return KINDS[kind].recipe
    return Recipe(frame.kind, frame.counting, frame.clamp)


class Frames:
    """Makes frames of a recipe at one size, of any sensor. One thread at a time."""

    def __init__(self, recipe: Recipe, size: int) -> None:
        self.recipe, self.size = recipe, size
        self._spec = FrameSpec(recipe.kind, size, recipe.counting, clamp=recipe.clamp)
        self._makers: dict[tuple[int, int], FrameMaker] = {}

    def make(self, packet: Packet, width: int, height: int) -> NDArray[np.float32]:
        """The frame float32 [size, size] of events on a sensor of `width` x `height`."""
        maker = self._makers.get((width, height))
        if maker is None:
            maker = self._makers[width, height] = FrameMaker(width, height, self._spec)
        if not self.recipe.cap:
            return maker.make([packet])
        return resized(capped(maker.count([packet]), self.recipe.kind, self.recipe.cap), self.size)

    def release(self) -> None:
        """Gives back the counters of every sensor."""
        self._makers.clear()


def capped(counts: NDArray[np.uint16], kind: FrameKind, cap: int) -> NDArray[np.float32]:
    """Counts uint16 [2, h, w] cut at `cap`, as a frame float32 [h, w] of kind paper or signed."""
    cut = np.minimum(counts, cap).astype(np.float32)
    if kind == "signed":
        off, on = (plane / (plane.max() + 1) for plane in cut)
        return on + off - np.float32(1)
    assert kind == "paper", "clamped frames are clamped already"
    total = cut.sum(axis=0)
    return total / (total.max() + 1)
