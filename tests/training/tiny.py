"""A tiny CLIP as a checkpoint with its vocabulary, and data and configurations to train it by."""

from __future__ import annotations

from pathlib import Path

import msgspec
import safetensors.torch
import torch
from tests.engines.clip.weights import random_state
from tests.training.sets import write_places

from saccade.camera.toml import to_toml
from saccade.engines.clip.config import Architecture, Transformer
from saccade.engines.tokens import tokenizer_json

#: Bytes, bytes at a word's end, start and end: a vocabulary without merges.
ARCH = Architecture(
    size=32,
    patch=8,
    vision=Transformer(64, 2, 1, 64),
    context=40,
    vocabulary=514,
    text=Transformer(64, 1, 1, 64),
    dimension=16,
    activation="quick_gelu",
)


def write_clip(folder: Path) -> Path:
    """A folder of a checkpoint with all that is known of it."""
    folder.mkdir(parents=True)
    state = random_state(ARCH, 3)
    # Else every text is its end token, and a constant would please L_pred.
    state["token_embedding.weight"][-2:] = 0
    safetensors.torch.save_file(state, folder / "model.safetensors")
    config = {"model_cfg": {"quick_gelu": True, "vision_cfg": {}, "text_cfg": {"heads": 1}}}
    (folder / "open_clip_config.json").write_bytes(msgspec.json.encode(config))
    (folder / "tokenizer.json").write_bytes(tokenizer_json([]))
    return folder


def write_data(folder: Path) -> dict[str, object]:
    """Recordings in four places with images, three of each to train and one of each to test."""
    write_places(folder / "train", folder / "images", each=3)
    write_places(folder / "test", each=1, first=50)
    words = folder / "words.txt"
    words.write_text("north_west aaaa\nnorth_east zzzz\nsouth_west 8888\nsouth_east ....\n")
    common = {"kind": "recordings", "events": 300, "classes": str(words), "templates": ["{}"]}
    return {
        "data": {
            **common,
            "root": str(folder / "train"),
            "images": str(folder / "images"),
            "augment": False,
        },
        "validation": {**common, "root": str(folder / "test")},
    }


def write_config(path: Path, clip: Path, given: dict[str, object], /, **sections: object) -> Path:
    """A configuration of two steps an epoch."""
    table: dict[str, object] = {"model": {"clip": str(clip)}, **given, "loss": {}}
    table["train"] = {"epochs": 3, "batch": 6, "warmup_epochs": 1, "base_lr": 0.2, "ema": 0.8}
    for name, section in sections.items():
        assert isinstance(section, dict)
        before = table.get(name, {})
        assert isinstance(before, dict)
        table[name] = {**before, **section}
    path.write_text(to_toml(table))
    return path


torch.set_num_threads(1)
