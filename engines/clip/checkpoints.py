"""Checkpoints of CLIP in all layouts: OpenAI's, open_clip's, Hugging Face's and the paper's."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import torch
from torch import Tensor

from saccade.camera.errors import printable
from saccade.engines.clip.config import Activation, Architecture, CheckpointError, check, infer
from saccade.engines.clip.huggingface import from_huggingface, is_huggingface
from saccade.engines.clip.state_files import read_state

#: Files of weights that hubs' folders hold, the safer first.
FILES = (
    *("model.safetensors", "open_clip_model.safetensors", "weights.safetensors"),
    *("pytorch_model.bin", "open_clip_pytorch_model.bin"),
)
#: What OpenAI's archives and old open_clip files hold beside the weights.
_NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
#: The paper's: the event tower, and where CLIP's own towers are.
_EVENT, _FROZEN = "encoder_k.", ("foundation_model.", "encoder_q.")


@dataclass(frozen=True)
class Weights:
    """A CLIP: float32 tensors by OpenAI's names.

    Attributes:
        event: the tower for event frames, `visual.*`.
        image: the tower for photos, `visual.*`; None where it is the event tower.
        text: the tower for words.
        arch: of all of them.
        scale: of the softmax over cosines: exp(logit_scale).
        known: the space's name, where it has one (`known_spaces`).
    """

    event: dict[str, Tensor]
    image: dict[str, Tensor] | None
    text: dict[str, Tensor]
    arch: Architecture
    scale: float
    known: str | None = None

    @property
    def has_image_tower(self) -> bool:
        """Whether photos have a tower of their own."""
        return self.image is not None

    @property
    def space(self) -> str:
        """The name of the embeddings' space: one for all event encoders with this text tower."""
        if self.known is not None:
            return self.known
        digest = hashlib.sha256()
        for name in sorted(self.text):
            digest.update(self.text[name].numpy().astype("<f4", copy=False).data)
        return f"clip-{self.arch.name}/{digest.hexdigest()[:12]}"


def read_weights(path: Path, activation: Activation | None = None) -> Weights:
    """The CLIP in a file, or in a folder of a hub, of whatever layout.

    The activation is in no tensor. It is known of OpenAI's archives and of the paper's checkpoints
    (quick_gelu) and where a `config.json` (Hugging Face) or `open_clip_config.json` lies beside;
    elsewhere it must be given.

    Raises:
        CheckpointError: it cannot be read, would run code, or is no CLIP with a vision
            transformer; or its activation is unknown.
    """
    if path.is_dir():
        names = [name for name in FILES if (path / name).is_file()]
        if not names:
            raise CheckpointError(printable(f"{path}: has none of {', '.join(FILES)}; name a file"))
        path /= names[0]
    state = read_state(path)
    try:
        return _weights(path, state, activation)
    except CheckpointError as error:
        raise CheckpointError(printable(f"{path}: {error}")) from None


def _weights(path: Path, state: dict[str, Tensor], activation: Activation | None) -> Weights:
    heads = image = None
    if any(name.startswith(_EVENT) for name in state):
        state, image = _from_paper(state)
        found = "quick_gelu"
    elif is_huggingface(state):
        state = from_huggingface(state)
        found, heads = _huggingface_config(path.with_name("config.json"))
    else:
        found, heads = _open_clip_config(path.with_name("open_clip_config.json"), state)
        found = "quick_gelu" if "input_resolution" in state else found
    activation = activation or found
    if activation is None:
        raise CheckpointError(
            "nothing says which activation it was trained with; OpenAI's CLIP has quick_gelu, most "
            "of open_clip's have gelu: name it, or give the file with its config.json or "
            "open_clip_config.json beside it"
        )
    state = {name: tensor for name, tensor in state.items() if name not in _NO_WEIGHTS}
    logit_scale = state.pop("logit_scale", None)
    arch = infer({name: tensor.shape for name, tensor in state.items()}, activation, heads)
    if image is not None:
        check({name: tensor.shape for name, tensor in image.items()}, arch.vision_shapes())
        same = all(torch.equal(image[name], state[name]) for name in image)
        image = None if same else {name: _float32(name, image[name]) for name in image}
    state = {name: _float32(name, state[name]) for name in state}
    return Weights(
        {name: tensor for name, tensor in state.items() if name.startswith("visual.")},
        image,
        {name: tensor for name, tensor in state.items() if not name.startswith("visual.")},
        arch,
        _scale(logit_scale),
    )


