"""The OpenVINO engine: the CPU's fastest int8, and bf16 where the processor has it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.engine import (
    USUAL_BATCH,
    EngineError,
    OutputCheck,
    check_batch,
    check_frames,
)
from saccade.engines.host import check_first_run, check_fixed_batch, check_threads
from saccade.engines.manifest import Manifest, Precision, encoder_file
from saccade.engines.models import Model, ModelError

#: bf16 is of the float32 file, which OpenVINO rounds.
OpenVinoPrecision = Literal["fp32", "bf16", "int8"]
INSTALL = "`pip install 'saccade[openvino]'`"


class OpenVinoEngine:
    """An encoder in OpenVINO on the CPU, reading and writing buffers that it is given once."""

    def __init__(
        self,
        model: Model,
        batch: int | None = 1,
        threads: int | None = None,
        precision: OpenVinoPrecision = "fp32",
    ) -> None:
        """Compiles `model` for up to `batch` frames a run, 8 at most, on `threads` threads.

        `batch` None is `USUAL_BATCH`, or 1 where the model takes one frame alone; `threads` None is
        one per core, four at most.

        Raises:
            EngineError: OpenVINO is not installed, or a batch, a number of threads or a precision
                that this engine, or this processor, has not.
            ModelError: the model has no file of this precision, OpenVINO refuses it, its tensors
                are not the manifest's, or its embeddings are not L2-normalised.
        """
        check_batch(1 if batch is None else batch)
        threads = check_threads(threads)
        data, path = _read(model, precision)
        openvino = load_openvino()
        core: Any = openvino.Core()
        if precision == "bf16" and "BF16" not in core.get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            raise EngineError(
                "precision bf16: this processor has no bfloat16 (AVX512-BF16 or AMX); use "
                "--precision int8 or fp32"
            )
        manifest = model.manifest
        try:
            network: Any = core.read_model(data)
        except Exception as error:  # OpenVINO has no common base for what it raises
            raise _does_not_run(path, error) from None
        del data
        if batch is None:
            batch = 1 if _is_fixed(network) else USUAL_BATCH
        _check_tensors(path, manifest, network, batch)
        size = manifest.input.size
        self._input = np.zeros((batch, manifest.input.channels, size, size), np.float32)
        self._output = np.zeros((batch, manifest.embedding.dimension), np.float32)
        self._check = OutputCheck(self._output)
        try:
            # A free number of frames costs 2 % of a run of one, and saves copies of the weights.
            frames = openvino.Dimension(1, batch) if batch > 1 else 1
            network.reshape([frames, *self._input.shape[1:]])
            compiled: Any = core.compile_model(network, "CPU", _settings(precision, threads))
            self._requests = [self._bind(openvino, compiled, n) for n in range(1, batch + 1)]
            check_first_run(path, self._requests[0].infer, self._input, self._output)
        except ModelError:
            raise
        except Exception as error:
            raise _does_not_run(path, error) from None

    def _bind(self, openvino: Any, compiled: Any, n: int) -> Any:
        request = compiled.create_infer_request()
        request.set_input_tensor(openvino.Tensor(self._input[:n], shared_memory=True))
        request.set_output_tensor(openvino.Tensor(self._output[:n], shared_memory=True))
        return request

    @property
    def input(self) -> NDArray[np.float32]:
        """float32 [batch, channels, size, size]."""
        return self._input

    @property
    def output(self) -> NDArray[np.float32]:
        """float32 [batch, dimension], L2-normalised."""
        return self._output

    def run(self, n: int, stream: int = 0) -> None:
        """Encodes the first `n` frames; the GIL is released meanwhile.

        Raises:
            EngineError: an embedding is not finite.
        """
        if stream:
            raise ValueError(f"stream {stream}: this engine runs on the host and joins none")
        check_frames(n, len(self._requests))
        self._requests[n - 1].infer()
        self._check(n)

    def close(self) -> None:
        """Drops the compiled network, which its requests hold."""
        self._requests = []


def load_openvino() -> Any:
    """OpenVINO's module.

    Raises:
        EngineError: it is not installed, or does not load.
    """
    # Its converter comes with it and reports every import to a server, unless that is missing.
    silenced = "openvino" not in sys.modules and "openvino_telemetry" not in sys.modules
    if silenced:
        cast(dict[str, Any], sys.modules)["openvino_telemetry"] = None  # "not there"
    try:
        return importlib.import_module("openvino")
    except ModuleNotFoundError as error:
        if error.name != "openvino":
            raise EngineError(_does_not_load(error)) from None
        raise EngineError(f"engine openvino: OpenVINO is not installed; {INSTALL}") from None
    except Exception as error:  # a broken one fails in many ways
        raise EngineError(_does_not_load(error)) from None
    finally:
        if silenced:
            del sys.modules["openvino_telemetry"]


def _does_not_load(error: Exception) -> str:
    reason = printable(f"{error}".strip().partition("\n")[0]) or type(error).__name__
    return f"engine openvino: it does not load ({reason}); {INSTALL} again"


def _read(model: Model, precision: str) -> tuple[bytes, Path]:
    """The encoder's bytes at a precision that OpenVINO runs, and where they lie."""
    if precision not in get_args(OpenVinoPrecision):
        raise EngineError(
            f"precision {precision}: OpenVINO has {', '.join(get_args(OpenVinoPrecision))} on CPUs"
        )
    kept: Precision = "int8" if precision == "int8" else "fp32"
    file = encoder_file(kept, qdq=True)
    if kept == "int8" and file not in model.manifest.files:
        raise ModelError(
            f"{printable(str(model.folder))}: the model has no {file}, which OpenVINO's int8 "
            "needs; use --precision fp32 or --engine onnx, or add the model again: `saccade models "
            "add` makes one of a CLIP's weights"
        )
    return model.network(file), model.folder / file


