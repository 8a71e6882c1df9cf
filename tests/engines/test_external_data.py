"""Weights outside model.onnx: refused wherever they lie, since its sha256 does not cover them."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.models import make_model, write_manifest

from saccade.engines.external_data import EXTERNAL_DATA, FIELDS, has_external_data
from saccade.engines.models import ModelError, load_model


@pytest.mark.parametrize("location", ["w.bin", "./w.bin", "../w.bin", "*/_ORT_MEM_ADDR_/*"])
def test_weights_in_another_file_are_refused(tmp_path, monkeypatch, location):
    folder = make_model(tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    kept = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save_model(model, folder / "model.onnx", **kept)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    onnx.save(model, folder / "model.onnx")
    write_manifest(folder)
    assert (folder / "w.bin").stat().st_size > 1000
    for place in (tmp_path, folder, tmp_path / "elsewhere"):
        place.mkdir(exist_ok=True)
        (place / "w.bin").write_bytes((folder / "w.bin").read_bytes())
        monkeypatch.chdir(place)
        with pytest.raises(ModelError, match=r"must lie inside model\.onnx") as error:
            load_model(folder)
        assert str(error.value).isprintable()


def outside(name="w"):
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "w.bin"
    return tensor


def in_a_constant():
    return [helper.make_node("Constant", [], ["c"], value=outside())]


def in_a_branch():
    branch = helper.make_graph(in_a_constant(), "branch", [], [])
    return [helper.make_node("If", ["x"], ["y"], then_branch=branch)]


@pytest.mark.parametrize("nodes", [in_a_constant, in_a_branch])
def test_tensors_are_found_inside_nodes(nodes):
    model = helper.make_model(helper.make_graph(nodes(), "g", [], []))
    assert has_external_data(model.SerializeToString())
    function = helper.make_function("f", "f", [], [], nodes(), [helper.make_opsetid("", 17)])
    model = helper.make_model(helper.make_graph([], "g", [], []), functions=[function])
    assert has_external_data(model.SerializeToString())


def test_bytes_that_are_no_protobuf_are_refused(tmp_path):
    data = (make_model(tmp_path / "m") / "model.onnx").read_bytes()
    assert not has_external_data(data)
    for bad in (data[:300], b"\x3a\xff\xff\xff\xff\xff", b"\x0b", b"\xff" * 20, b"\x08"):
        with pytest.raises(ValueError, match="cut off|no protobuf"):
            has_external_data(bad)


def test_the_fields_are_those_of_onnx():
    """Every way from a model to a tensor, by the descriptors of the onnx package."""
    found: dict[str, dict[int, str]] = {}

    def visit(message) -> bool:
        if message.name == "TensorProto":
            found["TensorProto"] = {}
        elif message.name not in found:
            found[message.name] = {}
            children = [(f.number, f.message_type) for f in message.fields if f.message_type]
            found[message.name] = {n: child.name for n, child in children if visit(child)}
        return message.name in FIELDS

    assert visit(onnx.ModelProto.DESCRIPTOR)
    assert {name: found[name] for name in FIELDS} == FIELDS
    assert not any(
        set(leads.values()) & set(FIELDS) for n, leads in found.items() if n not in FIELDS
    )
    assert TensorProto.DESCRIPTOR.fields_by_name["external_data"].number == EXTERNAL_DATA
