"""The ONNX Runtime engine: the CPU's, and the reference that other engines are compared with."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

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


class OnnxEngine:
    """An encoder in ONNX Runtime on the CPU, reading and writing buffers that it is given once."""

    def __init__(
        self,
        model: Model,
        batch: int | None = 1,
        threads: int | None = None,
        precision: Precision = "fp32",
    ) -> None:
        """Loads `model` for up to `batch` frames a run, 8 at most, on `threads` threads.

        `batch` None is `USUAL_BATCH`, or 1 where the model takes one frame alone.
        The default is one thread per core, four at most: the encoders here stop gaining there.
        int8 takes a third of a CLIP's time (see `clip/quantise.py`); fp16 is not for CPUs.

        Raises:
            EngineError: a batch, a number of threads or a precision that this engine has not.
            ModelError: the model has no file of this precision, ONNX Runtime refuses it, its
                tensors are not the manifest's, or its embeddings are not L2-normalised.
        """
        check_batch(1 if batch is None else batch)
        threads = check_threads(threads)
        data = _read(model, precision)
        path = model.folder / encoder_file(precision)
        # ONNX Runtime takes 100 ms to import: `saccade --help` must not wait for it.
        onnxruntime: Any = importlib.import_module("onnxruntime")
        options = _options(onnxruntime, threads)
        try:
            session: Any = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common base for what it raises
            raise _does_not_run(path, error) from None
        manifest = model.manifest
        if batch is None:
            batch = 1 if _is_fixed(session) else USUAL_BATCH
        _check_tensors(path, manifest, session, batch)
        size = manifest.input.size
        self._input = np.zeros((batch, manifest.input.channels, size, size), np.float32)
        self._output = np.zeros((batch, manifest.embedding.dimension), np.float32)
        self._check = OutputCheck(self._output)
        self._names = manifest.input.name, manifest.embedding.name
        self._session: Any = session
        self._bindings = [self._bind(n) for n in range(1, batch + 1)]
        self._try(path)

    def _try(self, path: Path) -> None:
        def run() -> None:
            try:
                self._session.run_with_iobinding(self._bindings[0])
            except Exception as error:
                raise _does_not_run(path, error) from None

        check_first_run(path, run, self._input, self._output)

    def _bind(self, n: int) -> Any:
        binding = self._session.io_binding()
        for bind, name, array in (
            (binding.bind_input, self._names[0], self._input[:n]),
            (binding.bind_output, self._names[1], self._output[:n]),
        ):
            bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

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
        check_frames(n, len(self._bindings))
        self._session.run_with_iobinding(self._bindings[n - 1])
        self._check(n)

    def close(self) -> None:
        """Drops the session."""
        self._bindings = []
        self._session = None


def _read(model: Model, precision: Precision) -> bytes:
    """The encoder's bytes at a precision that a CPU runs."""
    file = encoder_file(precision)
    if precision == "fp16":
        # CPUs convert float16 to float32 and back around every layer, so it is slower than fp32,
        # and ONNX Runtime 1.32 crashes on our files at its highest level.
        raise EngineError(
            "precision fp16: ONNX Runtime has no fast float16 on CPUs; use --precision int8 or "
            "fp32, or --engine tensorrt or torch on a GPU"
        )
    if precision != "fp32" and file not in model.manifest.files:
        raise ModelError(
            f"{printable(str(model.folder))}: the model has no {file}; use --precision fp32, or "
            "export it: `saccade models add` makes one of a CLIP's weights"
        )
    return model.onnx(precision)


def _options(onnxruntime: Any, threads: int) -> Any:
    """How a session is to run; times are CPU ms of one run: saccade-mini fp32, ViT-B/32 int8."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Encoders are chains: nothing in them runs beside anything.
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # All of its fusions: 3.0 and 30 ms; 3.7 and 30 at EXTENDED, without the convolutions that
    # take channels in blocks of 16; 3.7 and 34 at BASIC.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # The arena keeps what a run needed for the next: 31.5 ms without it, and the same memory. The
    # pattern of a run's allocations changes neither.
    options.enable_cpu_mem_arena = options.enable_mem_pattern = True
    # Idle threads sleep rather than spin: decoding and counting need the cores between frames. With
    # every core busy spinning made a ViT-B/32 several times slower (51 CPU ms for 30); on a
    # quieter machine it won a tenth.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Threads take a quarter of their share at a time, so that one that another process holds up
    # keeps nobody waiting with a whole one: on busy cores p90 of saccade-mini fell from 14 to 8 ms.
    options.add_session_config_entry("session.dynamic_block_base", "4")
    # Only what is fatal: the rest is in the exceptions, which become one line each.
    options.log_severity_level = 4
    # By default it guesses from the bytes, and its own format is not what `Model` has checked.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _does_not_run(path: Path, error: Exception) -> ModelError:
    reason = f"{error}".strip().partition("\n")[0]
    return ModelError(printable(f"{path}: not a model that runs ({reason})"))


def _is_fixed(session: Any) -> bool:
    """Whether a tensor states how many frames there are."""
    return any(isinstance(t.shape[0], int) for t in (*session.get_inputs(), *session.get_outputs()))


def _check_tensors(path: Path, manifest: Manifest, session: Any, batch: int) -> None:
    size, dimension = manifest.input.size, manifest.embedding.dimension
    inputs, outputs = session.get_inputs(), session.get_outputs()
    _check(path, batch, inputs, manifest.input.name, [manifest.input.channels, size, size])
    _check(path, batch, outputs, manifest.embedding.name, [dimension])
    if len(inputs) != 1:
        raise ModelError(
            f"{printable(str(path))}: takes {len(inputs)} inputs; export it with the "
            "frames as its only one"
        )


def _check(path: Path, batch: int, tensors: list[Any], name: str, wanted: list[int]) -> None:
    """Refuses `tensors` without a float32 [N, *wanted] of this name that takes 1 to `batch`."""
    where = printable(str(path))
    found = next((t for t in tensors if t.name == name), None)
    if found is None or found.type != "tensor(float)" or found.shape[1:] != wanted:
        have = ", ".join(f"{t.name} {t.type} {t.shape}" for t in tensors)
        raise ModelError(
            f"{where}: {printable(have)} is not the manifest's {name} tensor(float) "
            f"[N, {', '.join(map(str, wanted))}]; correct model.toml"
        )
    n = found.shape[0]
    if isinstance(n, int):
        check_fixed_batch(path, name, n, batch)
