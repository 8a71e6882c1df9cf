"""A model folder for tests: an encoder whose embedding is known, in a few kilobytes of ONNX."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

NAMES = ("left", "right", "top", "bottom")
SIZE = 16


def make_model(folder: Path, channels: int = 1, kind: str = "paper") -> Path:
    """An encoder that averages the halves of a frame: its label says where the events are."""
    folder.mkdir(parents=True, exist_ok=True)
    half = SIZE // 2
    weights = np.zeros((4, channels, SIZE, SIZE), np.float32)
    weights[0, :, :, :half] = weights[1, :, :, half:] = 1
    weights[2, :, :half] = weights[3, :, half:] = 1
    frame = helper.make_tensor_value_info("frame", TensorProto.FLOAT, ["N", channels, SIZE, SIZE])
    out = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 4])
    nodes = [
        helper.make_node("Conv", ["frame", "w"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Add", ["f", "tiny"], ["g"]),
        helper.make_node("LpNormalization", ["g"], ["embedding"], p=2, axis=1),
    ]
    tensors = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.float32([[1e-6, 0, 0, 0]]), "tiny"),
    ]
    graph = helper.make_graph(nodes, "halves", [frame], [out], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    save_file(
        {"embeddings": np.eye(4, dtype=np.float32)},
        folder / "labels.safetensors",
        {"names": json.dumps(NAMES), "space": "halves/1", "aliases": '{"sinister": "left"}'},
    )
    write_manifest(folder, channels, kind)
    return folder


def write_manifest(folder: Path, channels: int = 1, kind: str = "paper") -> None:
    """The manifest of `make_model`, with the sums of the files as they are now."""
    sums = [
        hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.onnx", "labels.safetensors")
    ]
    (folder / "model.toml").write_text(
        f"""name = "halves"
version = 1
licence = "Apache-2.0"
sha256 = "{sums[0]}"
labels_sha256 = "{sums[1]}"

[input]
name = "frame"
size = {SIZE}
channels = {channels}

[frame]
kind = "{kind}"
counting = "sensor"

[embedding]
name = "embedding"
dimension = 4
space = "halves/1"
scale = 10.0
"""
    )
