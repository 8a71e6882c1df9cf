"""The transformer of both of CLIP's towers."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.engines.clip.config import Activation, Transformer


class LayerNorm(nn.LayerNorm):
    """A norm whose sums are float32, whatever the tower's precision: float16 overflows in them."""

    def forward(self, input: Tensor) -> Tensor:
        """float [..., width] -> the same shape and dtype."""
        return super().forward(input.float()).to(input.dtype)


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of the GELU."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "quick_gelu": quick_gelu,
    "gelu": F.gelu,
}


class Attention(nn.Module):
    """Self-attention with several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, queries: int | None, mask: Tensor | None, maps: list[Tensor] | None
    ) -> Tensor:
        """float [N, tokens, width] -> float [N, queries, width]: see `Blocks`."""
        n, tokens, width = x.shape
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        shape = (n, tokens, self.heads, width // self.heads)
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in parts.chunk(3, dim=-1))
        # The scale goes to the queries: float16 scores of one head then stay far from overflow.
        scores = q[:, :, :queries] * (1 / math.sqrt(shape[3])) @ k.transpose(2, 3)
        attention = (scores if mask is None else scores + mask).softmax(dim=-1)
        if maps is not None:
            maps.append(attention)
        return self.out_proj((attention @ v).transpose(1, 2).reshape(n, -1, width))


class Perceptron(nn.Module):
    """Two linear layers, on every token by itself."""

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.c_proj = nn.Linear(hidden, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        """float [..., width] -> float [..., width]."""
        return self.c_proj(self.activation(self.c_fc(x)))


class Block(nn.Module):
    """Attention and perceptron, each behind a norm and beside a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(width)
        self.attn = Attention(width, heads)
        self.ln_2 = LayerNorm(width)
        self.mlp = Perceptron(width, hidden, activation)

    def forward(
        self, x: Tensor, queries: int | None, mask: Tensor | None, maps: list[Tensor] | None
    ) -> Tensor:
        """float [N, tokens, width] -> float [N, queries, width]: see `Blocks`."""
        x = x[:, :queries] + self.attn(self.ln_1(x), queries, mask, maps)
        return x + self.mlp(self.ln_2(x))


class Blocks(nn.Module):
    """The blocks of a transformer, one after another."""

    def __init__(self, shape: Transformer, activation: Activation) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            Block(shape.width, shape.heads, shape.hidden, activation) for _ in range(shape.layers)
        )

    def forward(
        self,
        x: Tensor,
        queries: int | None = None,
        mask: Tensor | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """float [N, tokens, width] -> float [N, queries, width].

        Args:
            x: the tokens.
            queries: how many tokens, from the first on, are wanted of the last block; the others
                are not computed there. None is all.
            mask: float [tokens, tokens], added to the scores of attention.
            maps: where given, every block appends its attention, float [N, heads, queries, tokens],
                as part of the graph: gradients with respect to it can be asked for.
        """
        for block in self.resblocks[:-1]:
            x = block(x, None, mask, maps)
        return self.resblocks[-1](x, queries, mask, maps)


def halve(tower: nn.Module, dtype: torch.dtype = torch.float16) -> nn.Module:
    """The tower in 16 bits, in place; its norms keep their float32 weights."""
    tower.to(dtype)
    for module in tower.modules():
        if isinstance(module, LayerNorm):
            module.float()
    return tower
