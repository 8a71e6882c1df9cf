"""A ViT-B/32 of real shape for the benchmark of engines, where no trained one is given.

Its weights are made, not trained: Student's t rather than normal, uneven gains of norms, hidden
units that fire strongly and three channels that grow by an order of magnitude in the third block,
as trained transformers have them. Normal weights alone are too kind to int8.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = 101


def make_clip(folder: Path) -> Path:
    """Converts it into a model folder with files of fp32 and int8, and a bank; gives the folder."""
    import torch

    from saccade.engines.clip.checkpoints import Weights
    from saccade.engines.clip.config import Architecture, Transformer
    from saccade.engines.clip.convert import convert
    from saccade.engines.manifest import FrameInfo

    arch = Architecture(
        size=224,
        patch=32,
        vision=Transformer(768, 12, 12, 3072),
        context=77,
        vocabulary=49408,
        text=Transformer(512, 12, 8, 2048),
        dimension=512,
        activation="quick_gelu",
    )
    torch.manual_seed(3)
    event = {name: _tensor(name, shape) for name, shape in arch.vision_shapes().items()}
    channels = [133, 259, 700]  # that grow
    for name, tensor in event.items():
        if name.endswith("mlp.c_fc.weight"):
            tensor[torch.randint(0, len(tensor), (8,))] *= 6
        if ".ln_" in name and name.endswith("weight") and "resblocks" in name:
            tensor[channels] *= 0.3
    for block in (2, 3):
        event[f"visual.transformer.resblocks.{block}.mlp.c_proj.weight"][channels] *= 25
    text = {"token_embedding.weight": torch.zeros(1, 512)}  # its tower is not exported
    convert(
        Weights(event, None, text, arch, 100.0),
        folder,
        name="vit-b-32-made",
        source="benchmarks/engine_models.py",
        revision="",
        licence="none",
        frame=FrameInfo("paper", "sensor"),
        precisions=["fp32", "int8"],
    )
    return folder


def _tensor(name: str, shape: tuple[int, ...]) -> object:
    """As large as OpenAI initialises it, or as a norm or a bias may be."""
    import torch

    layers, width = 12, 768
    if len(shape) == 1 and ".ln_" in name:
        noise = torch.randn(shape)
        return torch.exp(0.5 * noise) if name.endswith("weight") else 0.3 * noise
    if len(shape) == 1:
        return torch.randn(shape) * (0.7 if "class" in name else 0.2)
    tails = torch.distributions.StudentT(5.0).sample(shape) * (3 / 5) ** 0.5
    if "positional" in name:
        return 10 * width**-0.5 * tails
    deviation = {
        "conv1.weight": 0.05,
        "c_fc.weight": (2 * width) ** -0.5,
        "c_proj.weight": (2 * layers * width) ** -0.5,
        "out_proj.weight": (2 * layers * width) ** -0.5,
    }
    end = next((d for suffix, d in deviation.items() if name.endswith(suffix)), width**-0.5)
    return end * tails


def add_bank(folder: Path) -> None:
    """Gives a model folder a bank of `WORDS` random rows: labels that cost what others do."""
    import hashlib
    import json

    import msgspec
    from safetensors.numpy import save_file

    from saccade.camera.toml import to_toml
    from saccade.engines.models import read_manifest

    manifest = read_manifest(folder / "model.toml")
    shape = WORDS, manifest.embedding.dimension
    rows = np.random.default_rng(0).standard_normal(shape, np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = json.dumps([f"word {i}" for i in range(WORDS)])
    path = folder / "labels.safetensors"
    save_file({"embeddings": rows}, path, {"names": names, "space": manifest.embedding.space})
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = msgspec.structs.replace(manifest, labels_sha256=found)
    (folder / "model.toml").write_text(to_toml(msgspec.to_builtins(manifest)))
