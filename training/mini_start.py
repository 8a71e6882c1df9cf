"""An exported saccade-mini as a start for the next: its folded weights made trainable again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from safetensors.numpy import load_file
from torch import Tensor, nn

from saccade.engines.models import load_model
from saccade.training.mini_model import DIMENSION, Block, Mini
from saccade.training.mini_text import TextTargets


@torch.no_grad()
def unfold(model: Mini, folder: Path, frames: Tensor, texts: TextTargets | None) -> None:
    """Gives the model an exported one's weights, so that its cosines with its bank are those.

    The export folded each norm into the convolution before it. Here the norm becomes an identity
    with statistics of its own: those of `frames`, which scale and shift take back. Inputs and
    blocks that the exported one had not begin without effect. Embeddings and bank are turned
    together, as near to the classes' texts as that takes them (Procrustes).

    Args:
        model: of the same widths as the exported one, at least as deep, and of the same classes.
        folder: the exported one's model folder.
        frames: float32 [N, 1, 96, 96].
        texts: where the bank is to point; anywhere where None.
    """
    graph = onnx.load(folder / "model.onnx").graph
    weights = {
        item.name: torch.from_numpy(numpy_helper.to_array(item).copy())
        for item in graph.initializer
    }
    encoder = model.encoder
    _take(encoder.stem[0], encoder.stem[1], weights, "stem.0")
    for block, k in _paired(encoder.blocks, weights):
        if k is None:
            block.norm2.weight.zero_()
            continue
        _take(block.first, block.norm1, weights, f"blocks.{k}.first")
        _take(block.second, block.norm2, weights, f"blocks.{k}.second")
        if isinstance(block.shortcut, nn.Sequential):
            _take(block.shortcut[1], block.shortcut[2], weights, f"blocks.{k}.shortcut.1")
    bank = torch.from_numpy(load_file(folder / "labels.safetensors")["embeddings"])
    turn = _turn(bank, texts).to(bank)
    encoder.embed.weight.copy_(turn.T @ weights["embed.weight"])
    encoder.embed.bias.copy_(turn.T @ weights["embed.bias"])
    model.head.bank.copy_(bank @ turn)
    model.head.log_scale.fill_(math.log(load_model(folder).manifest.embedding.scale))
    _measure(encoder, frames)


def _paired(blocks: nn.Module, weights: dict[str, Tensor]) -> Iterator[tuple[Block, int | None]]:
    """Each block, with the number of the exported one at its place in its stage, if there is one.

    A stage begins where a shortcut is more than an identity.
    """
    k = 0
    for block in blocks.children():
        assert isinstance(block, Block)
        begins = isinstance(block.shortcut, nn.Sequential)
        exported = f"blocks.{k}.first.weight" in weights
        there = exported and begins == (f"blocks.{k}.shortcut.1.weight" in weights)
        if begins and exported and not there:
            break
        yield block, k if there else None
        k += there
    if f"blocks.{k}.first.weight" in weights:
        raise ValueError(f"block {k} has no place in this network, which is less deep")


def _take(conv: nn.Module, norm: nn.Module, weights: dict[str, Tensor], name: str) -> None:
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    weight = weights[f"{name}.weight"]
    conv.weight.zero_()
    conv.weight[:, : weight.shape[1]] = weight
    norm.bias.copy_(weights[f"{name}.weight_bias"])
    norm.weight.fill_(math.sqrt(1 + norm.eps))  # with a variance of 1: an identity


def _turn(bank: Tensor, texts: TextTargets | None) -> Tensor:
    """float32 [D, 512], orthonormal rows: takes a bank [classes, D] to the texts of its classes."""
    generator = torch.Generator().manual_seed(0)
    wanted = torch.randn(len(bank), DIMENSION, generator=generator)
    if texts is not None:
        target = texts.target.cpu()
        wanted = 1e-3 * wanted
        wanted[target >= 0] += texts.texts.cpu()[target[target >= 0]]
    u, _, v = torch.linalg.svd(bank.T @ wanted, full_matrices=False)
    return u @ v


def _measure(encoder: nn.Module, frames: Tensor) -> None:
    """Sets each norm's statistics to those of its input, and scale and shift to undo them."""

    def undo(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        mean, variance = inputs[0].mean((0, 2, 3)), inputs[0].var((0, 2, 3))
        norm.running_mean, norm.running_var = mean, variance
        norm.bias.add_(mean * (norm.weight != 0))
        norm.weight.mul_((variance + norm.eps).sqrt() / math.sqrt(1 + norm.eps))

    norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]
    hooks = [norm.register_forward_pre_hook(undo) for norm in norms]
    encoder.eval()
    encoder(frames)
    for hook in hooks:
        hook.remove()
