"""CLIP's towers with their weights, from tensors or from a model folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

import msgspec
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from saccade.camera.errors import printable
from saccade.engines.clip.checkpoints import Weights
from saccade.engines.clip.config import Architecture, CheckpointError, Normalise, check
from saccade.engines.clip.known_spaces import known_space
from saccade.engines.clip.text import TextTower
from saccade.engines.clip.vit import VisionTower, fold_normalisation, take_gray
from saccade.engines.models import Model
from saccade.engines.tokens import Tokens


def vision_tower(
    arch: Architecture, state: dict[str, Tensor], normalise: Normalise = "none"
) -> VisionTower:
    """The tower of `visual.*`; with `normalise` "clip" it applies CLIP's mean and std itself.

    It shares the tensors; gradients are off.
    """
    with torch.device("meta"):  # no memory for weights that are replaced at once
        tower = VisionTower(arch)
    _assign(tower, {name.removeprefix("visual."): tensor for name, tensor in state.items()})
    if normalise == "clip":
        fold_normalisation(tower)
    return tower.requires_grad_(False)


def text_tower(arch: Architecture, state: dict[str, Tensor]) -> TextTower:
    """The tower of the tensors that are not `visual.*`; it shares them, gradients are off."""
    with torch.device("meta"):
        tower = TextTower(arch)
    _assign(tower, state)
    return tower.requires_grad_(False)


def with_known_space(weights: Weights, tokenizer_json: bytes | None) -> Weights:
    """The same, with the name of its space where that is known by what it says of words."""
    if tokenizer_json is None:
        return weights

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        tower = text_tower(weights.arch, weights.text)
        tokens = Tokens(tokenizer_json, weights.arch.context)
        return tower(torch.from_numpy(tokens(texts))).numpy()

    known = known_space(weights.arch.dimension, embed)
    return dataclasses.replace(weights, known=known)


def _assign(tower: nn.Module, state: dict[str, Tensor]) -> None:
    tower.load_state_dict(state, assign=True)
    tower.eval()


def event_tower(model: Model) -> VisionTower:
    """The event tower of a model folder in float32: its frames are the model's, as they come.

    Raises:
        ModelError: the folder has no weights.safetensors, or it is not the manifest's.
        CheckpointError: the model is no CLIP, or its weights are those of another.
    """
    try:
        arch, normalise = read_architecture(model)
        state = safetensors.torch.load(model.file("weights.safetensors"))
        event = {name: t.float() for name, t in state.items() if name.startswith("visual.")}
        check({name: tensor.shape for name, tensor in event.items()}, arch.vision_shapes())
    except (CheckpointError, SafetensorError, msgspec.ValidationError) as error:
        what = f"{model.folder}: no CLIP that torch could run ({error}); convert the model again"
        raise CheckpointError(printable(what)) from None
    tower = vision_tower(arch, event, normalise)
    if model.manifest.input.channels == 1:
        take_gray(tower)
    return tower.requires_grad_(False)


def read_architecture(model: Model) -> tuple[Architecture, Normalise]:
    """What `[architecture]` of a manifest says, as `convert` wrote it.

    Raises:
        msgspec.ValidationError: it is not there, or not CLIP's.
    """
    table = model.manifest.architecture
    arch = msgspec.convert(table, Architecture)
    return arch, cast("Normalise", msgspec.convert(table.get("normalise", "none"), Normalise))
