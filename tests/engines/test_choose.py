"""Which engine is taken: a pure function of what is present, with its reason; and what is asked."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.engines.fake_tensorrt import GPU, FakeTensorRt
from tests.engines.halves import add_fp16
from tests.models import make_model

from saccade.camera.errors import SaccadeError
from saccade.engines import choose as choosing
from saccade.engines.choose import (
    Choice,
    Found,
    Present,
    choose,
    engine_for,
    open_engine,
    precision_of,
    present,
)
from saccade.engines.engine import EngineError
from saccade.engines.gpu import driver_release
from saccade.engines.models import Model, load_model
from saccade.engines.onnx import OnnxEngine
from saccade.engines.tensorrt import platform

ALL = Present(
    no_gpu=None,
    onnx=Found("1.32.0"),
    openvino=Found("2026.4.1"),
    tensorrt=Found("10.3.0"),
    torch=Found("2.13.0"),
    torch_on_gpu=True,
)
NO_GPU = "no NVIDIA driver (libcuda.so.1) was found; install it"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return add_fp16(make_model(tmp_path / "halves"))


@pytest.mark.parametrize(
    ("change", "engine", "why"),
    [
        ({}, "tensorrt", "TensorRT 10.3.0"),
        (
            {"tensorrt": Found(fault="No module named 'tensorrt'; install it")},
            "torch",
            "torch 2.13.0; tensorrt: No module named 'tensorrt'",
        ),
        (
            {"tensorrt": Found(fault="too old"), "torch_on_gpu": False},
            "onnx",
            "ONNX Runtime 1.32.0; tensorrt: too old; torch: torch 2.13.0 is built without CUDA",
        ),
        (
            {"tensorrt": Found(fault="too old"), "torch": Found(fault="not installed; do")},
            "onnx",
            "ONNX Runtime 1.32.0; tensorrt: too old; torch: not installed",
        ),
        (
            {"no_gpu": NO_GPU, "tensorrt": Found(fault=NO_GPU)},
            "onnx",
            "ONNX Runtime 1.32.0; no GPU: no NVIDIA driver (libcuda.so.1) was found",
        ),
    ],
)
def test_auto_takes_the_fastest_that_can_be_used_and_says_why(change, engine, why) -> None:
    choice = choose("auto", replace(ALL, **change))
    assert (choice.engine, choice.why) == (engine, why)
    assert choice.on_gpu == (engine != "onnx")


@pytest.mark.parametrize(
    ("change", "precision", "engine", "why"),
    [
        ({}, "int8", "openvino", "OpenVINO 2026.4.1; no GPU: no NVIDIA driver"),
        ({}, "fp32", "onnx", "ONNX Runtime 1.32.0; no GPU: no NVIDIA driver"),
        ({}, None, "onnx", "ONNX Runtime 1.32.0; no GPU: no NVIDIA driver"),
        (
            {"openvino": Found(fault="not installed; do")},
            "int8",
            "onnx",
            "ONNX Runtime 1.32.0; no GPU: no NVIDIA driver; openvino: not installed",
        ),
        (
            {"no_qdq": "the model has no file; add it"},
            "int8",
            "onnx",
            "ONNX Runtime 1.32.0; no GPU: no NVIDIA driver; openvino: the model has no file",
        ),
    ],
)
def test_auto_on_a_cpu_takes_openvino_for_int8_where_it_can(change, precision, engine, why) -> None:
    absent = replace(ALL, no_gpu="no NVIDIA driver; install it", **change)
    choice = choose("auto", absent, precision)
    assert (choice.engine, choice.why, choice.on_gpu) == (engine, why, False)
    assert choose("auto", ALL, precision).engine == "tensorrt"


@pytest.mark.parametrize(
    ("change", "precision", "engine", "why"),
    [
        ({}, "bf16", "torch", "torch 2.13.0; tensorrt: it has no bf16"),
        (
            {"tensorrt": Found(fault="too old; update it")},
            "int8",
            "openvino",
            "OpenVINO 2026.4.1; tensorrt: too old; torch: it has no int8",
        ),
        (
            {"torch": Found(fault="not installed; do")},
            "bf16",
            "openvino",
            "OpenVINO 2026.4.1; tensorrt: it has no bf16; torch: not installed",
        ),
        ({"no_qdq": "no file; add it"}, "bf16", "torch", "torch 2.13.0; tensorrt: it has no bf16"),
    ],
)
def test_auto_passes_over_what_has_not_the_precision(change, precision, engine, why) -> None:
    choice = choose("auto", replace(ALL, **change), precision)
    assert (choice.engine, choice.why) == (engine, why)
    absent = replace(ALL, openvino=Found(fault="not here; do"), no_gpu="no driver; install it")
    with pytest.raises(EngineError, match=r"openvino: not here; onnx: it has no bf16\)"):
        choose("auto", absent, "bf16")
    assert choose("auto", ALL, "half").engine == "tensorrt"  # which then refuses it


def test_a_named_engine_is_taken_or_refused_and_nothing_in_its_place() -> None:
    absent = replace(ALL, tensorrt=Found(fault="not here; install it"), torch_on_gpu=False)
    with pytest.raises(EngineError, match="engine tensorrt: not here; install it"):
        choose("tensorrt", absent)
    assert choose("torch", absent) == Choice("torch", "as asked for", on_gpu=False)
    assert choose("onnx", absent).engine == "onnx"
    with pytest.raises(EngineError, match="engine 'cuda': use auto, onnx, openvino, tensorrt"):
        choose("cuda", ALL)
    assert choose("openvino", absent) == Choice("openvino", "as asked for", on_gpu=False)
    nothing = Present(NO_GPU, *[Found(fault="not here; install it")] * 4, torch_on_gpu=False)
    with pytest.raises(EngineError, match=r"none can be used \(no GPU: .*; onnx: not here\)"):
        choose("auto", nothing)


def test_precision(model, tmp_path) -> None:
    plain = load_model(make_model(tmp_path / "plain"))
    gpu, cpu = Choice("tensorrt", "", on_gpu=True), Choice("onnx", "", on_gpu=False)
    assert precision_of(None, model, gpu) == "fp16"
    assert precision_of(None, plain, gpu) == "fp32"
    assert precision_of(None, plain, replace(gpu, engine="torch")) == "fp16"
    assert precision_of(None, model, cpu) == "fp32"
    assert precision_of("int8", model, cpu) == "int8"
    with pytest.raises(EngineError, match="precision 'half': engine onnx has fp32, fp16, int8"):
        precision_of("half", model, cpu)
    torch, openvino = (Choice(name, "", on_gpu=False) for name in ("torch", "openvino"))
    assert precision_of(None, model, openvino) == "fp32"
    assert precision_of("int8", model, openvino) == "int8"
    for choice in (torch, openvino):
        assert precision_of("bf16", model, choice) == "bf16"
    for choice, precision in ((torch, "int8"), (gpu, "bf16"), (cpu, "bf16"), (openvino, "fp16")):
        with pytest.raises(EngineError, match=f"precision '{precision}': engine {choice.engine}"):
            precision_of(precision, model, choice)


def pretend_torch(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str | None) -> None:
    """Torch with this `version.py`, or none."""
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text("raise RuntimeError('it shall not be imported')")
    (folder / "version.py").write_text(version or "")
    find = importlib.util.find_spec

    def found(name: str) -> Any:
        if name != "torch":
            return find(name)
        spec = importlib.machinery.ModuleSpec("torch", None, origin=str(folder / "__init__.py"))
        return None if version is None else spec

    monkeypatch.setattr(choosing.importlib.util, "find_spec", found)
    monkeypatch.setattr(choosing, "version", lambda name: {"torch": "2.13.0"}.get(name, "1.32.0"))


def test_what_is_present_is_found_without_loading_it(model, monkeypatch, tmp_path) -> None:
    fake = FakeTensorRt("10.3.0")
    monkeypatch.setitem(sys.modules, "tensorrt", fake)
    pretend_torch(monkeypatch, tmp_path / "torch", "cuda: Optional[str] = '13.0'\n")
    monkeypatch.setattr(choosing, "why_no_gpu", lambda: NO_GPU)
    monkeypatch.setattr(platform, "why_no_gpu", lambda: NO_GPU)
    found = present(model)
    assert found.no_gpu == found.tensorrt.fault == NO_GPU
    assert found.torch_on_gpu
    assert "no weights for torch (weights.safetensors); add it with" in str(found.torch.fault)
    for module in (choosing, platform):
        monkeypatch.setattr(module, "why_no_gpu", lambda: None)
    monkeypatch.setattr(platform, "why_no_kernels", lambda: None)
    monkeypatch.setattr(platform, "find_gpu", lambda: GPU)
    assert present(model).tensorrt == Found("10.3.0")
    model.manifest.files["weights.safetensors"] = "0"
    pretend_torch(monkeypatch, tmp_path / "torch", "cuda: Optional[str] = None\n")
    found = present(model)
    assert (found.torch, found.torch_on_gpu) == (Found("2.13.0"), False)
    pretend_torch(monkeypatch, tmp_path / "torch", None)
    assert "torch is not installed; `pip install" in str(present(model).torch.fault)
    monkeypatch.setattr(choosing, "why_no_gpu", lambda: pytest.fail("the driver was asked"))
    found = present(model, "onnx")
    assert (found.onnx.version, found.onnx.fault) == ("1.32.0", None)
    assert found.tensorrt.fault == found.torch.fault == found.no_gpu == "not looked for"
    assert fake.objects == 0


def test_openvino_is_found_and_whether_its_int8_would_be_fast(model, monkeypatch) -> None:
    monkeypatch.setattr(choosing.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(choosing, "version", {"openvino": "2026.4.1"}.__getitem__)
    found = present(model, "openvino")
    assert (found.openvino, found.onnx.fault) == (Found("2026.4.1"), "not looked for")
    assert "the model has no model.int8-qdq.onnx; add it again" in str(found.no_qdq)
    model.manifest.files["model.int8-qdq.onnx"] = "0"
    assert present(model, "openvino").no_qdq is None
    monkeypatch.setattr(choosing.platform, "machine", lambda: "aarch64")
    assert "not measured on aarch64" in str(present(model, "openvino").no_qdq)

    def absent(name: str) -> str:
        raise choosing.PackageNotFoundError(name)

    monkeypatch.setattr(choosing, "version", absent)
    fault = present(model, "openvino").openvino.fault
    assert fault == "not installed; `pip install 'saccade[openvino]'`"


def test_an_engine_by_name(model) -> None:
    engine, note = engine_for("onnx", model, batch=2)
    assert (type(engine), note, len(engine.input)) == (OnnxEngine, "onnx fp32 (as asked for)", 2)
    assert engine_for(engine, model) == (engine, "the caller's")
    with pytest.raises(SaccadeError, match="int8"):
        engine_for("onnx", model, "int8")
    choice = choose("onnx", ALL)
    assert open_engine(model, choice, threads=1).output.shape == (1, 4)


def test_the_drivers_release_is_read_from_what_kernels_say() -> None:
    said = {
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19": "535.104.05",
        "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release": "540.4.0",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65\nGCC 12.3.0": "580.65",
        "something else": "",
        "": "",
    }
    assert {text: driver_release(text) for text in said} == said
