"""Torch modules to ONNX files, and these compared with torch before they count."""

from __future__ import annotations

import copy
import importlib
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from saccade.camera.errors import SaccadeError, printable
from saccade.engines.clip.blocks import halve
from saccade.engines.manifest import Precision

#: A file below this cosine to torch is refused.
LIMITS: dict[Precision, float] = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.99}
#: What protobuf can hold in one message, less some room for the graph.
_LARGEST = (1 << 31) - (1 << 24)


class ExportError(SaccadeError):
    """A tower that cannot become an ONNX file, or whose file gives other embeddings."""


def write_onnx(
    module: nn.Module, example: Tensor, path: Path, names: tuple[str, str], space: str = ""
) -> None:
    """Writes a module of one input and one output, whose first axis is free.

    Args:
        module: in evaluation mode.
        example: an input; its first axis is 2 or more, since the exporter freezes 1.
        path: where the file goes; weights lie inside.
        names: of input and output.
        space: what its embeddings live in; the file says so, where it is known.

    Raises:
        ExportError: its weights do not fit into one file.
    """
    size = sum(p.numel() * p.element_size() for p in module.parameters())
    if size > _LARGEST:
        raise ExportError(
            f"{path.name}: {size / 1e9:.1f} GB of weights, and an ONNX file holds 2 GB; "
            "take a smaller CLIP, such as ViT-L/14"
        )
    # The exporter tells of every optional package that is not there.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        program: Any = torch.onnx.export(
            module,
            (example,),
            input_names=[names[0]],
            output_names=[names[1]],
            dynamic_shapes=({0: torch.export.Dim("N")},),
            opset_version=18,
            dynamo=True,
            verbose=False,
        )
    model: onnx.ModelProto = program.model_proto
    assert not model.graph.input[0].type.tensor_type.shape.dim[0].dim_value, "the batch is frozen"
    _strip(model)
    if space:
        onnx.helper.set_model_props(model, {"space": space})
    onnx.save(model, path)
    onnx.checker.check_model(str(path), full_check=True)


def _strip(model: onnx.ModelProto) -> None:
    """Takes out what the exporter noted for debugging: stack traces with this machine's paths."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""


def write_half(
    module: nn.Module, example: Tensor, path: Path, names: tuple[str, str], space: str = ""
) -> None:
    """As `write_onnx`, in float16 from end to end; only sums of norms are float32."""
    write_onnx(halve(copy.deepcopy(module)), example.half(), path, names, space)


@torch.inference_mode()
def reference(module: nn.Module, inputs: Tensor) -> NDArray[np.float32]:
    """float32 [N, dimension]: what torch gives, one input at a time to spare memory."""
    return np.concatenate([module(one[None]).float().numpy() for one in inputs])


def cosine(path: Path, inputs: Tensor, wanted: NDArray[np.float32]) -> float:
    """The least cosine between the file's embeddings of `inputs` and those `wanted`.

    0 where an embedding is not finite or not of length 1.
    """
    runtime: Any = importlib.import_module("onnxruntime")
    options: Any = runtime.SessionOptions()
    # At its highest level it crashes on float16 files; the others fuse the same for a comparison.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    session: Any = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, kind = session.get_inputs()[0].name, session.get_inputs()[0].type
    given = inputs.half() if kind == "tensor(float16)" else inputs
    found = np.asarray(session.run(None, {name: given.numpy()})[0], np.float32)
    if not np.all(np.abs(np.linalg.norm(found, axis=1) - 1) <= 2e-3):
        return 0.0
    return float(np.min(np.sum(found * wanted, axis=1)))


def check_file(
    path: Path, inputs: Tensor, wanted: NDArray[np.float32], precision: Precision
) -> float:
    """The file's cosine to torch.

    Raises:
        ExportError: it is below the precision's limit.
    """
    found = cosine(path, inputs, wanted)
    if not found > LIMITS[precision]:
        raise ExportError(
            printable(
                f"{path.name}: embeddings have cosine {found:.5f} to torch's, not "
                f"{LIMITS[precision]} as {precision} must; leave this precision out"
            )
        )
    return found
