"""A CLIP becomes a model folder: every file gives torch's embeddings, or there is no folder."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[convert]'")
pytest.importorskip("onnxscript", reason="needs the extra: pip install -e '.[convert]'")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from pathlib import Path  # noqa: E402

from tests.engines.clip.weights import TINY, random_state, weights_of  # noqa: E402

from saccade.camera.errors import SaccadeError  # noqa: E402
from saccade.camera.frames import FrameSpec  # noqa: E402
from saccade.engines.clip import convert as module  # noqa: E402
from saccade.engines.clip import export, quantise  # noqa: E402
from saccade.engines.clip.checkpoints import Weights  # noqa: E402
from saccade.engines.clip.config import MEAN, STD, CheckpointError  # noqa: E402
from saccade.engines.clip.load import event_tower, text_tower, vision_tower  # noqa: E402
from saccade.engines.manifest import FrameInfo, encoder_file  # noqa: E402
from saccade.engines.models import load_model  # noqa: E402
from saccade.engines.onnx import OnnxEngine  # noqa: E402
from saccade.engines.probes import probe_frames  # noqa: E402

STATE = random_state(TINY)
FRAMES = probe_frames(FrameSpec("paper", TINY.size), 3, 1, seed=5)
PHOTOS = np.random.default_rng(6).random((3, 3, TINY.size, TINY.size), np.float32)
ABOUT = {"source": "tests", "revision": "1", "licence": "MIT"}
ABOUT["frame"] = FrameInfo("paper", "encoder")


def paper():
    """Weights whose event tower is not CLIP's image tower."""
    clip = weights_of(TINY, STATE)
    event = weights_of(TINY, random_state(TINY, 1)).event
    return Weights(event, clip.event, clip.text, clip.arch, clip.scale)


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """The paper's layout with every file, and what was reported."""
    folder, lines = tmp_path_factory.mktemp("models") / "tiny", []
    manifest = module.convert(
        paper(), folder, name="tiny", tokenizer_json=b"{}", report=lines.append, **ABOUT
    )
    return folder, manifest, lines


def run(folder, file, inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    session = onnxruntime.InferenceSession(load_model(folder).network(file), options)
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


def test_the_folder_is_what_its_manifest_says(converted):
    folder, manifest, lines = converted
    model = load_model(folder)
    assert model.manifest == manifest
    for name in manifest.files:
        model.file(name)
    names = {"image.onnx", "model.fp16.onnx", "model.int8.onnx", "model.int8-qdq.onnx"}
    names |= {"model.onnx", "model.toml", "text.onnx", "tokenizer.json", "weights.safetensors"}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]  # nothing temporary stays
    assert manifest.embedding.space == paper().space
    assert [line.partition(":")[0] for line in lines] == sorted(
        (n for n in names if n.endswith(".onnx")),
        key=[
            "model.onnx",
            "model.fp16.onnx",
            "model.int8.onnx",
            "model.int8-qdq.onnx",
            "image.onnx",
            "text.onnx",
        ].index,  # fmt: skip
    )
    here = str(Path(module.__file__).parents[2]).encode()
    assert not any(here in path.read_bytes() for path in folder.iterdir())


