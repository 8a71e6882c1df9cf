"""The OpenVINO engine: the embeddings of ONNX Runtime's, batches, precisions, what it refuses."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.models import SIZE, make_model, write_manifest

from saccade.engines import openvino as module
from saccade.engines.engine import EngineError
from saccade.engines.models import ModelError, load_model
from saccade.engines.onnx import OnnxEngine
from saccade.engines.openvino import OpenVinoEngine
from saccade.engines.verify import agreement, embed, event_frames

INSTALLED = "needs the extra: pip install -e '.[openvino]'"


@pytest.fixture
def model(tmp_path):
    pytest.importorskip("openvino", reason=INSTALLED)
    return load_model(make_model(tmp_path / "m"))


def test_every_batch_gives_what_onnx_runtime_gives(model):
    frames = np.random.default_rng(1).random((8, 1, SIZE, SIZE))
    reference, engine = OnnxEngine(model, batch=8), OpenVinoEngine(model, batch=8, threads=2)
    reference.input[:] = engine.input[:] = frames
    reference.run(8)
    places = engine.input.ctypes.data, engine.output.ctypes.data
    for n in (*range(1, 9), 1):
        engine.output[:] = 0
        engine.run(n)
        np.testing.assert_allclose(engine.output[:n], reference.output[:n], atol=1e-6)
        assert not engine.output[n:].any()
    assert (engine.input.ctypes.data, engine.output.ctypes.data) == places
    engine.close()


@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.9999), ("bf16", 0.99)])
def test_the_bundled_model_agrees(model, precision, least):
    mini = load_model()
    try:
        engine = OpenVinoEngine(mini, None, 1, precision)
    except EngineError as error:
        pytest.skip(str(error))  # a processor without bfloat16
    assert len(engine.input) == 4
    frames = event_frames(mini.frame_spec(), 6)
    wanted = embed(OnnxEngine(mini), frames)
    assert agreement(embed(engine, frames), wanted).worst > least


@pytest.mark.parametrize("settings", [{"batch": 0}, {"batch": 9}, {"threads": 0}])
def test_settings_that_cannot_be_are_refused(model, settings):
    with pytest.raises(EngineError, match="from 1 to 8|at least 1"):
        OpenVinoEngine(model, **settings)


def test_runs_that_cannot_be_are_refused(model):
    engine = OpenVinoEngine(model, batch=2)
    for n in (0, 3):
        with pytest.raises(ValueError, match=f"{n} frames: this engine was opened for 1 to 2"):
            engine.run(n)
    with pytest.raises(ValueError, match="runs on the host"):
        engine.run(1, stream=7)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_an_embedding_that_is_no_number_is_an_error(model):
    engine = OpenVinoEngine(model, batch=2)
    engine.input[:] = 1
    engine.input[1, 0, 3, 3] = np.nan
    with pytest.raises(EngineError, match="frame 1 of the batch is not finite"):
        engine.run(2)
    engine.run(1)


def test_precisions_that_cannot_be_are_refused_with_the_remedy(model, monkeypatch):
    with pytest.raises(EngineError, match="fp16: OpenVINO has fp32, bf16, int8 on CPUs"):
        OpenVinoEngine(model, precision="fp16")
    with pytest.raises(ModelError, match=r"no model\.int8-qdq\.onnx, .*fp32.*saccade models add"):
        OpenVinoEngine(model, precision="int8")

    class Core:
        def get_property(self, device, name):
            assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
            return ["FP32", "INT8"]

    monkeypatch.setattr(module.load_openvino(), "Core", Core)
    with pytest.raises(EngineError, match="bf16: this processor has no bfloat16"):
        OpenVinoEngine(model, precision="bf16")


def test_int8_reads_the_file_of_q_dq_nodes(model):
    other = onnx.load(model.onnx_path)
    weights = onnx.numpy_helper.to_array(other.graph.initializer[0])[:, ..., ::-1].copy()
    other.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "w"))
    data = other.SerializeToString()
    (model.folder / "model.int8-qdq.onnx").write_bytes(data)
    model.manifest.files["model.int8-qdq.onnx"] = hashlib.sha256(data).hexdigest()
    engine = OpenVinoEngine(model, precision="int8")
    engine.input[0, 0, :, : SIZE // 2] = 1
    engine.run(1)
    assert engine.output[0].argmax() == 1  # right, where fp32 says left


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("size", 24), r"frame f32 \[\?,1,16,16\] is not the manifest's frame float32 \[N, 1, 24"),
        (("dimension", 5), r"embedding f32 \[\?,4\] is not the manifest's embedding .*\[N, 5\]"),
        (("name", "other"), "is not the manifest's other"),
    ],
)
def test_tensors_that_are_not_the_manifests_are_refused(model, change, message):
    text = (model.folder / "model.toml").read_text()
    key, value = change
    old = {"size": "size = 16", "dimension": "dimension = 4", "name": 'name = "frame"'}[key]
    assert old in text
    (model.folder / "model.toml").write_text(text.replace(old, f"{key} = {value!r}"))
    with pytest.raises(ModelError, match=message):
        OpenVinoEngine(load_model(model.folder))


def rewritten(model, change):
    graph = onnx.load(model.onnx_path)
    change(graph.graph)
    onnx.save(graph, model.onnx_path)
    write_manifest(model.folder)
    return load_model(model.folder)


def test_a_model_of_one_frame_takes_one(model):
    def fix(graph):
        for tensor in (*graph.input, *graph.output):
            tensor.type.tensor_type.shape.dim[0].dim_value = 1

    fixed = rewritten(model, fix)
    assert len(OpenVinoEngine(fixed, None).input) == 1
    with pytest.raises(ModelError, match="holds 1 frames, not any number from 1 to 2"):
        OpenVinoEngine(fixed, 2)


def test_an_encoder_that_does_not_normalise_is_refused(model):
    def cut(graph):
        graph.node[-1].op_type = "Identity"
        del graph.node[-1].attribute[:]

    with pytest.raises(ModelError, match=r"has norm .*, not 1; export the model with an L2"):
        OpenVinoEngine(rewritten(model, cut))


def test_what_is_no_onnx_is_refused_in_one_line(model):
    model.onnx_path.write_bytes(b"\x08\x09 no model")
    write_manifest(model.folder)
    broken = type(model)(model.folder, load_manifest(model.folder))
    with pytest.raises(ModelError, match="not a model that runs") as caught:
        OpenVinoEngine(broken)
    assert "\n" not in str(caught.value)


def load_manifest(folder: Path):
    from saccade.engines.models import read_manifest

    return read_manifest(folder / "model.toml")


def test_without_openvino_the_remedy_is_one_line(tmp_path, monkeypatch):
    folder = make_model(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(EngineError, match=r"not installed; `pip install 'saccade\[openvino\]'`"):
        OpenVinoEngine(load_model(folder))


def test_a_broken_openvino_is_said_in_one_line(tmp_path, monkeypatch):
    package = tmp_path / "site" / "openvino"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise OSError('libopenvino.so.1: no such file\\nat 7')")
    monkeypatch.delitem(sys.modules, "openvino", raising=False)
    monkeypatch.syspath_prepend(package.parent)
    with pytest.raises(EngineError, match=r"does not load \(libopenvino\.so\.1: no such file\);"):
        module.load_openvino()


def test_its_import_tells_nobody(tmp_path, monkeypatch):
    """The real one counts imports on a server, through a package that is hidden from it."""
    package = tmp_path / "site" / "openvino"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "told = True\ntry:\n    import openvino_telemetry\nexcept ImportError:\n    told = False\n"
    )
    (package.parent / "openvino_telemetry.py").write_text("")
    for name in ("openvino", "openvino_telemetry"):
        monkeypatch.setitem(sys.modules, name, None)  # so that it is put back, or taken away
        del sys.modules[name]
    monkeypatch.syspath_prepend(package.parent)
    assert module.load_openvino().told is False
    assert "openvino_telemetry" not in sys.modules
