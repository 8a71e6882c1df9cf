"""The TensorRT engine's control flow, with a module that plays TensorRT on the host."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.camera.test_frames import random_packet
from tests.engines import tensorrt_api
from tests.engines.fake_tensorrt import GPU, FakeTensorRt, fake_platform
from tests.engines.halves import add_fp16
from tests.models import make_model
from tests.reference.labels import best_labels

from saccade.camera import _native
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.frames import FrameMaker
from saccade.engines.engine import EngineError
from saccade.engines.models import Model, ModelError
from saccade.engines.onnx import OnnxEngine
from saccade.engines.tensorrt.build import Settings
from saccade.engines.tensorrt.open import Plans, open_tensorrt
from saccade.engines.tensorrt.platform import open_platform, version_fault
from saccade.engines.tensorrt.runtime import PlanError, TensorRtEngine, batch_sizes
from saccade.engines.verify import compare, event_frames


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setenv("SACCADE_HOME", str(tmp_path / "home"))
    return add_fp16(make_model(tmp_path / "halves", channels=3))


@pytest.fixture
def fake() -> FakeTensorRt:
    return FakeTensorRt()


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "home" / "engines").glob("*.engine"))


def test_int8_is_the_file_of_q_dq_nodes(model, fake) -> None:
    model.manifest.files["model.int8.onnx"] = "1" * 64  # ONNX Runtime's
    with pytest.raises(ModelError, match=r"the model has no model\.int8-qdq\.onnx; it has "):
        Plans(fake_platform(fake), model, "int8", Settings())
    model.manifest.files["model.int8-qdq.onnx"] = "2" * 64
    assert Plans(fake_platform(fake), model, "int8", Settings()).key(1).onnx == "2" * 64


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_it_is_built_compared_kept_and_gives_the_reference_embeddings(
    model, fake, tmp_path, precision
) -> None:
    told: list[tuple[str, float | None]] = []
    engine = open_tensorrt(
        model,
        batch=4,
        precision=precision,
        report=lambda what, share=None: told.append((what, share)),
        platform=fake_platform(fake),
    )
    assert [shape for shape, _ in fake.built] == [(n, 3, 16, 16) for n in (1, 2, 4)]
    assert (f"building halves {precision}, batch 2", 0.5) in told
    assert ("comparing", 1.0) in told
    assert len(cached(tmp_path)) == 3
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in cached(tmp_path))
    reference = OnnxEngine(model, batch=4)
    frames = event_frames(model.frame_spec(), 10)
    least = 0.999 if precision == "fp16" else 0.99999
    assert compare(engine, reference, frames).worst >= least
    for n in (1, 2, 3, 4):  # 3 run in the plan of 4
        engine.input[:n] = frames[n : 2 * n, None]
        reference.input[:n] = frames[n : 2 * n, None]
        engine.run(n)
        reference.run(n)
        np.testing.assert_allclose(engine.output[:n], reference.output[:n], atol=2e-3)
    engine.close()
    engine.close()


def test_the_builder_is_set_up_as_we_say(model, fake) -> None:
    settings = Settings(level=5, workspace_mib=64)
    for precision in ("fp16", "fp32"):
        open_tensorrt(model, 1, precision, settings, platform=fake_platform(fake)).close()
    for (_, config), flags in zip(fake.built, [{"BuilderFlag.TF32"}, set()], strict=True):
        assert config.builder_optimization_level == 5
        assert config.max_aux_streams == 0
        assert config._limits == {"MemoryPoolType.WORKSPACE": 64 << 20}
        assert config._flags == flags
    # The second build began with what the first one measured.
    assert [config._cache._data for _, config in fake.built] == [b"", b"t"]


@pytest.mark.parametrize("data", [b"damaged", b"other GPU"])
def test_a_timing_cache_that_does_not_serve_is_begun_anew(model, fake, tmp_path, data) -> None:
    open_tensorrt(model, platform=fake_platform(fake)).close()
    (path,) = (tmp_path / "home" / "engines").glob("timing-*.cache")
    path.write_bytes(data)
    for plan in cached(tmp_path):
        plan.unlink()
    open_tensorrt(model, platform=fake_platform(fake)).close()
    assert fake.built[-1][1]._cache._data == b""
    assert path.read_bytes() == b"t"


def test_a_second_opening_builds_nothing(model, fake) -> None:
    for _ in range(2):
        open_tensorrt(model, platform=fake_platform(fake)).close()
    assert len(fake.built) == 1


def test_another_gpu_driver_tensorrt_or_setting_is_another_plan(model, fake, tmp_path) -> None:
    from dataclasses import replace

    platforms = [
        fake_platform(fake),
        fake_platform(fake, replace(GPU, name="another")),
        fake_platform(fake, replace(GPU, driver="550.1, CUDA 12.6")),
        fake_platform(fake, replace(GPU, processors=8)),
    ]
    for platform in platforms:
        open_tensorrt(model, platform=platform).close()
    open_tensorrt(model, platform=platforms[0], settings=Settings(level=1)).close()
    assert len(fake.built) == len(cached(tmp_path)) == 5
    newer = FakeTensorRt("10.4.0")
    open_tensorrt(model, platform=fake_platform(newer)).close()
    assert len(newer.built) == 1


@pytest.mark.parametrize("damage", ["cut", "flip", "head", "empty"])
def test_a_damaged_plan_is_built_again(model, fake, tmp_path, damage) -> None:
    open_tensorrt(model, platform=fake_platform(fake)).close()
    (path,) = cached(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-7] ^= 1
    elif damage == "head":
        data[40] = 0
    path.write_bytes({"cut": data[:-1], "empty": b""}.get(damage, data))
    open_tensorrt(model, platform=fake_platform(fake)).close()
    assert len(fake.built) == 2
    open_tensorrt(model, platform=fake_platform(fake)).close()
    assert len(fake.built) == 2


def test_a_plan_that_does_not_load_is_built_again_once(model, fake) -> None:
    open_tensorrt(model, platform=fake_platform(fake)).close()
    fake.faults["load"] = 1
    open_tensorrt(model, platform=fake_platform(fake)).close()
    assert len(fake.built) == 2
    fake.faults["load"] = 9
    with pytest.raises(PlanError, match="does not load the plan .plan of another version"):
        open_tensorrt(model, platform=fake_platform(fake))


def test_an_engine_that_is_wrong_is_refused_with_the_figure_and_not_kept(
    model, fake, tmp_path
) -> None:
    fake.faults["turn"] = 1
    with pytest.raises(EngineError, match=r"halves fp16, batch 1: .* cosine -?0\.\d+ at worst"):
        open_tensorrt(model, platform=fake_platform(fake))
    assert cached(tmp_path) == []
    assert not list((tmp_path / "home" / "engines").glob(".*.part"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("parse", r"parser refuses it \(no importer is registered, at MatMulInteger /attn/0\)"),
        ("build", r"cannot build it \(no tactic fits\)"),
        ("context", "makes no context for batch 1"),
        ("address", "refuses the address of frame"),
        ("enqueue", "refuses to run batch 1"),
    ],
)
def test_what_tensorrt_refuses_is_one_line(model, fake, tmp_path, fault, message) -> None:
    fake.faults[fault] = 1
    with pytest.raises(EngineError, match=message) as caught:
        open_tensorrt(model, platform=fake_platform(fake))
    assert "\n" not in str(caught.value)
    assert cached(tmp_path) == []


@pytest.mark.parametrize("nth", [1, 2])
def test_an_enqueue_that_fails_inside_the_capture_is_seen(model, fake, nth) -> None:
    """Else the graph would lack the network, and give the embedding of the run before."""
    fake.after["enqueue"], fake.faults["enqueue"] = nth, 1
    with pytest.raises(EngineError, match="refuses to run batch 1"):
        open_tensorrt(model, platform=fake_platform(fake))
    assert fake.faults["enqueue"] == 0


def test_the_user_who_interrupts_a_build_ends_it(model, fake, tmp_path) -> None:
    def interrupt(what: str, share: float | None = None) -> None:
        if what.startswith("building"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_tensorrt(model, platform=fake_platform(fake), report=interrupt)
    assert fake.built == []
    open_tensorrt(model, platform=fake_platform(fake)).close()


def test_a_frame_that_is_not_finite_is_no_label(model, fake) -> None:
    engine = open_tensorrt(model, batch=2, precision="fp32", platform=fake_platform(fake))
    engine.input[:] = 0.5
    engine.input[1, 0, 3, 3] = np.nan
    engine.run(1)
    with pytest.raises(EngineError, match="frame 1 of the batch is not finite"):
        engine.run(2)
    for n in (0, 3):
        with pytest.raises(ValueError, match=f"{n} frames: .* opened for 1 to 2"):
            engine.run(n)
    engine.close()


def test_labels_come_with_the_embedding(model, fake) -> None:
    engine = open_tensorrt(model, batch=2, precision="fp32", platform=fake_platform(fake))
    frames = event_frames(model.frame_spec(), 2)
    engine.input[:2] = frames[:, None]
    engine.run(2)
    assert engine.best[0].shape == (2, 0)
    bank = model.labels().embeddings
    for words, top in ((bank, 2), (bank[:3], 7), (bank[2:], 1)):
        engine.set_bank(words, 10.0, top)
        engine.run(2)
        wanted, scores = best_labels(engine.output, words, 10.0, top)
        np.testing.assert_array_equal(engine.best[0], wanted)
        np.testing.assert_allclose(engine.best[1], scores, rtol=1e-5)
    engine.close()


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_frames_are_finished_straight_into_the_input(model, fake, precision) -> None:
    """Events to labels without a frame on the host: the maker's kernels, the engine's graph."""
    platform = fake_platform(fake)
    engine = open_tensorrt(model, batch=2, precision=precision, platform=platform)
    spec = model.frame_spec()
    maker = CudaFrameMaker(64, 48, spec, device=platform.device)
    on_host, reference = FrameMaker(64, 48, spec), OnnxEngine(model, batch=2)
    half = engine.input_dtype == np.float16
    for i in range(2):
        packet = random_packet(400, 30 + 20 * i, 40, seed=i)
        maker.add([packet])
        address = engine.input_address + i * engine.frame_bytes
        maker.finish_into(address, channels=3, half=half)
        reference.input[i] = on_host.make([packet])
    engine.input[:] = 0  # what the host has is not asked for
    engine.run_on_device(2, maker.stream)
    reference.run(2)
    np.testing.assert_allclose(engine.output, reference.output, atol=2e-3)
    engine.close()


def test_only_what_both_versions_have_is_used(model, fake) -> None:
    """What the code uses is what the test of the real bindings looks for: no more, and no less."""
    for precision in ("fp16", "fp32"):
        open_tensorrt(model, 2, precision, platform=fake_platform(fake)).close()
    for fault in ("parse", "build"):
        fake.faults[fault] = 1
        with pytest.raises(EngineError):
            open_tensorrt(model, 8, platform=fake_platform(fake))
    assert fake.used == tensorrt_api.names()


def test_without_a_driver_no_object_of_tensorrt_is_made(fake, monkeypatch) -> None:
    import sys

    from saccade.engines.tensorrt import platform

    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    monkeypatch.setattr(platform, "why_no_kernels", lambda: None)
    monkeypatch.setattr(platform, "why_no_gpu", lambda: "no NVIDIA driver was found")
    with pytest.raises(EngineError, match="engine tensorrt: no NVIDIA driver was found"):
        open_platform()
    monkeypatch.setattr(platform, "why_no_gpu", lambda: None)
    monkeypatch.setattr(platform, "find_gpu", lambda: GPU)
    assert open_platform().gpu == GPU
    fake.__version__ = "8.5.2"
    with pytest.raises(EngineError, match="TensorRT 8.5.2 is not supported; install"):
        open_platform()
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineError, match="install TensorRT 10.3"):
        open_platform()
    assert fake.objects == 0


@pytest.mark.parametrize(
    ("version", "fine"),
    [
        *[("10.3.0", True), ("10.16.2.1", True), ("11.4.0.106", True), ("10.2.9", False)],
        *[("11.5.0", False), ("12.0", False), ("8.6.1", False), ("x", False), ("10", False)],
        *[("10.30.0", True), ("", False)],
    ],
)
def test_versions(version, fine) -> None:
    assert (version_fault(version) is None) == fine


def test_batches() -> None:
    assert [batch_sizes(n) for n in (1, 2, 3, 5, 8)] == [
        *[(1,), (1, 2), (1, 2, 4), (1, 2, 4, 8), (1, 2, 4, 8)]
    ]
    for batch in (0, 9):
        with pytest.raises(EngineError, match="from 1 to 8 frames"):
            batch_sizes(batch)
    for settings in ({"level": 6}, {"workspace_mib": 0}):
        with pytest.raises(EngineError, match="must be"):
            Settings(**settings)


def test_a_plan_of_another_model_is_refused(model, fake, tmp_path) -> None:
    other = make_model(tmp_path / "other", channels=1)
    from saccade.engines.models import load_model

    fake_head = b'{"shape": [1, 1, 16, 16], "turned": false}\n'
    plan = fake_head + (other / "model.onnx").read_bytes()
    assert load_model(other).manifest.input.channels == 1
    with pytest.raises(PlanError, match=r"tensors are frame \[1, 1, 16, 16\], embedding \[1, 4\]"):
        TensorRtEngine(fake_platform(fake), model, {1: plan})


def test_memory_outlives_the_engine_while_somebody_holds_it() -> None:
    runner = _native.host_runner(_native.HostDevice(1, 1, 1, False))
    memory = runner.pinned(1 << 20)
    del runner
    memory[:] = 7
    assert memory.sum() == 7 << 20
