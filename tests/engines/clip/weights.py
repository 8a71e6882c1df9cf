"""CLIPs of random weights for tests, tiny or of real shapes: torch tensors by OpenAI's names."""

from __future__ import annotations

import torch
from torch import Tensor

from saccade.engines.clip.checkpoints import Weights
from saccade.engines.clip.config import Architecture, Transformer

TINY = Architecture(
    size=32,
    patch=8,
    vision=Transformer(128, 2, 2, 256),
    context=12,
    vocabulary=60,
    text=Transformer(64, 2, 1, 128),
    dimension=24,
    activation="quick_gelu",
)


def random_state(arch: Architecture, seed: int = 0) -> dict[str, Tensor]:
    """All tensors, sized so that no activation grows from layer to layer."""
    source = torch.Generator().manual_seed(seed)
    state = {"logit_scale": torch.tensor(4.6052)}
    for name, shape in {**arch.vision_shapes(), **arch.text_shapes()}.items():
        tensor = torch.randn(shape, generator=source)
        if name.endswith("embedding") or len(shape) == 1:
            tensor *= 0.1
        elif name != "token_embedding.weight":
            tensor *= (tensor[0].numel() if "proj" not in name[-6:] else shape[0]) ** -0.5
        state[name] = tensor + 1 if ".ln_" in f".{name}" and name.endswith("weight") else tensor
    return state


def weights_of(arch: Architecture, state: dict[str, Tensor]) -> Weights:
    """What a reader makes of them."""
    state = {name: tensor for name, tensor in state.items() if name != "logit_scale"}
    event = {name: tensor for name, tensor in state.items() if name.startswith("visual.")}
    text = {name: tensor for name, tensor in state.items() if name not in event}
    return Weights(event, None, text, arch, 100.0)
