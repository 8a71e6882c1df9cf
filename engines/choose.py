"""Chooses an engine by what is present, says why, and opens it. There is no fallback behind it."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, get_args

from saccade.camera.cuda_device import why_no_gpu
from saccade.engines.engine import USUAL_BATCH, Engine, EngineError
from saccade.engines.manifest import encoder_file
from saccade.engines.models import Model
from saccade.engines.reporting import Report, silent

EngineName = Literal["onnx", "openvino", "tensorrt", "torch"]
#: No model has a file of bf16: torch and OpenVINO make it of fp32.
EnginePrecision = Literal["fp32", "fp16", "bf16", "int8"]
#: What `auto` tries, the fastest first.
ORDER: tuple[EngineName, ...] = ("tensorrt", "torch", "openvino", "onnx")
#: What each can compute in.
PRECISIONS: dict[EngineName, tuple[EnginePrecision, ...]] = {
    "tensorrt": ("fp32", "fp16", "int8"),
    "torch": ("fp32", "fp16", "bf16"),
    "openvino": ("fp32", "bf16", "int8"),
    "onnx": ("fp32", "fp16", "int8"),
}
_TORCH_INSTALL = "`pip install 'saccade[torch]'`"


@dataclass(frozen=True, slots=True)
class Found:
    """A runtime: its version where it is installed, and why it cannot be used (None: it can)."""

    version: str = ""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """What is present on this machine, for one model.

    Attributes:
        no_gpu: why there is no GPU to use; None where there is one.
        onnx, openvino, tensorrt, torch: the runtimes. TensorRT's is at fault without a GPU; torch's
            is not, as it has a CPU's.
        torch_on_gpu: torch was built for GPUs.
        no_qdq: why OpenVINO has no int8 of the model, or is not faster there; None where it is.
    """

    no_gpu: str | None
    onnx: Found
    openvino: Found
    tensorrt: Found
    torch: Found
    torch_on_gpu: bool
    no_qdq: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and why it was chosen, in words for a person.

    Attributes:
        engine: which.
        why: the reason.
        on_gpu: it works on a GPU here.
    """

    engine: EngineName
    why: str
    on_gpu: bool


def choose(wanted: str, present: Present, precision: str | None = None) -> Choice:
    """The engine of `--engine`: a named one, or with `auto` the first of `ORDER` that can be used.

    One that has not got the `precision` is passed over. On a CPU `auto` takes OpenVINO for int8,
    where it needs a tenth less time than ONNX Runtime (`benchmarks/engines.py`), and for bf16, and
    ONNX Runtime for all else.

    Raises:
        EngineError: the one that was named cannot be used, or there is none of this name.
    """
    if wanted == "auto":
        return _choose_first(present, precision)
    name = next((name for name in get_args(EngineName) if name == wanted), None)
    if name is None:
        raise EngineError(f"engine {wanted!r}: use auto, {', '.join(get_args(EngineName))}")
    found: Found = getattr(present, name)
    if found.fault is not None:
        raise EngineError(f"engine {name}: {found.fault}")
    return Choice(name, "as asked for", _on_gpu(name, present))


def _on_gpu(name: EngineName, present: Present) -> bool:
    here = present.no_gpu is None
    return here and (name == "tensorrt" or (name == "torch" and present.torch_on_gpu))


def _choose_first(present: Present, precision: str | None) -> Choice:
    reasons: list[str] = []
    for name in ORDER:
        if name == "openvino" and precision not in ("int8", "bf16"):
            continue
        found: Found = getattr(present, name)
        fault = found.fault
        if name in ("tensorrt", "torch") and present.no_gpu is not None:
            fault = present.no_gpu  # on a CPU the others are faster
        elif precision in get_args(EnginePrecision) and precision not in PRECISIONS[name]:
            fault = f"it has no {precision}"
        elif name == "openvino" and precision == "int8":
            fault = fault or present.no_qdq
        elif name == "torch" and fault is None and not present.torch_on_gpu:
            fault = f"torch {found.version} is built without CUDA"
        if fault is None:
            taken = f"{_TITLES[name]} {found.version}"
            return Choice(name, "; ".join([taken, *reasons]), _on_gpu(name, present))
        reason = fault.partition(";")[0]
        if f"no GPU: {reason}" not in reasons:
            reasons.append(f"no GPU: {reason}" if fault == present.no_gpu else f"{name}: {reason}")
    raise EngineError(f"engine auto: none can be used ({'; '.join(reasons)})")


_TITLES = {
    "onnx": "ONNX Runtime",
    "openvino": "OpenVINO",
    "tensorrt": "TensorRT",
    "torch": "torch",
}


