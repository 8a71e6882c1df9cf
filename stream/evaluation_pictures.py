"""A few windows that were labelled right, and wrong, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.engines.bank import LabelBank
from saccade.stream.evaluation_record import Judged
from saccade.stream.evaluation_windows import Looker, Sample, Windows
from saccade.stream.png import gray_png

SHOWN = 8  # of each kind


@dataclass(frozen=True, slots=True)
class Picture:
    """A window: its frame as a PNG, and what was said of it.

    Attributes:
        png: gray, dark where there is nothing.
        recording: LABEL/FILE.
        label, taken: the right label and the one that was said.
        confidence: its probability.
    """

    png: bytes
    recording: str
    label: str
    taken: str
    confidence: float


def choose(judged: Judged, right: bool, most: int = SHOWN) -> list[int]:
    """Which windows to show: of each class the most confident, of classes spread evenly."""
    order = np.argsort(-judged.confidence, kind="stable")
    order = order[judged.right[order] == right]
    _, first = np.unique(judged.truth[order], return_index=True)
    best: NDArray[np.intp] = order[first]
    places = np.arange(min(most, len(best))) * len(best) // max(1, min(most, len(best)))
    return best[places].tolist()


def pictures(
    judged: Judged, windows: Windows, samples: Sequence[Sample], bank: LabelBank, looker: Looker
) -> list[Picture]:
    """Pictures of wrong windows, the mistakes that it was surest of, and of right ones."""
    found: list[Picture] = []
    for i in choose(judged, right=False) + choose(judged, right=True):
        sample = samples[int(windows.owners[i])]
        frame = looker.frame(sample, int(windows.places[i]))
        label, taken = (bank.names[int(each[i])] for each in (judged.truth, judged.taken))
        png = gray_png(_gray(frame))
        found.append(Picture(png, sample.name, label, taken, float(judged.confidence[i])))
    return found


def _gray(frame: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From the frame's least value, black, to its greatest, white; uint8 of the same shape."""
    low, high = float(frame.min()), float(frame.max())
    scaled = (frame - low) * (255 / (high - low) if high > low else 0.0)
    return np.round(scaled).astype(np.uint8)
