"""How CLIP ViT-B/32's space is told: `python -m saccade.training.space_marks TEXTS.npz`.

Prints `engines/clip/known_spaces.toml`, of `lvis_text` and `lvis_names` as Detic publishes them:
real embeddings of "a {name}".
"""

from __future__ import annotations

import sys

import numpy as np

from saccade.engines.clip.known_spaces import projected

SPACE = "clip-vit-b-32/openai"
#: Names of one word, so that there is no question of how the text was written.
WORDS = ("banana", "bicycle", "chair", "cup", "guitar", "ladder", "mushroom", "zebra")
DIRECTIONS = 8


def main() -> None:
    """The command."""
    with np.load(sys.argv[1]) as file:
        names: list[str] = file["lvis_names"].tolist()
        rows = file["lvis_text"][[names.index(word) for word in WORDS]].astype(np.float32)
    texts = ", ".join(f'"a {word}"' for word in WORDS)
    print(
        "# Made by saccade.training.space_marks of Detic's embeddings of LVIS names (Apache-2.0)."
    )
    print(f'["{SPACE}"]\ndimension = {rows.shape[1]}\ntexts = [{texts}]\nprojections = [')
    for row in projected(rows, DIRECTIONS):
        print(f"  [{', '.join(f'{value:.4f}' for value in row)}],")
    print("]")


if __name__ == "__main__":
    main()