def _settings(precision: str, threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        # Decoding and counting need the cores, too: the threads go where there is room. On a
        # machine with nothing else to do it is as fast.
        "ENABLE_CPU_PINNING": False,
    }


def _does_not_run(path: Path, error: Exception) -> ModelError:
    lines = [line.strip() for line in f"{error}".splitlines() if line.strip()]
    # Those before the last say where in its source it was found.
    reason = lines[-1] if lines else type(error).__name__
    return ModelError(printable(f"{path}: not a model that runs in OpenVINO ({reason})"))


def _is_fixed(network: Any) -> bool:
    """Whether a tensor states how many frames there are."""
    return any(t.partial_shape[0].is_static for t in (*network.inputs, *network.outputs))


def _check_tensors(path: Path, manifest: Manifest, network: Any, batch: int) -> None:
    size, dimension = manifest.input.size, manifest.embedding.dimension
    _check(path, batch, network.inputs, manifest.input.name, [manifest.input.channels, size, size])
    _check(path, batch, network.outputs, manifest.embedding.name, [dimension])


def _check(path: Path, batch: int, tensors: list[Any], name: str, wanted: list[int]) -> None:
    """Refuses `tensors` unless they are one float32 [N, *wanted] that takes 1 to `batch`."""
    where = printable(str(path))
    shapes = [list(t.partial_shape)[1:] for t in tensors]
    if not (
        len(tensors) == 1
        and name in tensors[0].names
        and tensors[0].element_type.get_type_name() == "f32"
        and shapes[0] == wanted
    ):
        have = ", ".join(
            f"{t.any_name} {t.element_type.get_type_name()} {t.partial_shape}" for t in tensors
        )
        raise ModelError(
            f"{where}: {printable(have)} is not the manifest's {name} float32 "
            f"[N, {', '.join(map(str, wanted))}] alone; correct model.toml"
        )
    n = tensors[0].partial_shape[0]
    if n.is_static:
        check_fixed_batch(path, name, n.get_length(), batch)
