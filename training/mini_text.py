"""CLIP's own embeddings of class names, towards which saccade-mini is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

#: LVIS's names of Caltech-101's classes, where they are not the same word.
LVIS_NAMES = {
    "Motorbikes": "motorcycle",
    "airplanes": "airplane",
    "binocular": "binoculars",
    "car_side": "car_(automobile)",
    "ceiling_fan": "fan",
    "cellphone": "cellular_telephone",
    "cougar_body": "cougar",
    "cougar_face": "cougar",
    "crab": "crab_(animal)",
    "crayfish": "crawfish",
    "dollar_bill": "dollar",
    "electric_guitar": "guitar",
    "ewer": "pitcher_(vessel_for_liquid)",
    "flamingo_head": "flamingo",
    "grand_piano": "piano",
    "headphone": "earphone",
    "inline_skate": "roller_skate",
    "laptop": "laptop_computer",
    "octopus": "octopus_(animal)",
    "panda": "giant_panda",
    "revolver": "pistol",
    "rhino": "rhinoceros",
    "rooster": "cock",
    "sea_horse": "seahorse",
    "stapler": "stapler_(stapling_machine)",
}


class TextTargets(torch.nn.Module):
    """The texts of a vocabulary, and which of them names a class.

    Attributes:
        texts: float32 [words, 512], L2-normalised.
        target: int64 [classes], the row of a class's name; -1 where the vocabulary has none.
    """

    texts: Tensor
    target: Tensor

    def __init__(self, texts: Tensor, target: Tensor) -> None:
        super().__init__()
        self.register_buffer("texts", texts)
        self.register_buffer("target", target)

    def losses(self, embedding: Tensor, classes: Tensor, scale: float = 60.0) -> Tensor:
        """Cross-entropy of each sample's text among all words, float32 [N]; 0 where it has none."""
        logits = scale * embedding @ self.texts.T
        target = self.target[classes]
        return F.cross_entropy(logits, target, ignore_index=-1, reduction="none")


def read_texts(path: Path, names: Sequence[str]) -> TextTargets:
    """The targets from an npz of `lvis_text` [1203, 512] and `lvis_names` [1203]."""
    with np.load(path) as file:
        texts = torch.from_numpy(file["lvis_text"].astype(np.float32))
        rows = {str(name): k for k, name in enumerate(file["lvis_names"])}
    target = [rows.get(LVIS_NAMES.get(name, name), -1) for name in names]
    return TextTargets(F.normalize(texts, dim=1), torch.tensor(target))
