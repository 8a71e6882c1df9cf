"""The torch engine beside ONNX Runtime, and what it refuses; on a GPU where there is one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.models import make_model

from saccade.engines.engine import EngineError
from saccade.engines.manifest import FrameInfo
from saccade.engines.models import ModelError, load_model
from saccade.engines.onnx import OnnxEngine
from saccade.engines.torch import TorchEngine

NEEDS = "needs the extra: pip install -e '.[convert]'"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Model folders of a tiny CLIP: as it is, and with CLIP's mean and std in its first layer."""
    torch = pytest.importorskip("torch", reason=NEEDS)
    pytest.importorskip("onnxscript", reason=NEEDS)
    from saccade.engines.clip.checkpoints import Weights
    from saccade.engines.clip.config import Architecture, Transformer
    from saccade.engines.clip.convert import convert

    arch = Architecture(
        size=32,
        patch=8,
        vision=Transformer(64, 2, 1, 128),
        context=8,
        vocabulary=40,
        text=Transformer(32, 1, 1, 64),
        dimension=16,
        activation="quick_gelu",
    )
    source = torch.Generator().manual_seed(0)
    event = {
        name: torch.randn(shape, generator=source) * (0.05 if len(shape) == 4 else 0.1)
        for name, shape in arch.vision_shapes().items()
    }
    weights = Weights(event, None, {"token_embedding.weight": torch.zeros(40, 32)}, arch, 100.0)
    root = tmp_path_factory.mktemp("clip")
    for normalise in ("none", "clip"):
        convert(
            weights, root / normalise, name="tiny", source="here", revision="", licence="none",
            frame=FrameInfo("paper", "sensor"), normalise=normalise, precisions=["fp32"],
        )  # fmt: skip
    return root


@pytest.fixture
def frames():
    return np.random.default_rng(2).random((4, 1, 32, 32), np.float32)


@pytest.mark.parametrize("normalise", ["none", "clip"])
def test_embeddings_are_those_of_the_onnx_file(folders, frames, normalise):
    model = load_model(folders / normalise)
    engine, reference = TorchEngine(model, 4, "cpu"), OnnxEngine(model, 4)
    assert (engine.input.shape, engine.output.shape) == ((4, 1, 32, 32), (4, 16))
    assert (engine.input.dtype, engine.output.dtype) == (np.float32, np.float32)
    assert not engine.input.any()
    for n in (1, 3, 4):
        for each in (engine, reference):
            each.input[:] = frames[::-1] if n == 3 else frames
            each.run(n)
        np.testing.assert_allclose(engine.output[:n], reference.output[:n], atol=1e-5)
    assert engine.output[0] @ engine.output[1] < 0.9999
    engine.close()


def test_mean_and_std_change_the_embedding(folders, frames):
    found = []
    for normalise in ("none", "clip"):
        engine = TorchEngine(load_model(folders / normalise), device="cpu")
        engine.input[0] = frames[0]
        engine.run(1)
        found.append(engine.output[0].copy())
    assert found[0] @ found[1] < 0.999


def test_bfloat16_is_near(folders, frames):
    model = load_model(folders / "none")
    engine, reference = (TorchEngine(model, device="cpu", precision=p) for p in ("bf16", "fp32"))
    for each in (engine, reference):
        each.input[0] = frames[0]
        each.run(1)
    assert 0.999 < engine.output[0] @ reference.output[0] < 1 - 1e-8
    assert abs(np.linalg.norm(engine.output[0]) - 1) < 1e-6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 9}, "from 1 to 8"),
        ({"precision": "int8"}, "int8: torch has fp32, fp16, bf16; int8 is for --engine onnx"),
        ({"precision": "fp16"}, "no fast float16 on CPUs"),
        ({"device": "tpu"}, "use cpu or cuda"),
        ({"device": "cuda:99"}, "cuda:99: (torch .* sees no GPU|there are)"),
    ],
)
def test_settings_that_cannot_be_are_refused(folders, settings, message):
    with pytest.raises(EngineError, match=message) as error:
        TorchEngine(load_model(folders / "none"), **{"device": "cpu", **settings})
    assert ";" in str(error.value) or ": " in str(error.value)


def test_a_model_without_weights_is_refused(tmp_path):
    pytest.importorskip("torch", reason=NEEDS)
    with pytest.raises(EngineError, match=r"no weights for torch .*use --engine onnx"):
        TorchEngine(load_model(make_model(tmp_path / "m")), device="cpu")


def test_weights_of_other_channels_than_the_manifests_are_refused(folders, tmp_path):
    model = load_model(folders / "none")
    text = (model.folder / "model.toml").read_text().replace("channels = 1", "channels = 2")
    for name in ("model.onnx", "image.onnx", "weights.safetensors"):
        (tmp_path / name).write_bytes((model.folder / name).read_bytes())
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(ModelError, match="take 3 channels .* the manifest says 2"):
        TorchEngine(load_model(tmp_path), device="cpu")


def test_frames_that_are_no_numbers_are_an_error(folders):
    engine = TorchEngine(load_model(folders / "none"), device="cpu")
    engine.input[0] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        engine.run(1)


def test_what_only_a_gpu_has_is_refused_on_a_cpu(folders):
    engine = TorchEngine(load_model(folders / "none"), device="cpu")
    assert (engine.input_address, engine.stream) == (0, 0)
    for run in (lambda: engine.run(1, stream=7), lambda: engine.run_on_device(1, 7)):
        with pytest.raises(ValueError, match="on the host"):
            run()
    with pytest.raises(ValueError, match="2 frames"):
        engine.run(2)


def test_without_torch_it_says_what_to_install(tmp_path, monkeypatch):
    model = load_model(make_model(tmp_path / "m"))
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineError, match=r"pip install 'saccade\[torch\]'"):
        TorchEngine(model)


@pytest.mark.gpu
@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize(
    ("precision", "least"), [("fp32", 0.9999), ("fp16", 0.999), ("bf16", 0.99)]
)
def test_a_gpu_gives_the_cpus_embeddings(folders, frames, graph, precision, least):
    model = load_model(folders / "none")
    reference = OnnxEngine(model, 4)
    engine = TorchEngine(model, 4, "cuda", precision, cuda_graph=graph)
    assert engine.input_address
    for n in (1, 2, 3, 4):
        for each in (engine, reference):
            each.input[:] = frames[::-1] if n == 3 else frames
            each.run(n)
        assert ((engine.output * reference.output)[:n].sum(axis=1) > least).all()
    wanted = engine.output.copy()
    engine.input[:] = 0  # the frames on the device stay
    engine.run_on_device(4, engine.stream)
    np.testing.assert_array_equal(engine.output, wanted)
    engine.close()
