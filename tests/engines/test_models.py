"""Model folders: what matches its manifest loads and runs; anything else is one clear error."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests.models import SIZE, make_model, write_manifest

from saccade.camera.errors import SaccadeError
from saccade.engines.models import ModelError, load_model
from saccade.engines.onnx import OnnxEngine


@pytest.mark.parametrize("channels", [1, 3])
def test_engine_encodes_what_it_is_given(tmp_path, channels):
    engine = OnnxEngine(load_model(make_model(tmp_path / "m", channels)), batch=2)
    assert engine.input.shape == (2, channels, SIZE, SIZE)
    frame = np.zeros((SIZE, SIZE), np.float32)
    frame[:, : SIZE // 2] = 1
    engine.input[0] = frame
    engine.input[1] = frame.T
    engine.run(2)
    np.testing.assert_allclose(np.linalg.norm(engine.output, axis=1), 1, atol=1e-6)
    assert engine.output[0].argmax() == 0
    assert engine.output[1].argmax() == 2
    engine.input[0] = frame[:, ::-1]
    engine.run(1)
    assert engine.output[0].argmax() == 1
    engine.close()


def test_unknown_model_names_the_bundled_ones(tmp_path):
    for name in (tmp_path / "nowhere", "nowhere" * 1000, "nowhere\0", ""):
        with pytest.raises(ModelError, match=r"^model '.*saccade-mini"):
            load_model(name)


@pytest.mark.parametrize("name", ["model.onnx", "labels.safetensors"])
def test_a_changed_file_is_refused_by_its_sum(tmp_path, name):
    folder = make_model(tmp_path / "m")
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match="sha256"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.onnx", "labels.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = make_model(tmp_path / "m")
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: missing"):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        ("[input]", "[in"),
        ("size = 16", "size = 'x'"),
        ("size = 16", "size = 0"),
        ("channels = 1", "channels = -1"),
        ("dimension = 4", "dimension = 0"),
        ('name = "halves"', ""),
        ('name = "halves"', "name = " + "[" * 5000),
        *(("scale = 10.0", f"scale = {scale}") for scale in ("nan", "inf", "0.0", "-1.0")),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path, change):
    path = make_model(tmp_path / "m") / "model.toml"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ModelError, match=r"model\.toml"):
        load_model(path.parent)


def test_a_sum_in_capitals_is_the_same_sum(tmp_path):
    folder = make_model(tmp_path / "m")
    manifest = (folder / "model.toml").read_text()
    sums = re.findall(r'"(\w{64})"', manifest)
    for each in sums:
        manifest = manifest.replace(each, each.upper())
    (folder / "model.toml").write_text(manifest)
    assert len(sums) == 2
    assert load_model(folder).manifest.sha256 == sums[0].upper()


def test_a_file_changed_after_loading_does_not_run(tmp_path):
    model = load_model(make_model(tmp_path / "m"))
    model.onnx_path.write_bytes(model.onnx_path.read_bytes()[:-1])
    with pytest.raises(ModelError, match="sha256"):
        OnnxEngine(model)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    folder = make_model(tmp_path / "m")
    (folder / "model.onnx").write_bytes(b"not a model")
    write_manifest(folder)
    with pytest.raises(ModelError, match="not a model that runs"):
        OnnxEngine(load_model(folder))


@pytest.mark.parametrize("change", [("size = 16", "size = 8"), ("dimension = 4", "dimension = 5")])
def test_a_manifest_of_other_tensors_is_refused(tmp_path, change):
    path = make_model(tmp_path / "m") / "model.toml"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ModelError, match=r"correct model\.toml"):
        OnnxEngine(load_model(path.parent))


def half_precision(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    model.graph.node.insert(0, helper.make_node("Cast", ["frame"], ["frame32"], to=1))
    model.graph.node[1].input[0] = "frame32"


def one_frame(model):
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("more", 1, [1]))
    model.graph.node[2].input[1] = "more"


def no_normalisation(model):
    model.graph.node[-1].CopyFrom(helper.make_node("Identity", ["g"], ["embedding"]))


def not_a_number(model):
    model.graph.node[-1].CopyFrom(helper.make_node("Log", ["minus"], ["embedding"]))
    model.graph.node.insert(3, helper.make_node("Neg", ["g"], ["minus"]))


def changed(folder, change):
    """A model whose graph went through `change`, under sums that are right."""
    make_model(folder)
    model = onnx.load(folder / "model.onnx")
    change(model)
    onnx.save(model, folder / "model.onnx")
    write_manifest(folder)
    return load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (half_precision, r"tensor\(float16\).*correct model\.toml"),
        (one_frame, "frame holds 1 frames, not any number from 1 to 2"),
        (second_input, "takes 2 inputs"),
        (no_normalisation, "norm .*, not 1"),
        (not_a_number, "norm nan, not 1"),
    ],
)
def test_a_model_that_is_no_encoder_is_refused_when_it_loads(tmp_path, change, message):
    model = changed(tmp_path / "m", change)
    with pytest.raises(ModelError, match=message) as error:
        OnnxEngine(model, batch=2)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("batch", [1, None])
def test_a_model_of_one_frame_serves_one_frame(tmp_path, batch):
    engine = OnnxEngine(changed(tmp_path / "m", one_frame), batch)
    assert len(engine.input) == 1
    assert not engine.input.any()
    engine.input[0, :, :, : SIZE // 2] = 1
    engine.run(1)
    assert engine.output[0].argmax() == 0


def test_an_engine_of_nothing_is_refused(tmp_path):
    model = load_model(make_model(tmp_path / "m"))
    for settings in ({"batch": 0}, {"threads": -1}):
        with pytest.raises(SaccadeError, match="at least 1|from 1 to 8"):
            OnnxEngine(model, **settings)


def test_a_bank_of_another_space_is_refused(tmp_path):
    path = make_model(tmp_path / "m") / "model.toml"
    path.write_text(path.read_text().replace("halves/1", "halves/2"))
    with pytest.raises(ModelError, match="space"):
        load_model(path.parent).labels()
