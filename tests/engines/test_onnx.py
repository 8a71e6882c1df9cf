"""The ONNX Runtime engine: batches, precisions, and what it refuses."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.models import SIZE, make_model

from saccade.engines.engine import EngineError
from saccade.engines.host import usable_cores
from saccade.engines.models import ModelError, load_model
from saccade.engines.onnx import OnnxEngine


@pytest.fixture
def folder(tmp_path):
    return make_model(tmp_path / "m")


def add_file(folder, name, data):
    """Puts a file into a model folder, and its sum into the manifest."""
    (folder / name).write_bytes(data)
    with (folder / "model.toml").open("a") as manifest:
        manifest.write(f'\n[files]\n"{name}" = "{hashlib.sha256(data).hexdigest()}"\n')


def turned(folder):
    """The encoder with its frames' halves exchanged, as a file of another precision."""
    model = onnx.load(folder / "model.onnx")
    weights = numpy_helper.to_array(model.graph.initializer[0])[:, ..., ::-1].copy()
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w"))
    return model.SerializeToString()


def test_every_batch_gives_what_single_frames_give(folder):
    model, frames = load_model(folder), np.random.default_rng(1).random((8, 1, SIZE, SIZE))
    single, engine = OnnxEngine(model), OnnxEngine(model, batch=8, threads=2)
    engine.input[:] = frames
    for n in range(1, 9):
        engine.output[:] = 0
        engine.run(n)
        for i in range(n):
            single.input[0] = frames[i]
            single.run(1)
            np.testing.assert_allclose(engine.output[i], single.output[0], atol=1e-6)
        assert not engine.output[n:].any()


@pytest.mark.parametrize("settings", [{"batch": 0}, {"batch": 9}, {"threads": 0}])
def test_settings_that_cannot_be_are_refused(folder, settings):
    with pytest.raises(EngineError, match="from 1 to 8|at least 1"):
        OnnxEngine(load_model(folder), **settings)


def test_more_frames_than_it_was_opened_for_are_refused(folder):
    engine = OnnxEngine(load_model(folder), batch=2)
    for n in (0, 3):
        with pytest.raises(ValueError, match=f"{n} frames: this engine was opened for 1 to 2"):
            engine.run(n)


def test_a_stream_of_a_gpu_is_refused(folder):
    with pytest.raises(ValueError, match="runs on the host"):
        OnnxEngine(load_model(folder)).run(1, stream=7)


def test_int8_reads_its_own_file(folder):
    add_file(folder, "model.int8.onnx", turned(folder))
    engine = OnnxEngine(load_model(folder), precision="int8")
    engine.input[0, 0, :, : SIZE // 2] = 1
    engine.run(1)
    assert engine.output[0].argmax() == 1  # right, where fp32 says left


def test_without_an_int8_file_the_remedies_are_named(folder):
    with pytest.raises(ModelError, match=r"no model\.int8\.onnx; .*fp32.*saccade models add"):
        OnnxEngine(load_model(folder), precision="int8")


def test_fp16_is_refused_with_the_reason(folder):
    add_file(folder, "model.fp16.onnx", turned(folder))
    with pytest.raises(EngineError, match=r"fp16: .*CPUs; use --precision int8 or fp32"):
        OnnxEngine(load_model(folder), precision="fp16")


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_no_number_is_an_error(folder, value):
    engine = OnnxEngine(load_model(folder), batch=2)
    engine.input[:] = 1
    engine.input[1, 0, 3, 3] = value
    with pytest.raises(EngineError, match="frame 1 of the batch is not finite"):
        engine.run(2)
    engine.run(1)


def test_cores_are_those_that_this_process_may_use():
    assert usable_cores() >= 1
