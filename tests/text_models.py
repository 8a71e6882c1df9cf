"""A model with a text tower for tests: each token has a random direction, a text their sum's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from saccade.engines.tokens import tokenizer_json
from tests.models import make_model

CONTEXT = 16
MERGES = [("c", "u"), ("cu", "p</w>"), ("t", "h"), ("th", "e</w>"), ("o", "f</w>")]
TEMPLATE = "a photo of a {}"


def tower(dimension: int = 4, context: int = CONTEXT, normalised: bool = True) -> onnx.ModelProto:
    """Gives tokens int64 [N, context] their sum's direction in a table of random ones."""
    table = np.random.default_rng(3).normal(size=(512 + len(MERGES) + 2, dimension))
    table[0] = 0  # the padding, and "!"
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["each"]),
        helper.make_node("ReduceSum", ["each", "axis"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["embedding"], p=2, axis=1)
        if normalised
        else helper.make_node("Identity", ["sum"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "text",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["N", context])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", dimension])],
        [
            numpy_helper.from_array(table.astype(np.float32), "table"),
            numpy_helper.from_array(np.int64([1]), "axis"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def make_text_model(
    folder: Path,
    model: onnx.ModelProto | None = None,
    tokenizer: bytes | None = None,
    bank: bool = True,
) -> Path:
    """`make_model` with a text tower, and with its bank unless that is not wanted."""
    make_model(folder)
    (folder / "tokenizer.json").write_bytes(tokenizer or tokenizer_json(MERGES))
    onnx.save(model or tower(), folder / "text.onnx")
    names = ("tokenizer.json", "text.onnx")
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    manifest = (folder / "model.toml").read_text()
    if not bank:
        lines = manifest.splitlines(keepends=True)
        manifest = "".join(line for line in lines if not line.startswith("labels_sha256"))
    more = "\n[files]\n" + "".join(f'"{name}" = "{value}"\n' for name, value in sums.items())
    more += f'\n[text]\nfile = "text.onnx"\ntokenizer = "tokenizer.json"\ncontext = {CONTEXT}\n'
    (folder / "model.toml").write_text(manifest + more)
    return folder