def test_attention_in_int8_is_one_operator_but_for_the_last_blocks(converted):
    graph = onnx.load(converted[0] / "model.int8.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("QAttention") == TINY.vision.layers - 1
    assert kinds.count("Softmax") == 1
    assert not any(
        w.data_type == onnx.TensorProto.FLOAT and len(w.dims) == 2 and min(w.dims) > 32
        for w in graph.initializer
    )  # all matrices are in int8


def test_the_static_file_is_what_tensorrt_and_openvino_take(converted):
    """Symmetric, both inputs of each product, weights by column, everything else in float32."""
    graph = onnx.load(converted[0] / "model.int8-qdq.onnx").graph
    tensors = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert len(products) == 6 * TINY.vision.layers + 1  # attention has four, two without weights
    for node in products:
        for name in node.input:
            maker = makers[name]
            assert (maker.op_type, maker.domain) == ("DequantizeLinear", "")
            assert tensors[maker.input[2]].dtype == np.int8
            assert not tensors[maker.input[2]].any()
            if maker.input[0] in tensors:
                weights = tensors[maker.input[0]]
                assert weights.dtype == np.int8 and np.abs(weights).max() <= 64
                assert maker.attribute[0].i == 1
                assert tensors[maker.input[1]].shape == weights.shape[1:]
            else:
                assert tensors[maker.input[1]].shape == ()
    quantised = {name for node in graph.node if "Linear" in node.op_type for name in node.output}
    takers = {node.op_type for node in graph.node if quantised & {*node.input}}
    assert takers == {"MatMul", "DequantizeLinear"}


def test_channels_are_evened_out_without_another_embedding(converted, tmp_path):
    model = load_model(converted[0])
    graph = onnx.load(model.onnx_path)
    gain = next(t for t in graph.graph.initializer if t.name.endswith("resblocks.1.ln_1.weight"))
    values = onnx.numpy_helper.to_array(gain).copy()
    values[7] *= 1000  # a channel that leaves the others a tenth of a step
    gain.CopyFrom(onnx.numpy_helper.from_array(values, gain.name))
    onnx.save(graph, tmp_path / "grown.onnx")
    quantise._smooth(tmp_path / "grown.onnx", tmp_path / "even.onnx", torch.from_numpy(FRAMES))
    found = {
        name: onnxruntime.InferenceSession(tmp_path / f"{name}.onnx").run(None, {"frame": FRAMES})
        for name in ("grown", "even")
    }
    np.testing.assert_allclose(found["grown"][0], found["even"][0], atol=1e-4)
    tensors = {t.name: t for t in onnx.load(tmp_path / "even.onnx").graph.initializer}
    evened = np.abs(onnx.numpy_helper.to_array(tensors[gain.name]))
    assert evened[7] / np.median(evened) < 50


def test_every_file_gives_torchs_embeddings(converted):
    folder, weights = converted[0], paper()
    with torch.inference_mode():
        wanted = event_tower(load_model(folder))(torch.from_numpy(FRAMES)).numpy()
        copies = torch.from_numpy(FRAMES).expand(-1, 3, -1, -1)
        three = vision_tower(TINY, weights.event)(copies).numpy()
        image = vision_tower(TINY, weights.image)(torch.from_numpy(PHOTOS)).numpy()
        tokens = torch.tensor([[58, 3, 4, 59] + [0] * 8])
        text = text_tower(TINY, weights.text)(tokens).numpy()
    np.testing.assert_allclose(wanted, three, atol=1e-5)  # one channel is as good as its copies
    engine = OnnxEngine(load_model(folder), batch=3)
    engine.input[:] = FRAMES
    engine.run(3)
    np.testing.assert_allclose(engine.output, wanted, atol=1e-5)
    half = run(folder, "model.fp16.onnx", FRAMES.astype(np.float16))
    assert half.dtype == np.float16
    assert (half.astype(np.float32) * wanted).sum(1).min() > 0.999
    for file in ("model.int8.onnx", "model.int8-qdq.onnx"):
        assert (run(folder, file, FRAMES) * wanted).sum(1).min() > 0.99
    np.testing.assert_allclose(run(folder, "image.onnx", PHOTOS), image, atol=1e-5)
    np.testing.assert_allclose(run(folder, "text.onnx", tokens.numpy()), text, atol=1e-5)


def test_clips_normalisation_is_in_the_file_and_in_torchs_tower(tmp_path):
    weights = weights_of(TINY, STATE)
    manifest = module.convert(
        weights, tmp_path / "m", name="m", normalise="clip", precisions=(), **ABOUT
    )
    assert (manifest.image.mean, manifest.image.std) == (MEAN, STD)
    assert manifest.text is None
    assert set(manifest.files) == {"image.onnx", "weights.safetensors"}
    mean, std = (np.float32(v).reshape(3, 1, 1) for v in (MEAN, STD))
    with torch.inference_mode():
        photos = torch.from_numpy((FRAMES - mean) / std)
        wanted = vision_tower(TINY, weights.event)(photos).numpy()
        found = event_tower(load_model(tmp_path / "m"))(torch.from_numpy(FRAMES)).numpy()
    np.testing.assert_allclose(run(tmp_path / "m", "model.onnx", FRAMES), wanted, atol=1e-5)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("precision", export.LIMITS)
def test_a_file_that_gives_other_embeddings_is_refused(converted, precision):
    path = converted[0] / encoder_file(precision)
    frames = torch.from_numpy(FRAMES)
    right = export.reference(event_tower(load_model(converted[0])), frames)
    spaces = onnx.load(path, load_external_data=False).metadata_props
    assert [(p.key, p.value) for p in spaces if p.key == "space"] == [("space", paper().space)]
    assert export.check_file(path, frames, right, precision) > export.LIMITS[precision]
    other = vision_tower(TINY, weights_of(TINY, STATE).event)
    wrong = export.reference(other, frames.expand(-1, 3, -1, -1))
    with pytest.raises(SaccadeError, match=rf"{path.name}: embeddings have cosine -?0\.\d+ to"):
        export.check_file(path, frames, wrong, precision)


def test_a_folder_that_is_there_or_cannot_be_made_is_refused(tmp_path):
    weights = weights_of(TINY, STATE)
    with pytest.raises(SaccadeError, match="is there already"):
        module.convert(weights, tmp_path, name="m", **ABOUT)
    with pytest.raises(SaccadeError, match="cannot be written"):
        module.convert(weights, tmp_path / "no" / "m", name="m", **ABOUT)


def test_weights_that_no_onnx_file_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_LARGEST", 1000)
    with pytest.raises(SaccadeError, match=r"GB of weights, and an ONNX file holds 2 GB"):
        module.convert(weights_of(TINY, STATE), tmp_path / "m", name="m", **ABOUT)
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_no_clip_has_no_tower():
    with pytest.raises(CheckpointError, match="no CLIP that torch could run"):
        event_tower(load_model("saccade-mini"))
