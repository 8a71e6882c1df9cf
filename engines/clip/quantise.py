"""Dynamic int8 of an exported tower, for ONNX Runtime on the CPU."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import Tensor

from saccade.engines.clip.config import Transformer
from saccade.engines.clip.export import LIMITS, ExportError, cosine

#: What stays float32, tried in this order: nothing, each block's last layer (its inputs, behind the
#: activation, have the longest tails), all of the perceptrons.
_KEPT = ("", "c_proj", "mlp")


def write_int8(
    source: Path, path: Path, shape: Transformer, frames: Tensor, wanted: NDArray[np.float32]
) -> tuple[float, str]:
    """Writes `source`, a tower in fp32, with its matrices in int8; ends stay float32.

    Weights have a scale for each column, and 7 bits: processors without VNNI add pairs of products
    in 16 bits, which 8 bits overflow. Activations get their scale at run time. The first layer, a
    convolution, stays float32: a frame is mostly near 0 beside a few bright pixels.

    Returns:
        The least cosine to `wanted` over `frames`, and what had to stay float32 for it ("" is
        nothing).

    Raises:
        ExportError: whatever stays, it is below the limit.
    """
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    found = 0.0
    for kept in _KEPT:
        logging.disable(logging.WARNING)  # advice for networks of another kind
        try:
            quantization.quantize_dynamic(
                str(source),
                str(path),
                op_types_to_quantize=["MatMul"],
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
