"""The event tower in int8: dynamic for ONNX Runtime, static (Q/DQ) for OpenVINO and TensorRT."""

from __future__ import annotations

import copy
import importlib
import logging
import tempfile
from collections.abc import Callable
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

    def quantise(kept: list[str]) -> None:
        quantization.quantize_dynamic(
            str(source),
            str(path),
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=True,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={"MatMulConstBOnly": True},
        )

    return _with_as_little_kept(quantise, source, path, shape, frames, wanted)


def write_qdq(
    source: Path,
    path: Path,
    shape: Transformer,
    calibration: Tensor,
    frames: Tensor,
    wanted: NDArray[np.float32],
) -> tuple[float, str]:
    """Writes a tower's file again with its products in int8 between Q/DQ nodes.

    What TensorRT takes: symmetric, a scale for each column of a weight and one for an activation,
    that of its largest value over the calibration's frames (see `_smooth`). Attention's two
    products have both of their inputs quantised, as OpenVINO needs it; norms, softmax and the first
    layer stay float32. Weights have 7 bits, as in `write_int8`.

    Args:
        source: the tower's float32 file.
        path: where the file goes.
        shape: of the tower's transformer.
        calibration: frames that the activations' scales are of.
        frames: that the file is compared on, others than those.
        wanted: their embeddings by torch.

    Returns:
        As `write_int8`.

    Raises:
        ExportError: whatever stays, it is below the limit.
    """
    with tempfile.TemporaryDirectory(prefix=".int8.", dir=path.parent) as work:
        smooth = Path(work) / "smooth.onnx"
        _smooth(source, smooth, calibration)
        return _quantise_static(smooth, path, shape, calibration, frames, wanted)


def _quantise_static(
    source: Path,
    path: Path,
    shape: Transformer,
    calibration: Tensor,
    frames: Tensor,
    wanted: NDArray[np.float32],
) -> tuple[float, str]:
    quantization: Any = importlib.import_module("onnxruntime.quantization")
    graph = onnx.load(source, load_external_data=False).graph
    weights = {w.name for w in graph.initializer}
    matrices = [n.input[1] for n in graph.node if n.op_type == "MatMul" and n.input[1] in weights]
    seven_bits = {
        "quant_type": quantization.QuantType.QInt8,
        "axis": 1,
        "symmetric": True,
        "reduce_range": True,
    }

    def quantise(kept: list[str]) -> None:
        quantization.quantize_static(
            str(source),
            str(path),
            _Calibration(graph.input[0].name, calibration),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            activation_type=quantization.QuantType.QInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=kept,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                # What follows a product, a bias or softmax, is float32 in every runtime.
                "OpTypesToExcludeOutputQuantization": ["MatMul"],
                "TensorQuantOverrides": {name: [seven_bits] for name in matrices},
            },
        )

    return _with_as_little_kept(quantise, source, path, shape, frames, wanted)


def _smooth(source: Path, path: Path, calibration: Tensor) -> None:
    """Writes a file with the channels that go into products evened out, the same embeddings else.

    SmoothQuant (Xiao et al., 2023): a norm's gain and offset are divided by s, and the rows of the
    weights behind it multiplied, where s = sqrt(largest |activation| / largest |weight|) by
    channel: those that a trained transformer lets grow then leave the others more than a few steps.
    """
    runtime: Any = importlib.import_module("onnxruntime")
    model = onnx.load(source)
    tensors = {t.name: t for t in model.graph.initializer}
    norms = {n.output[0]: n for n in model.graph.node if n.op_type == "LayerNormalization"}
    behind = {name: [n for n in model.graph.node if name in n.input] for name in norms}
    evened = {
        name: nodes
        for name, nodes in behind.items()
        if all(n.op_type == "MatMul" and n.input[1] in tensors for n in nodes)
    }
    inside = copy.deepcopy(model)
    inside.graph.output.extend(onnx.ValueInfoProto(name=name) for name in evened)
    session: Any = runtime.InferenceSession(
        inside.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    peaks = [np.zeros(1, np.float32) for _ in evened]
    for frame in calibration:
        found = session.run([*evened], {model.graph.input[0].name: frame[None].numpy()})
        for i, values in enumerate(found):
            peaks[i] = np.maximum(peaks[i], np.abs(values).reshape(-1, values.shape[-1]).max(0))
    for (name, nodes), peak in zip(evened.items(), peaks, strict=True):
        weights = [onnx.numpy_helper.to_array(tensors[n.input[1]]) for n in nodes]
        largest = np.max([np.abs(w).max(axis=1) for w in weights], axis=0)
        s = np.sqrt(np.maximum(peak, 1e-5) / np.maximum(largest, 1e-5))
        for tensor in (tensors[other] for other in norms[name].input[1:]):
            _replace(tensor, onnx.numpy_helper.to_array(tensor) / s)
        for node, values in zip(nodes, weights, strict=True):
            _replace(tensors[node.input[1]], values * s[:, None])
    onnx.save(model, path)


def _replace(tensor: onnx.TensorProto, values: NDArray[np.float32]) -> None:
    tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))


class _Calibration:
    """Frames, one at a time, as ONNX Runtime asks for them."""

    def __init__(self, name: str, frames: Tensor) -> None:
        self._inputs = iter([{name: frame[None].numpy()} for frame in frames])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next frame, float32 [1, channels, size, size], by the input's name."""
        return next(self._inputs, None)


def _with_as_little_kept(
    quantise: Callable[[list[str]], None],
    source: Path,
    path: Path,
    shape: Transformer,
    frames: Tensor,
    wanted: NDArray[np.float32],
) -> tuple[float, str]:
    """Quantises `source` into `path` with ever more nodes in float32, until it is near enough."""
    found = 0.0
    for kept in _KEPT:
        logging.disable(logging.WARNING)  # advice for networks of another kind
        try:
            quantise(_nodes(source, shape, kept))
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
