"""The model of `tests.models` at another precision."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from saccade.engines.models import Model, load_model


def add_fp16(folder: Path) -> Model:
    """Adds `model.fp16.onnx`: float16 at both ends."""
    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    for node in graph.node:
        node.input[:] = ["frame32" if name == "frame" else name for name in node.input]
        node.output[:] = ["embedding32" if name == "embedding" else name for name in node.output]
    graph.node.insert(0, helper.make_node("Cast", ["frame"], ["frame32"], to=TensorProto.FLOAT))
    graph.node.append(
        helper.make_node("Cast", ["embedding32"], ["embedding"], to=TensorProto.FLOAT16)
    )
    data = model.SerializeToString()
    (folder / "model.fp16.onnx").write_bytes(data)
    with (folder / "model.toml").open("a") as file:
        file.write(f'\n[files]\n"model.fp16.onnx" = "{hashlib.sha256(data).hexdigest()}"\n')
    return load_model(folder)