def present(model: Model, wanted: str = "auto") -> Present:
    """What is here, as far as `--engine wanted` needs it: for `onnx` no driver is started.

    No library that needs a GPU is loaded where there is none.
    """
    looked_at = ORDER if wanted == "auto" else (wanted,)
    skipped = Found(fault="not looked for")
    torch, on_gpu = _find_torch(model) if "torch" in looked_at else (skipped, False)
    return Present(
        no_gpu=why_no_gpu() if {"tensorrt", "torch"} & {*looked_at} else skipped.fault,
        onnx=_find_onnx() if "onnx" in looked_at else skipped,
        openvino=_find_openvino() if "openvino" in looked_at else skipped,
        tensorrt=_find_tensorrt() if "tensorrt" in looked_at else skipped,
        torch=torch,
        torch_on_gpu=on_gpu,
        no_qdq=_why_no_qdq(model, platform.machine()),
    )


def _find_onnx() -> Found:
    try:
        return Found(version("onnxruntime"))
    except PackageNotFoundError:
        return Found(fault="not installed; `pip install onnxruntime`")


def _find_openvino() -> Found:
    try:
        return Found(version("openvino"))
    except PackageNotFoundError:
        return Found(fault="not installed; `pip install 'saccade[openvino]'`")


def _why_no_qdq(model: Model, machine: str) -> str | None:
    """Why OpenVINO is not `auto`'s engine for int8."""
    file = encoder_file("int8", qdq=True)
    if file not in model.manifest.files:
        return f"the model has no {file}; add it again with `saccade models add`"
    if machine.lower() not in ("x86_64", "amd64"):
        return f"its int8 was not measured on {machine}; name it with --engine openvino"
    return None


def _find_tensorrt() -> Found:
    from saccade.engines.tensorrt.platform import open_platform

    try:
        return Found(str(open_platform().trt.__version__))
    except EngineError as error:
        return Found(fault=str(error).removeprefix("engine tensorrt: "))


def _find_torch(model: Model) -> tuple[Found, bool]:
    """Torch, without its import of a second, and whether it was built for GPUs."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return Found(fault=f"torch is not installed; {_TORCH_INSTALL}"), False
    facts = Path(spec.origin).with_name("version.py")
    text = facts.read_text() if facts.is_file() else ""
    on_gpu = re.search(r"^cuda\b[^=]*=\s*['\"]", text, re.MULTILINE) is not None
    fault = None
    if "weights.safetensors" not in model.manifest.files:
        fault = (
            f"model {model.manifest.name} has no weights for torch (weights.safetensors); add it "
            "with `saccade models add`, or use --engine onnx"
        )
    return Found(version("torch"), fault), on_gpu


def precision_of(wanted: str | None, model: Model, choice: Choice) -> EnginePrecision:
    """The precision of `--precision`; by default the CPU's is fp32, a GPU's fp16 where it can be.

    Torch makes its own of the weights; the others need the model's file.

    Raises:
        EngineError: there is no precision of this name, or the engine has not got it.
    """
    if wanted is None:
        file_is_there = encoder_file("fp16") in model.manifest.files
        half = choice.on_gpu and (choice.engine == "torch" or file_is_there)
        return "fp16" if half else "fp32"
    has = PRECISIONS[choice.engine]
    if wanted not in has:
        raise EngineError(f"precision {wanted!r}: engine {choice.engine} has {', '.join(has)}")
    return wanted


def open_engine(
    model: Model,
    choice: Choice,
    batch: int | None = 1,
    precision: str | None = None,
    threads: int | None = None,
    report: Report = silent,
) -> Engine:
    """Opens what was chosen; TensorRT builds for minutes where it has no plan yet.

    Args:
        model, choice: what to open.
        batch: frames at a time; None: `USUAL_BATCH` where those cost nothing until they are needed,
            which is not with TensorRT, whose plans have the weights in them.
        precision: see `precision_of`.
        threads: of the CPU, where the engine works there.
        report: told what goes on.

    Raises:
        SaccadeError: the engine cannot run this model at this precision.
    """
    at = precision_of(precision, model, choice)
    if choice.engine == "torch":
        torch_engine: Any = importlib.import_module("saccade.engines.torch")
        return torch_engine.TorchEngine(
            model, batch=USUAL_BATCH if batch is None else batch, precision=at
        )
    if choice.engine == "openvino":
        from saccade.engines.openvino import OpenVinoEngine

        assert at != "fp16", "precision_of refuses it"
        return OpenVinoEngine(model, batch, threads, at)
    assert at != "bf16", "these have no file of it"
    if choice.engine == "tensorrt":
        from saccade.engines.tensorrt.open import open_tensorrt

        return open_tensorrt(model, 1 if batch is None else batch, at, report=report)
    from saccade.engines.onnx import OnnxEngine

    return OnnxEngine(model, batch, threads, at)


def engine_for(
    wanted: Engine | str,
    model: Model,
    precision: str | None = None,
    batch: int | None = 1,
    report: Report = silent,
) -> tuple[Engine, str]:
    """An engine by the name that `--engine` takes, and a line that says which it is and why.

    One that is open already is given back.

    Raises:
        SaccadeError: as `choose` and `open_engine`.
    """
    if not isinstance(wanted, str):
        return wanted, "the caller's"
    choice = choose(wanted, present(model, wanted), precision)
    engine = open_engine(model, choice, batch, precision, report=report)
    return engine, f"{choice.engine} {precision_of(precision, model, choice)} ({choice.why})"
