"""The towers of a training: CLIP's image and text tower, frozen, and the one that learns events."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.camera.errors import printable
from saccade.engines.clip.checkpoints import Weights, read_weights
from saccade.engines.clip.config import Architecture, CheckpointError, Transformer, check
from saccade.engines.clip.load import (
    read_architecture,
    text_tower,
    vision_tower,
    with_known_space,
)
from saccade.engines.clip.vit import VisionTower
from saccade.engines.models import Model, load_model
from saccade.engines.reporting import silent
from saccade.engines.sources import find_source
from saccade.engines.tokenizer_files import find_tokenizer
from saccade.engines.tokens import Tokens
from saccade.training.config import ModelConfig, StudentConfig
from saccade.training.datasets.classes import Classes

_TEXTS = 64  # prompts a run


@dataclass(frozen=True)
class Clip:
    """The frozen CLIP, and where its event tower starts from.

    Attributes:
        weights: of all towers.
        tokenizer: its `tokenizer.json`; None where it has none.
    """

    weights: Weights
    tokenizer: bytes | None

    @property
    def arch(self) -> Architecture:
        """Of the towers."""
        return self.weights.arch

    def image_tower(self) -> VisionTower:
        """The tower for photos; no gradients."""
        weights = self.weights
        return vision_tower(weights.arch, weights.event if weights.image is None else weights.image)

    @torch.no_grad()
    def prompt_features(self, classes: Classes) -> Tensor:
        """f_T of the classes' prompts, float32 [C, D], not normalised: of several, their mean.

        Raises:
            CheckpointError: the CLIP has no tokenizer.
        """
        if self.tokenizer is None:
            what = "this CLIP has no vocabulary for prompts; give CLIP's with model.vocab"
            raise CheckpointError(what)
        tokens = Tokens(self.tokenizer, self.arch.context)
        tower = text_tower(self.arch, self.weights.text)
        texts = [prompt for prompts in classes.prompts for prompt in prompts]
        parts = [tokens(texts[k : k + _TEXTS]) for k in range(0, len(texts), _TEXTS)]
        found = torch.cat([tower.features(torch.from_numpy(part)) for part in parts])
        return found.reshape(len(classes.ids), -1, found.shape[1]).mean(dim=1)


def load_clip(config: ModelConfig) -> Clip:
    """The CLIP of `[model]`, whose event tower is a copy of the image tower or `model.event`'s.

    Raises:
        SaccadeError: there is no such model, or it is no plain CLIP, or the two do not fit.
    """
    path = Path(config.clip)
    # Path.exists raises where the name is too long.
    if os.path.exists(path) and not os.path.exists(path / "model.toml"):  # noqa: PTH110
        source = find_source(config.clip, None, None, True, silent)
        assert source.weights is not None, "it is no model folder"
        weights = read_weights(source.files.fetch(source.weights), config.activation)
        vocab = Path(config.vocab) if config.vocab else None
        tokenizer, _ = find_tokenizer(source.files, vocab, True, silent)
        image = weights.event if weights.image is None else weights.image
    else:
        if config.vocab or config.activation:
            what = "is a model, which has its own: model.vocab and model.activation are for"
            raise CheckpointError(printable(f"{config.clip}: {what} checkpoints"))
        model = load_model(config.clip)
        weights = _weights_of(model, plain=True)
        text = model.manifest.text
        tokenizer = model.file(text.tokenizer) if text else None
        image = weights.event
    weights = with_known_space(weights, tokenizer)
    event = image
    if config.event:
        start = with_known_space(_weights_of(load_model(config.event), plain=False), tokenizer)
        if start.arch != weights.arch or start.space != weights.space:
            what = f"model.event is of space {start.space}, {config.clip} of {weights.space}"
            raise CheckpointError(printable(f"{what}; take both from one CLIP"))
        event = start.event
    return Clip(dataclasses.replace(weights, event=event, image=image), tokenizer)


def _weights_of(model: Model, *, plain: bool) -> Weights:
    """The towers in `weights.safetensors`; with `plain` its event tower must be the image tower."""
    try:
        arch, normalise = read_architecture(model)
        state = safetensors.torch.load(model.file("weights.safetensors"))
        scale = float(state.pop("logit_scale").exp())
        shapes = {name: tensor.shape for name, tensor in state.items()}
        check(shapes, {**arch.vision_shapes(), **arch.text_shapes()})
    except (CheckpointError, SafetensorError, msgspec.ValidationError, KeyError) as error:
        what = f"{model.folder}: no CLIP that torch could train ({error}); convert it again"
        raise CheckpointError(printable(what)) from None
    if plain and normalise != "clip":
        what = f"{model.folder}: its image tower is not kept for torch"
        remedy = "give CLIP's own model, as `saccade models add openai/clip-vit-base-patch32` makes"
        raise CheckpointError(printable(f"{what}; {remedy}"))
    state = {name: tensor.float() for name, tensor in state.items()}
    event = {name: tensor for name, tensor in state.items() if name.startswith("visual.")}
    text = {name: tensor for name, tensor in state.items() if name not in event}
    return Weights(event, None, text, arch, scale)


class EventEncoder(nn.Module):
    """An event tower as training needs it: gray frames in, features out that are not normalised."""

    def __init__(self, tower: VisionTower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, frames: Tensor) -> Tensor:
        """float [N, 1, size, size] -> float [N, D]: the frame goes in as three copies."""
        return self.tower.features(frames.expand(-1, 3, -1, -1))


def event_encoder(clip: Clip) -> EventEncoder:
    """The event tower with weights of its own, all of them to be trained."""
    state = {name: tensor.clone() for name, tensor in clip.weights.event.items()}
    return EventEncoder(vision_tower(clip.arch, state).requires_grad_(True).train())


class CnnStudent(nn.Module):
    """A small CNN: a stem and stages of two convolutions, each of which halves the sides."""

    def __init__(self, channels: tuple[int, ...], dimension: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for c_in, c_out in zip((1, *channels), channels, strict=False):
            for stride, width in ((2, c_in), (1, c_out)):
                layers += [nn.Conv2d(width, c_out, 3, stride, 1, bias=False)]
                layers += [nn.BatchNorm2d(c_out), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.embed = nn.Linear(channels[-1], dimension)

    def forward(self, frames: Tensor) -> Tensor:
        """float [N, 1, size, size] -> float [N, D], not normalised."""
        return self.embed(self.layers(frames).mean((2, 3)))


class Normalised(nn.Module):
    """An encoder whose embeddings have length 1: what a model folder holds."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, frames: Tensor) -> Tensor:
        """float [N, 1, size, size] -> float [N, D], L2-normalised."""
        return F.normalize(self.encoder(frames).float(), dim=-1)


def student(config: StudentConfig, dimension: int, seed: int) -> nn.Module:
    """A student with weights drawn by the seed; its features have `dimension` numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if config.kind == "cnn":
            return CnnStudent(config.channels, dimension)
        shape = Transformer(config.width, config.layers, config.heads, 4 * config.width)
        unused = Transformer(1, 1, 1, 1)
        tower = VisionTower(
            Architecture(config.size, config.patch, shape, 1, 1, unused, dimension, "gelu")
        )
        _draw(tower)
        return EventEncoder(tower)


@torch.no_grad()
def _draw(tower: VisionTower) -> None:
    """Weights of a transformer that starts from nothing: Gaussians, biases 0, norms 1."""
    for name, tensor in tower.named_parameters():
        if name.endswith("bias"):
            tensor.zero_()
        elif ".ln_" in f".{name}":
            tensor.fill_(1)
        else:
            fan_in = tensor[0].numel() if tensor.ndim > 1 and name != "proj" else len(tensor)
            scale = 0.02 if "embedding" in name else float(np.sqrt(1 / fan_in))
            tensor.normal_(0, scale)
