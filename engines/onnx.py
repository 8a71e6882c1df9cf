"""The ONNX Runtime engine: the CPU's, and the reference that other engines are compared with."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.engines.models import Model, ModelError


class OnnxEngine:
    """An encoder in ONNX Runtime on the CPU, reading and writing buffers that it is given once."""

    def __init__(self, model: Model, batch: int = 1, threads: int | None = None) -> None:
        """Loads `model` for up to `batch` frames a run on `threads` threads.

        The default is one thread per core, four at most: the encoders here stop gaining there.

        Raises:
            ModelError: ONNX Runtime refuses the file, or its tensors are not the manifest's.
        """
        # ONNX Runtime takes 100 ms to import: `saccade --help` must not wait for it.
        onnxruntime: Any = importlib.import_module("onnxruntime")
        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(os.cpu_count() or 1, 4)
        options.inter_op_num_threads = 1
        # Idle threads must sleep, not spin: decoding and counting need the cores between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            session: Any = onnxruntime.InferenceSession(
                str(model.onnx_path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common base for what it raises
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{model.onnx_path}: not a model that runs ({reason})") from None
        manifest = model.manifest
        _check_tensors(model, session)
        size = manifest.input.size
        self._input = np.zeros((batch, manifest.input.channels, size, size), np.float32)
        self._output = np.zeros((batch, manifest.embedding.dimension), np.float32)
        self._names = manifest.input.name, manifest.embedding.name
        self._session: Any = session
        self._bindings = {n: self._bind(n) for n in range(1, batch + 1)}

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

    def run(self, n: int) -> None:
        """Encodes the first `n` frames; the GIL is released meanwhile."""
        self._session.run_with_iobinding(self._bindings[n])

    def close(self) -> None:
        """Drops the session."""
        self._bindings = {}
        self._session = None


def _check_tensors(model: Model, session: Any) -> None:
    manifest = model.manifest
    inputs = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    outputs = {tensor.name: tensor.shape for tensor in session.get_outputs()}
    size = manifest.input.size
    wanted = [manifest.input.channels, size, size]
    found = inputs.get(manifest.input.name)
    if found is None or found[1:] != wanted:
        raise ModelError(
            f"{model.onnx_path}: inputs {inputs} are not the manifest's "
            f"{manifest.input.name} [N, {', '.join(map(str, wanted))}]; correct model.toml"
        )
    found = outputs.get(manifest.embedding.name)
    if found is None or found[1:] != [manifest.embedding.dimension]:
        raise ModelError(
            f"{model.onnx_path}: outputs {outputs} are not the manifest's "
            f"{manifest.embedding.name} [N, {manifest.embedding.dimension}]; correct model.toml"
        )