def _scale(logit_scale: Tensor | None) -> float:
    if logit_scale is None or logit_scale.numel() != 1:
        raise CheckpointError("no logit_scale of one number; give a whole CLIP checkpoint")
    scale = math.exp(min(float(_float32("logit_scale", logit_scale)), 700))
    if not scale:
        raise CheckpointError("its logit_scale is so low that exp(logit_scale) is 0")
    return scale


def _float32(name: str, tensor: Tensor) -> Tensor:
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise CheckpointError(f"{name} is {tensor.dtype}, {tensor.layout}; save it as float32")
    tensor = tensor.detach().to(torch.float32).contiguous()
    if not bool(tensor.isfinite().all()):
        raise CheckpointError(f"{name} holds numbers that are not finite; the training failed")
    return tensor


def _from_paper(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The event tower with CLIP's text tower, and CLIP's own image tower.

    Either of the frozen copies serves; what a trainer kept outside of the towers is left out.
    """
    event = _tower(_below(state, _EVENT))
    copies = [_below(state, prefix) for prefix in _FROZEN]
    frozen = next((copy for copy in copies if "token_embedding.weight" in copy), None)
    if frozen is None:
        raise CheckpointError(
            f"an event tower ({_EVENT}*) without CLIP's text tower under {' or '.join(_FROZEN)}; "
            "give the whole checkpoint"
        )
    text = {name: tensor for name, tensor in frozen.items() if not name.startswith("visual.")}
    return {**event, **text}, _tower(frozen)


def _below(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): tensor for n, tensor in state.items() if n.startswith(prefix)}


def _tower(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The image tower of a CLIP, which may also stand there by itself."""
    if "conv1.weight" in state:
        return {f"visual.{name}": tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in state.items() if name.startswith("visual.")}


def _huggingface_config(path: Path) -> tuple[Activation | None, tuple[int, int] | None]:
    config = _config(path)
    if config is None:
        return None, None
    towers: list[dict[str, Any]] = [
        config.get(key) or {} for key in ("vision_config", "text_config")
    ]
    # What such a file does not name has Hugging Face's defaults.
    names = {tower.get("hidden_act", "quick_gelu") for tower in towers}
    heads = tuple(t.get("num_attention_heads", n) for t, n in zip(towers, (12, 8), strict=True))
    if len(names) != 1 or not names <= {"quick_gelu", "gelu"}:
        raise CheckpointError(
            f"config.json names the activations {', '.join(map(str, names))}; one of quick_gelu "
            "and gelu serves, the same in both towers"
        )
    return names.pop(), cast("tuple[int, int]", heads)


def _open_clip_config(
    path: Path, state: dict[str, Tensor]
) -> tuple[Activation | None, tuple[int, int] | None]:
    config = _config(path)
    if config is None or "visual.conv1.weight" not in state:
        return None, None
    model: dict[str, Any] = config.get("model_cfg") or {}
    vision: dict[str, Any] = model.get("vision_cfg") or {}
    text: dict[str, Any] = model.get("text_cfg") or {}
    heads = state["visual.conv1.weight"].shape[0] // vision.get("head_width", 64)
    activation = "quick_gelu" if model.get("quick_gelu") else "gelu"
    return activation, (heads, text.get("heads", 8))


def _config(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} beside it cannot be read ({error})") from None
