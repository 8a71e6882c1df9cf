"""Model folders: what matches its manifest loads and runs; anything else is one clear error."""

from __future__ import annotations

import numpy as np
import pytest
from tests.models import SIZE, make_model, write_manifest

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
    with pytest.raises(ModelError, match=r"nowhere.*saccade-mini"):
        load_model(tmp_path / "nowhere")


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
    "change", [("[input]", "[in"), ("size = 16", "size = 'x'"), ('name = "halves"', "")]
)
def test_a_damaged_manifest_is_refused(tmp_path, change):
    path = make_model(tmp_path / "m") / "model.toml"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ModelError, match=r"model\.toml"):
        load_model(path.parent)


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


def test_a_bank_of_another_space_is_refused(tmp_path):
    path = make_model(tmp_path / "m") / "model.toml"
    path.write_text(path.read_text().replace("halves/1", "halves/2"))
    with pytest.raises(ModelError, match="space"):
        load_model(path.parent).labels()
