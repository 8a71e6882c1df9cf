"""The text tower: a causal transformer, read at the end-of-text token."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.engines.clip.blocks import Blocks, LayerNorm
from saccade.engines.clip.config import Architecture


class TextTower(nn.Module):
    """Tokens -> embeddings. Its state dict is that part of OpenAI's which is not `visual.`."""

    mask: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        width, context = architecture.text.width, architecture.context
        self.token_embedding = nn.Embedding(architecture.vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(context, width))
        self.transformer = Blocks(architecture.text, architecture.activation)
        self.ln_final = LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, architecture.dimension))
        # Of no checkpoint, so it is made here even where the weights are not (on "meta").
        mask = torch.full((context, context), -torch.inf, device="cpu").triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def features(self, tokens: Tensor) -> Tensor:
        """int64 [N, context] -> float [N, dimension], not normalised.

        The end-of-text token has the highest number of the vocabulary: what follows it is padding.
        """
        # Indexed: the exporter would call the layer's own output `embedding`, as the tower's.
        x = self.token_embedding.weight[tokens] + self.positional_embedding
        x = self.ln_final(self.transformer(x, mask=self.mask))
        end = tokens.argmax(dim=-1)
        return x[torch.arange(x.shape[0], device=x.device), end] @ self.text_projection

    def forward(self, tokens: Tensor) -> Tensor:
        """int64 [N, context] -> float [N, dimension], L2-normalised."""
        features = self.features(tokens)
        return F.normalize(features.float(), dim=-1).to(features.dtype)
