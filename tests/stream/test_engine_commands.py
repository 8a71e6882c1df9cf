"""`saccade engine`, and `--engine` of `saccade run`, with a module that plays TensorRT."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.engines.fake_tensorrt import FakeTensorRt, fake_platform
from tests.engines.halves import add_fp16
from tests.models import make_model
from tests.recordings import write_quarters

import saccade
from saccade.camera.errors import SaccadeError
from saccade.engines import choose as choosing
from saccade.engines.tensorrt import open as opening
from saccade.engines.tensorrt import platform
from saccade.stream.cli import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SACCADE_HOME", str(tmp_path / "home"))
    return add_fp16(make_model(tmp_path / "halves")).folder


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRt:
    """A GPU with TensorRT, as far as anybody asks."""
    fake = FakeTensorRt()
    here = fake_platform(fake)
    for module in (platform, opening):
        monkeypatch.setattr(module, "open_platform", lambda: here)
    monkeypatch.setattr(choosing, "why_no_gpu", lambda: None)
    return fake


def saccade_command(*arguments: object) -> None:
    app([str(a) for a in arguments], standalone_mode=False)


def test_build_list_verify_and_clean(folder, fake, capsys) -> None:
    saccade_command("engine", "build", folder, "--batch", 2)
    out, err = capsys.readouterr()
    assert "building halves fp16, batch 1" in err.splitlines()
    assert "asking the reference engine" in err.splitlines()
    lines = out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("halves  fp16  batch 2  ")
    assert "cosine 0.99" in lines[1] or "cosine 1.0" in lines[1]
    assert "TensorRT 10.3.0  NVIDIA Playback 9000" in lines[1]
    saccade_command("engine", "list")
    assert capsys.readouterr().out == out
    saccade_command("engine", "list", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["key"]["shape"][0] for row in rows] == [1, 2]
    assert not any(row["damaged"] for row in rows)
    saccade_command("engine", "verify", folder, "--engine", "tensorrt", "--batch", 2)
    assert "halves, engine tensorrt fp16 (as asked for): cosine " in capsys.readouterr().out
    assert len(fake.built) == 2
    Path(rows[0]["file"]).write_bytes(b"damaged")
    saccade_command("engine", "list")
    assert "damaged: it is built again when needed" in capsys.readouterr().out
    saccade_command("engine", "clean", "--unusable")
    assert capsys.readouterr().out.startswith("1 files removed")
    fake.__version__ = "10.4.0"
    saccade_command("engine", "clean", "--unusable")
    assert capsys.readouterr().out.startswith("2 files removed")  # and the timing cache
    saccade_command("engine", "clean")
    assert capsys.readouterr().out.startswith("0 files removed")
    saccade_command("engine", "list")
    assert "nothing was built yet" in capsys.readouterr().out


def test_an_engine_that_disagrees_is_refused(folder, fake) -> None:
    saccade_command("engine", "build", folder)
    fake.faults["turn"] = 1
    with pytest.raises(SaccadeError, match="halves fp16, batch 2: .* cosine"):
        saccade_command("engine", "build", folder, "--batch", 2)


def test_without_a_gpu_each_command_says_so(folder, capsys) -> None:
    for command in (["build", folder], ["verify", folder, "--engine", "tensorrt"]):
        with pytest.raises(SaccadeError, match="engine tensorrt: .*install it"):
            saccade_command("engine", *command)
    with pytest.raises(SaccadeError, match="engine tensorrt: .*install it"):
        saccade_command("engine", "clean", "--unusable")
    saccade_command("engine", "verify", folder)
    assert "engine onnx fp32 (ONNX Runtime " in capsys.readouterr().out


def test_a_run_says_which_engine_it_has_and_why(folder, fake, tmp_path, capsys) -> None:
    recording = write_quarters(tmp_path / "quarters.npz")
    saccade_command("run", recording, "--model", folder, "--speed", "max")
    out, err = capsys.readouterr()
    assert "engine tensorrt fp16 (TensorRT 10.3.0)\n" in out
    assert "building halves fp16, batch 1" in err
    saccade_command("run", recording, "--model", folder, "--speed", "max", "--engine", "onnx")
    assert "engine onnx fp32 (as asked for)\n" in capsys.readouterr().out
    saccade_command(
        "run", recording, "--model", folder, "--speed", "max", "--engine", "tensorrt",
        "--precision", "fp32",
    )  # fmt: skip
    assert "engine tensorrt fp32 (as asked for)\n" in capsys.readouterr().out


def test_engines_give_the_same_labels(folder, fake, tmp_path) -> None:
    recording = write_quarters(tmp_path / "quarters.npz")
    found: list[list[str]] = []
    for engine in ("onnx", "tensorrt"):
        with saccade.Pipeline(recording, model=folder, engine=engine) as pipeline:
            found.append([prediction.labels[0] for prediction in pipeline])
    assert found[0] == found[1]
    assert len(set(found[0])) > 1
