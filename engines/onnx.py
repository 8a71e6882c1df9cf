"""The ONNX Runtime engine: the CPU's, and the reference that other engines are compared with."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import printable
from saccade.engines.manifest import Precision
from saccade.engines.models import Model, ModelError


class OnnxEngine:
    """An encoder in ONNX Runtime on the CPU, reading and writing buffers that it is given once."""

    def __init__(
        self,
        model: Model,
        batch: int = 1,
        threads: int | None = None,
        precision: Precision = "fp32",
    ) -> None:
        """Loads `model` for up to `batch` frames a run on `threads` threads.

        The default is one thread per core, four at most: the encoders here stop gaining there.

        Raises:
            ModelError: ONNX Runtime refuses the file, its tensors are not the manifest's, or it
                does not give L2-normalised embeddings.
        """
        if batch < 1 or (threads is not None and threads < 1):
            raise ModelError(f"batch {batch}, threads {threads}: each must be at least 1")
        data = model.onnx(precision)
        # ONNX Runtime takes 100 ms to import: `saccade --help` must not wait for it.
        onnxruntime: Any = importlib.import_module("onnxruntime")
        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(os.cpu_count() or 1, 4)
        options.inter_op_num_threads = 1
        # Idle threads must sleep, not spin: decoding and counting need the cores between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Only what is fatal: the rest is in the exceptions, which become one line each.
        options.log_severity_level = 4
        # By default it guesses from the bytes, and its own format is not what `Model` has checked.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        try:
            session: Any = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common base for what it raises
            raise _does_not_run(model, error) from None
        manifest = model.manifest
        _check_tensors(model, session, batch)
        size = manifest.input.size
        self._input = np.zeros((batch, manifest.input.channels, size, size), np.float32)
        self._output = np.zeros((batch, manifest.embedding.dimension), np.float32)
        self._names = manifest.input.name, manifest.embedding.name
        self._session: Any = session
        self._bindings = {n: self._bind(n) for n in range(1, batch + 1)}
        self._check_output(model)

    def _check_output(self, model: Model) -> None:
        """Runs one frame, a ramp: an empty one may have no direction to normalise."""
        self._input[0] = np.linspace(0, 1, self._input.shape[3])
        try:
            self._session.run_with_iobinding(self._bindings[1])
        except Exception as error:
            raise _does_not_run(model, error) from None
        norm = float(np.linalg.norm(self._output[0].astype(np.float64)))
        if not abs(norm - 1) <= 1e-3:
            raise ModelError(
                f"{printable(str(model.onnx_path))}: the embedding of a test frame has norm "
                f"{norm:.4g}, not 1; export the model with an L2 normalisation at its end"
            )
        self._input[0] = self._output[0] = 0

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
        """Encodes the first `n` frames; the GIL is released meanwhile."""
        if stream:
            raise ValueError(f"stream {stream}: this engine runs on the host and joins none")
        self._session.run_with_iobinding(self._bindings[n])

    def close(self) -> None:
        """Drops the session."""
        self._bindings = {}
        self._session = None


def _does_not_run(model: Model, error: Exception) -> ModelError:
    reason = f"{error}".strip().partition("\n")[0]
    return ModelError(printable(f"{model.onnx_path}: not a model that runs ({reason})"))


def _check_tensors(model: Model, session: Any, batch: int) -> None:
    manifest = model.manifest
    size, dimension = manifest.input.size, manifest.embedding.dimension
    inputs, outputs = session.get_inputs(), session.get_outputs()
    _check(model, batch, inputs, manifest.input.name, [manifest.input.channels, size, size])
    _check(model, batch, outputs, manifest.embedding.name, [dimension])
    if len(inputs) != 1:
        raise ModelError(
            f"{printable(str(model.onnx_path))}: takes {len(inputs)} inputs; export it with the "
            "frames as its only one"
        )


def _check(model: Model, batch: int, tensors: list[Any], name: str, wanted: list[int]) -> None:
    """Refuses `tensors` without a float32 [N, *wanted] of this name that takes 1 to `batch`."""
    path = printable(str(model.onnx_path))
    found = next((t for t in tensors if t.name == name), None)
    if found is None or found.type != "tensor(float)" or found.shape[1:] != wanted:
        have = ", ".join(f"{t.name} {t.type} {t.shape}" for t in tensors)
        raise ModelError(
            f"{path}: {printable(have)} is not the manifest's {name} tensor(float) "
            f"[N, {', '.join(map(str, wanted))}]; correct model.toml"
        )
    n = found.shape[0]
    if isinstance(n, int) and not n == batch == 1:
        raise ModelError(
            f"{path}: {name} holds {n} frames, not any number from 1 to {batch}; export the model "
            "with a dynamic first dimension"
        )
