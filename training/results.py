"""What a training leaves: a model folder that `saccade run --model` takes."""

from __future__ import annotations

import copy
import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import torch
from torch import nn

from saccade.camera.errors import printable
from saccade.camera.frames import FrameSpec
from saccade.camera.toml import to_toml
from saccade.engines.clip.checkpoints import Weights
from saccade.engines.clip.convert import convert
from saccade.engines.clip.export import check_file, reference, write_onnx
from saccade.engines.clip.load import text_tower
from saccade.engines.manifest import (
    EmbeddingInfo,
    FrameInfo,
    InputInfo,
    Manifest,
    TextInfo,
)
from saccade.engines.probes import probe_frames
from saccade.training.config import Config, Objective
from saccade.training.datasets.kinds import Recipe
from saccade.training.datasets.samples import Samples
from saccade.training.towers import Clip, EventEncoder, Normalised

_PROBES = 8


def write_model(
    folder: Path,
    objective: Objective,
    config: Config,
    clip: Clip,
    encoder: nn.Module,
    samples: Samples,
    figures: Mapping[str, float],
) -> Manifest:
    """Makes the model folder of a trained encoder: a CLIP's with its towers, or a student's.

    Raises:
        SaccadeError: it is there already, cannot be written, or its files do not give torch's
            embeddings.
    """
    recipe = samples.recipe
    if recipe.cap:
        print(warning(recipe), file=sys.stderr)
    encoder = copy.deepcopy(encoder).cpu().float().eval().requires_grad_(False)
    frame = FrameInfo(recipe.kind, recipe.counting, recipe.clamp)
    about = _about(objective, config, samples, figures)
    if config.student is not None:
        return _write_student(folder, config, clip, encoder, frame, about)
    assert isinstance(encoder, EventEncoder)
    event = {f"visual.{name}": t.contiguous() for name, t in encoder.tower.state_dict().items()}
    mine = clip.weights
    image = mine.event if mine.image is None else mine.image
    return convert(
        Weights(event, image, mine.text, mine.arch, mine.scale),
        folder,
        name=config.export.name,
        source=f"saccade train {objective}",
        revision=f"classes {samples.listing.classes.sha256[:12]}",
        licence=config.export.licence,
        frame=frame,
        precisions=config.export.precisions,
        tokenizer_json=clip.tokenizer,
        training=about,
    )


def warning(recipe: Recipe) -> str:
    """That frames of a capped recipe are not those that the program makes."""
    return (
        f"warning: it was trained on frames whose counts were cut at {recipe.cap}, which `saccade "
        f"run` does not do (its {recipe.kind} frames have no cap); to label live, train with a "
        "[frame] of its own"
    )


def _about(
    objective: Objective, config: Config, samples: Samples, figures: Mapping[str, float]
) -> dict[str, Any]:
    """`[training]` of the manifest."""
    classes, train = samples.listing.classes, config.train
    loss = msgspec.to_builtins(config.loss)
    return {
        "objective": objective,
        "clip": Path(config.model.clip).name,
        "data": config.data.kind,
        "samples": len(samples),
        "classes": len(classes.ids),
        "classes_sha256": classes.sha256,
        "templates": classes.templates.label,
        "events": samples.events,
        "window_us": config.data.window_us,
        "cap": samples.recipe.cap,
        "epochs": train.epochs,
        "batch": train.batch,
        "base_lr": train.base_lr,
        "ema": train.ema,
        "seed": train.seed,
        **{f"loss_{name}": value for name, value in loss.items() if value},
        **{name: round(value, 4) for name, value in figures.items()},
    }


def _write_student(
    folder: Path,
    config: Config,
    clip: Clip,
    encoder: nn.Module,
    frame: FrameInfo,
    about: dict[str, Any],
) -> Manifest:
    """A student's folder: its encoder in fp32, and its teacher's words."""
    assert config.student is not None
    size, weights = config.student.size, clip.weights
    spec = FrameSpec(frame.kind, size, frame.counting, clamp=frame.clamp)
    frames = torch.from_numpy(probe_frames(spec, _PROBES, 1))
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as work:
        made = Path(work) / "model"
        made.mkdir()
        _write(Normalised(encoder), frames, made / "model.onnx", "frame", weights.space)
        text = None
        if clip.tokenizer is not None:
            (made / "tokenizer.json").write_bytes(clip.tokenizer)
            tower = text_tower(weights.arch, weights.text)
            tokens = torch.from_numpy(_tokens(weights.arch.context, weights.arch.vocabulary))
            _write(tower, tokens, made / "text.onnx", "tokens", weights.space)
            text = TextInfo("text.onnx", "tokenizer.json", weights.arch.context)
        sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(made.iterdir())}
        manifest = Manifest(
            name=config.export.name,
            version=1,
            licence=printable(config.export.licence),
            sha256=sums.pop("model.onnx"),
            input=InputInfo("frame", size, 1),
            frame=frame,
            embedding=EmbeddingInfo(
                "embedding", weights.arch.dimension, weights.space, weights.scale
            ),
            source="saccade train distill",
            files=sums,
            text=text,
            training=about,
        )
        table = to_toml(cast("dict[str, Any]", msgspec.to_builtins(manifest)))
        (made / "model.toml").write_text(table, encoding="utf-8")
        os.rename(made, folder)  # noqa: PTH104 - its error names both
    return manifest


def _write(module: nn.Module, inputs: torch.Tensor, path: Path, name: str, space: str) -> None:
    module.eval().requires_grad_(False)
    write_onnx(module, inputs[:2], path, (name, "embedding"), space)
    check_file(path, inputs, reference(module, inputs), "fp32")


def _tokens(context: int, vocabulary: int) -> np.ndarray:
    """int64 [N, context]: random words, the end (the last number) at a place of its own, zeros."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, vocabulary - 2, (_PROBES, context))
    for row, end in zip(tokens, rng.integers(1, context, _PROBES), strict=True):
        row[end], row[end + 1 :] = vocabulary - 1, 0
    return tokens
