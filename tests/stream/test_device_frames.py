"""Frames made at the engine's input on its device, and labels from there, change no label.

The device is played by the host and TensorRT by a module of the tests; on a GPU where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engines.fake_tensorrt import FakeTensorRt, fake_platform
from tests.engines.halves import add_fp16
from tests.models import make_model
from tests.recordings import HEIGHT, WIDTH, quarters

from saccade.camera.cuda import why_unavailable
from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.events import Packet
from saccade.camera.filters import FilterSpec
from saccade.camera.writers import open_writer
from saccade.engines.models import Model
from saccade.engines.onnx import OnnxEngine
from saccade.engines.scoring import LabelScorer
from saccade.engines.tensorrt.open import open_tensorrt
from saccade.engines.tensorrt.runtime import TensorRtEngine
from saccade.stream.device_stages import DeviceFrames
from saccade.stream.heartbeat import Heartbeat
from saccade.stream.pipeline import Pipeline
from saccade.stream.placing import Facts, choose_frames

FORMATS = ("evt3", "evt2", "aedat4", "csv")


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return add_fp16(make_model(tmp_path_factory.mktemp("models") / "halves", channels=3))


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


def open_engine(model: Model, precision: str = "fp32") -> TensorRtEngine:
    return open_tensorrt(model, 1, precision, platform=fake_platform(FakeTensorRt()))


@pytest.fixture(scope="module")
def engine(halves: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorRtEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SACCADE_HOME", str(tmp_path_factory.mktemp("home")))
        engine = open_engine(halves)
    yield engine
    engine.close()


@pytest.fixture(scope="module", params=FORMATS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("device") / f"a.{request.param}"
    with open_writer(path, WIDTH, HEIGHT, request.param) as writer:
        for packet in quarters():
            writer.write(packet)
    return path


@pytest.fixture(scope="module")
def evt3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evt3") / "a.evt3"
    with open_writer(path, WIDTH, HEIGHT, "evt3") as writer:
        for packet in quarters():
            writer.write(packet)
    return path


def run(source: Path, frames: str, engine: Any, **options: Any) -> tuple[list[Any], list[Any]]:
    """What the predictions and the summary say exactly, and the numbers beside it."""
    said: list[Any] = []
    numbers: list[Any] = []
    pipeline = Pipeline(source, engine=engine, frames=frames, **options)
    assert isinstance(pipeline._source.frame_maker, DeviceFrames) == (frames == "cuda")
    try:
        for p in pipeline:
            window = (p.seq, p.t_begin_us, p.t_end_us, p.t_last_us, p.n_events)
            said.append((window, p.labels, p.groups, p.vocabulary_rev, p.dropped))
            numbers.append((p.scores, p.embedding, p.frame))
    except RecordingError as error:
        said.append(str(error))
    total = pipeline.summary
    accounts = [total.events_in, total.events_published, total.dropped, total.slices]
    return [*said, *accounts, total.filtered, total.saturated], numbers


def check_same(source: Path, engine: Any, reference: Any, **options: Any) -> list[Any]:
    """Labels and accounts are one and the same with frames of the device and of the CPU."""
    found, numbers = run(source, "cuda", engine, **options)
    wanted, others = run(source, "cpu", reference, **options)
    assert found == wanted
    for mine, theirs in zip(numbers, others, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {"window": "7ms"},
        {"window": "300us", "top": 2},
        {"count": 1111},
        {"window": "20ms", "stride": "10ms"},
        {"window": "10ms", "stride": "25ms", "frame": "signed"},
        {"start": "100ms", "stop": "250ms", "frame": "clamped"},
        {"filters": FilterSpec(roi=(5, 5, 40, 30)), "max_rate": 60_000},
        {"scores": "cosine"},
        {"unknown": 0.6},
        {"smooth": "20ms"},
        {"vote": 3},
        {"labels": "side: left, right; top"},
    ],
)  # fmt: skip
def test_labels_and_accounts_are_the_same(source, halves, engine, options) -> None:
    found = check_same(source, engine, OnnxEngine(halves), model=halves, **options)
    assert len(found) > 10


def test_so_are_those_of_a_damaged_recording(source, halves, engine, tmp_path) -> None:
    damaged = tmp_path / source.name
    data = source.read_bytes()
    damaged.write_bytes(data[: len(data) * 2 // 3 | 1])
    check_same(damaged, engine, OnnxEngine(halves), model=halves)


def test_real_recordings_have_the_same_labels(shared_data: Path, halves, engine) -> None:
    found = shared_data / "recordings"
    for path in (found / "aedat4", found / "evt3", found / "evt2"):
        first = min(path.iterdir(), key=lambda p: p.stat().st_size)
        check_same(first, engine, OnnxEngine(halves), model=halves, window="2ms")


def test_an_encoder_of_16_bits_sees_the_frame_rounded(evt3, halves, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SACCADE_HOME", str(tmp_path))
    engine = open_engine(halves, "fp16")
    (found, numbers), (wanted, others) = (
        run(evt3, f, engine, model=halves) for f in ("cuda", "cpu")
    )
    assert [said[0] for said in found[:14]] == [said[0] for said in wanted[:14]]
    for mine, theirs in zip(numbers, others, strict=True):
        assert mine[2].dtype == np.float32
        np.testing.assert_allclose(mine[2], theirs[2].astype(np.float16), atol=1e-3)
        np.testing.assert_allclose(mine[1], theirs[1], atol=5e-3)
    engine.close()


@pytest.mark.parametrize("frames", ["cuda", "cpu"])
def test_the_device_scores_what_is_plain(evt3, halves, engine, frames, monkeypatch) -> None:
    monkeypatch.setattr(LabelScorer, "__call__", lambda *_: pytest.fail("scored on the host"))
    predictions = list(Pipeline(evt3, model=halves, engine=engine, frames=frames, window="10ms"))
    assert len(predictions) == 40
    assert [p.labels[0] for p in predictions[5::10]] == ["left", "right", "top", "bottom"]
    assert all(sum(p.scores) == pytest.approx(1) for p in predictions)


@pytest.mark.parametrize("frames", ["cuda", "cpu"])
def test_words_change_while_it_runs(evt3, halves, engine, frames) -> None:
    """Between those that the device scores and those of groups and synonyms, which the host does.

    The words of a prediction are those of its revision, and its scores are theirs.
    """
    lists = ["left,right", "side: left, right; top", "top,bottom,left", "left | right, top"]
    words_of = {0: ("left", "right", "top", "bottom")}
    pipeline = Pipeline(evt3, model=halves, engine=engine, frames=frames, window="1ms", top=4)
    seen = set()
    for prediction in pipeline:
        names = words_of[prediction.vocabulary_rev]
        seen.add(prediction.vocabulary_rev)
        assert prediction.bank.names == names
        assert set(prediction.labels) == set(names)
        scorer = pipeline.words._revision(0, prediction.bank).scorer
        wanted = dict(zip(*scorer(prediction.embedding), strict=True))
        for label, score in zip(prediction.labels, prediction.scores, strict=True):
            assert score == pytest.approx(wanted[label], abs=1e-5)
        assert bool(prediction.groups) == bool(prediction.bank.groups)
        if prediction.seq % 40 == 20:
            rev = pipeline.set_labels(lists[prediction.seq // 40 % 4])
            words_of[rev] = pipeline.bank.names
    assert len(seen) > 8


def test_a_full_counter_is_in_the_summary(halves, engine, tmp_path) -> None:
    path = tmp_path / "a.aedat4"
    n = 65_535 + 465
    same = np.full(n, 3, np.uint16)
    with open_writer(path, WIDTH, HEIGHT, "aedat4") as writer:
        writer.write(Packet(np.arange(n, dtype=np.uint64) // 10, same, same, np.ones(n, bool)))
    found = check_same(path, engine, OnnxEngine(halves), model=halves, window="1s")
    assert found[-1] == 465


def test_a_run_that_is_broken_off_is_accounted_for(source, halves, engine) -> None:
    pipeline = Pipeline(source, model=halves, engine=engine, frames="cuda", window="1ms")
    for prediction in pipeline:
        if prediction.seq == 30:
            break
    pipeline.close()
    total = pipeline.summary
    assert total.events_in == total.events_published + sum(total.dropped.values())
    # What was on its way is in no frame of the next run.
    check_same(source, engine, OnnxEngine(halves), model=halves)


def test_slices_that_come_too_late_leave_nothing_behind(
    source, halves, engine, monkeypatch
) -> None:
    """At a set speed an encoder that is too slow: each frame is still that of its own slice."""
    whole = Pipeline(source, model=halves, window="1ms", engine=OnnxEngine(halves))
    wanted = {p.t_begin_us: p.frame for p in whole}
    original = type(engine).run_on_device

    def slow(self: TensorRtEngine, n: int, stream: int) -> None:
        time.sleep(0.02)
        original(self, n, stream)

    monkeypatch.setattr(type(engine), "run_on_device", slow)
    pipeline = Pipeline(source, model=halves, engine=engine, frames="cuda", window="1ms", speed=1.0)
    found = list(pipeline)
    total = pipeline.summary
    assert total.dropped["queue"] > 0
    assert total.events_in == total.events_published + sum(total.dropped.values()) == 20_000
    for prediction in found:
        np.testing.assert_allclose(prediction.frame, wanted[prediction.t_begin_us], atol=1e-6)


# --- Where frames are made.

FITS = Facts(None, None, 1280, 720, 3, "evt3")


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "cuda (the device decodes the EVT3 words)"),
        ({"words": "evt2"}, "cuda (the device decodes the EVT2 words)"),
        ({"words": None}, "cuda (events are decoded on the CPU)"),
        ({"engine_fault": "the engine is on the host"}, "cpu (the engine is on the host)"),
        ({"cuda_fault": "no GPU; install one"}, "cpu (no GPU)"),
        ({"height": 2049}, "cpu (sensor 1280x2049: sides may be 2048 pixels on a GPU)"),
        ({"channels": 4}, "cpu (4 channels: up to 3 on a GPU)"),
    ],
)  # fmt: skip
def test_the_place_follows_from_what_is_present(changes, note) -> None:
    facts = replace(FITS, **changes)
    assert choose_frames("auto", facts).note == note
    assert choose_frames("cpu", facts).note == "cpu (as asked for)"
    if note.startswith("cuda"):
        assert choose_frames("cuda", facts).note == note
        return
    with pytest.raises(SaccadeError, match=r"^frames cuda: .*; use --frames cpu$") as error:
        choose_frames("cuda", facts)
    assert note[5:-1] in str(error.value)


def test_an_engine_without_an_address_has_the_cpus_frames(evt3, halves) -> None:
    with Pipeline(evt3, model=halves, engine="onnx") as pipeline:
        assert pipeline.frames_note == "cpu (the engine takes frames from the host)"
        assert len(list(pipeline)) == 14
        assert Heartbeat(pipeline, 0.0)().frames == pipeline.frames_note
    with pytest.raises(SaccadeError, match="frames cuda: the engine takes frames from the host"):
        Pipeline(evt3, model=halves, engine="onnx", frames="cuda")
    with pytest.raises(SaccadeError, match="frames 'gpu': use auto, cpu, cuda"):
        Pipeline(evt3, model=halves, engine="onnx", frames="gpu")


def test_what_the_device_is_given_is_said(source, halves, engine) -> None:
    for options, words in (
        ({}, True),
        ({"count": 100}, False),
        ({"stride": "10ms", "window": "20ms"}, False),
        ({"start": "100ms"}, False),
        ({"loop": True}, False),
        ({"filters": FilterSpec(roi=(0, 0, 10, 10))}, False),
    ):
        with Pipeline(source, model=halves, engine=engine, **options) as pipeline:
            note = pipeline.frames_note
        raw = words and source.suffix in (".evt2", ".evt3")
        what = f"the device decodes the {source.suffix[1:].upper()} words"
        assert note == f"cuda ({what if raw else 'events are decoded on the CPU'})"


@pytest.mark.gpu
def test_a_gpu_makes_the_same_labels(source, halves, tmp_path) -> None:
    """With TensorRT where it is installed, in whole or from raw words."""
    pytest.importorskip("tensorrt", reason="needs TensorRT")
    assert why_unavailable() is None
    engine = open_tensorrt(halves, 1, "fp32")
    for options in ({"window": "7ms"}, {"count": 1111}):
        found, numbers = run(source, "cuda", engine, model=halves, **options)
        wanted, others = run(source, "cpu", OnnxEngine(halves), model=halves, **options)
        assert found[-6:] == wanted[-6:]
        for mine, theirs in zip(numbers, others, strict=True):
            np.testing.assert_allclose(mine[2], theirs[2], atol=1e-6)
            np.testing.assert_allclose(mine[1], theirs[1], atol=1e-3)
    engine.close()
