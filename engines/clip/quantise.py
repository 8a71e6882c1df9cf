"""The event tower in dynamic int8, for ONNX Runtime on the CPU."""

from __future__ import annotations

import copy
import importlib
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from saccade.engines.clip.blocks import Attention, Block
from saccade.engines.clip.config import Transformer
from saccade.engines.clip.export import LIMITS, ExportError, cosine, write_onnx
from saccade.engines.clip.vit import VisionTower

#: What stays float32, tried in this order: nothing, each block's last layer (its inputs, behind the
#: activation, have the longest tails), all of the perceptrons.
_KEPT = ("", "c_proj", "mlp")


class _FusedAttention(nn.Module):
    """Self-attention as ONNX Runtime's own operator; it can be exported, not run.

    It makes queries, keys and values where attention reads them. The standard's operators need a
    split, transposes and copies in between, which one thread does however many there are.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.heads = attention.heads
        self.weight = nn.Parameter(attention.in_proj_weight.detach().t().contiguous())
        self.bias, self.out_proj = attention.in_proj_bias, attention.out_proj

    def forward(
        self, x: Tensor, queries: int | None, mask: Tensor | None, maps: list[Tensor] | None
    ) -> Tensor:
        """As `Attention`, of all tokens."""
        assert queries is mask is maps is None
        mixed = torch.onnx.ops.symbolic(
            "com.microsoft::Attention",
            (x, self.weight, self.bias),
            {"num_heads": self.heads},
            dtype=x.dtype,
            shape=x.shape,
            version=1,
        )
        return self.out_proj(mixed)


def write_int8(
    tower: VisionTower,
    path: Path,
    names: tuple[str, str],
    shape: Transformer,
    frames: Tensor,
    wanted: NDArray[np.float32],
    space: str,
) -> tuple[float, str]:
    """Writes a tower with its matrices in int8; ends stay float32.

    Weights have a scale for each column, and 7 bits: processors without VNNI add pairs of products
    in 16 bits, which 8 bits overflow. Activations get their scale at run time. The first layer, a
    convolution, stays float32: a frame is mostly near 0 beside a few bright pixels.

    Args:
        tower: in evaluation mode.
        path: where the file goes; another is written beside it meanwhile.
        names: of input and output.
        shape: of the tower's transformer.
        frames: that the file is compared on.
        wanted: their embeddings by torch.
        space: that these live in.

    Returns:
        The least cosine to `wanted` over `frames`, and what had to stay float32 for it ("" is
        nothing).

    Raises:
        ExportError: whatever stays, it is below the limit.
    """
    fused = copy.deepcopy(tower)
    blocks = list(fused.transformer.resblocks)
    for block in blocks[:-1]:  # the last one has queries of one token
        assert isinstance(block, Block)
        block.add_module("attn", _FusedAttention(block.attn))
    with tempfile.TemporaryDirectory(prefix=".int8.", dir=path.parent) as work:
        source = Path(work) / "fused.onnx"
        write_onnx(fused, frames[:2], source, names, space)
        return _quantise(source, path, shape, frames, wanted)


def _quantise(
    source: Path, path: Path, shape: Transformer, frames: Tensor, wanted: NDArray[np.float32]
) -> tuple[float, str]:
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    found = 0.0
    for kept in _KEPT:
        logging.disable(logging.WARNING)  # advice for networks of another kind
        try:
            quantization.quantize_dynamic(
                str(source),
                str(path),
                op_types_to_quantize=["MatMul", "Attention"],
                per_channel=True,
                reduce_range=True,
                weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=_nodes(source, shape, kept),
                extra_options={"MatMulConstBOnly": True},
            )
        finally:
            logging.disable(logging.NOTSET)
        found = cosine(path, frames, wanted)
        if found > LIMITS["int8"]:
            return found, kept
    raise ExportError(
        f"{path.name}: embeddings have cosine {found:.5f} to torch's, not {LIMITS['int8']} as int8 "
        "must, with attention alone in int8; leave int8 out"
    )


def _nodes(source: Path, shape: Transformer, kept: str) -> list[str]:
    """The names of the products with the weights of `kept`, found by their shape."""
    if not kept:
        return []
    shapes = {
        "c_proj": [(shape.hidden, shape.width)],
        "mlp": [(shape.hidden, shape.width), (shape.width, shape.hidden)],
    }[kept]
    graph = onnx.load(source, load_external_data=False).graph
    weights = {w.name for w in graph.initializer if tuple(w.dims) in shapes}
    return [n.name for n in graph.node if n.op_type == "MatMul" and n.input[1] in weights]
