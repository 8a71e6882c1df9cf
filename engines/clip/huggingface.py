"""Hugging Face's `CLIPModel`: its tensors by OpenAI's names."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from saccade.engines.clip.config import CheckpointError

_TOWERS = {"vision_model.": "visual.", "text_model.": ""}
#: What is called otherwise; `pre_layrnorm` is spelled so.
_NAMES = {
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    **{f"vision_model.pre_layrnorm.{w}": f"visual.ln_pre.{w}" for w in ("weight", "bias")},
    **{f"vision_model.post_layernorm.{w}": f"visual.ln_post.{w}" for w in ("weight", "bias")},
    **{f"text_model.final_layer_norm.{w}": f"ln_final.{w}" for w in ("weight", "bias")},
    "logit_scale": "logit_scale",
}
#: Linear layers there, whose weights are OpenAI's matrices transposed.
_PROJECTIONS = {
    "visual_projection.weight": "visual.proj",
    "text_projection.weight": "text_projection",
}
_PARTS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_LAYER = re.compile(r"(\w+\.)encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")
_QKV = {f"self_attn.{letter}_proj": row for row, letter in enumerate("qkv")}


def is_huggingface(state: dict[str, Tensor]) -> bool:
    """Whether it is Hugging Face's `CLIPModel`."""
    return any(name.startswith("vision_model.") for name in state)


def from_huggingface(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors by OpenAI's names; what has none keeps its own.

    Raises:
        CheckpointError: a layer lacks its queries, keys or values.
    """
    found: dict[str, Tensor] = {}
    qkv: dict[str, dict[int, Tensor]] = {}
    for name, tensor in state.items():
        layer = _LAYER.fullmatch(name)
        if layer is not None and layer[1] in _TOWERS:
            start = f"{_TOWERS[layer[1]]}transformer.resblocks.{layer[2]}."
            if layer[3] in _QKV:
                row = _QKV[layer[3]]
                qkv.setdefault(f"{start}attn.in_proj_{layer[4]}", {})[row] = tensor
            else:
                found[f"{start}{_PARTS.get(layer[3], layer[3])}.{layer[4]}"] = tensor
        elif name in _PROJECTIONS:
            found[_PROJECTIONS[name]] = tensor.T
        elif not name.endswith("embeddings.position_ids"):  # 0, 1, 2, ...
            found[_NAMES.get(name, name)] = tensor
    for name, rows in qkv.items():
        if len(rows) != 3 or len({tensor.shape for tensor in rows.values()}) != 1:
            raise CheckpointError(f"{name}: not three equal parts (queries, keys, values)")
        found[name] = torch.cat([rows[row] for row in range(3)])
    return found
