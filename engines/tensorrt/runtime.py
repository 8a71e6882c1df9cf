"""The TensorRT engine: one context and two CUDA graphs for each batch size, on one own stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import printable
from saccade.engines.engine import EngineError, OutputCheck, check_batch, check_frames
from saccade.engines.models import Model
from saccade.engines.tensorrt.platform import Platform, make_log

#: Batch sizes that plans are built for. Another number of frames runs in the next larger one.
SIZES = (1, 2, 4, 8)
_ALIGNMENT = 256  # of an address that TensorRT is given


class PlanError(EngineError):
    """A plan that TensorRT does not load, or that is not of this model.

    Attributes:
        n: its batch size.
    """

    def __init__(self, n: int, what: str) -> None:
        super().__init__(what)
        self.n = n


def batch_sizes(batch: int) -> tuple[int, ...]:
    """The sizes that plans are needed for, to encode up to `batch` frames at a time.

    Raises:
        EngineError: more than an engine takes.
    """
    check_batch(batch)
    return tuple(n for n in SIZES if n < 2 * batch)


class TensorRtEngine:
    """An encoder in TensorRT. Frames come from the host or lie on the device, labels go with it.

    `run` takes the frames of `input`; `run_on_device` those that a kernel wrote to
    `input_address`. After `set_bank`, `best` holds the labels of each run.
    """

    def __init__(self, platform: Platform, model: Model, plans: Mapping[int, bytes]) -> None:
        """Loads plans of `model`, by their batch size, and captures their graphs.

        Raises:
            PlanError: a plan does not load, or is not of this model.
            EngineError: TensorRT or CUDA refuse to run it.
        """
        self._trt = platform.trt
        self._log = make_log(self._trt)
        self._name = printable(model.manifest.name)
        manifest = model.manifest
        self._names = manifest.input.name, manifest.embedding.name
        size = manifest.input.size
        self._frame = (manifest.input.channels, size, size)
        self._dimension = manifest.embedding.dimension
        self.cuda_device = platform.device
        self._device = platform.runner()
        self._stream = self._device.stream
        self._runtime: Any = self._trt.Runtime(self._log)
        loaded = {n: self._load(n, plan) for n, plan in sorted(plans.items())}
        halves = {half for _, half in loaded.values()}
        assert len(halves) == 1, "all plans are of one file"
        self.input_dtype: np.dtype[Any] = np.dtype(np.float16 if halves.pop() else np.float32)
        batch = max(loaded)
        frame_bytes = int(np.prod(self._frame)) * self.input_dtype.itemsize
        pinned: Any = self._device.pinned(batch * frame_bytes)
        self._input: NDArray[Any] = pinned.view(self.input_dtype).reshape(batch, *self._frame)
        self.input_address = self._device.allocate(batch * frame_bytes)
        self._output = np.zeros((batch, self._dimension), np.float32)
        self._check = OutputCheck(self._output)
        self._top = 0
        self._indices = np.zeros((batch, _native.max_top), np.uint32)
        self._scores = np.zeros((batch, _native.max_top), np.float32)
        lanes = {n: self._make_lane(n, engine) for n, (engine, _) in loaded.items()}
        self._lanes = [lanes[min(m for m in lanes if m >= n)] for n in range(1, batch + 1)]

    def _load(self, n: int, plan: bytes) -> tuple[Any, bool]:
        """The engine of a plan, and whether its ends are float16."""
        engine: Any = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:
            reason = self._log.last_error or "it says no reason"
            raise PlanError(n, f"{self._name}: TensorRT does not load the plan ({reason})")
        trt = self._trt
        wanted = {
            self._names[0]: (trt.TensorIOMode.INPUT, (n, *self._frame)),
            self._names[1]: (trt.TensorIOMode.OUTPUT, (n, self._dimension)),
        }
        types: set[Any] = set()
        found: dict[str, tuple[Any, tuple[int, ...]]] = {}
        for i in range(engine.num_io_tensors):
            name = engine.get_tensor_name(i)
            found[name] = engine.get_tensor_mode(name), tuple(engine.get_tensor_shape(name))
            types.add(engine.get_tensor_dtype(name))
        if found != wanted or types not in ({trt.DataType.FLOAT}, {trt.DataType.HALF}):
            have = printable(", ".join(f"{name} {list(found[name][1])}" for name in found))
            raise PlanError(n, f"{self._name}: the plan's tensors are {have}, not the manifest's")
        return engine, types == {trt.DataType.HALF}

    def _make_lane(self, n: int, engine: Any) -> _Lane:
        context: Any = engine.create_execution_context()
        if context is None:
            reason = self._log.last_error or "not enough memory of the GPU?"
            raise EngineError(f"{self._name}: TensorRT makes no context for batch {n} ({reason})")
        lane = self._make_results(n, engine, context)
        for name, where in zip(self._names, (self.input_address, lane.address), strict=True):
            if not context.set_tensor_address(name, where):
                raise EngineError(f"{self._name}: TensorRT refuses the address of {name}")
        self._queue(lane, from_host=True)  # TensorRT allocates in its first run: not in a capture
        self._device.synchronise(self._stream)
        try:
            lane.from_host = self._device.capture(lambda: self._queue(lane, from_host=True))
            lane.on_device = self._device.capture(lambda: self._queue(lane, from_host=False))
            self._check_replay(lane)
        except BaseException:
            self._device.forget_graphs()  # on the host they hold this engine, and it holds them
            raise
        return lane

    def _make_results(self, n: int, engine: Any, context: Any) -> _Lane:
        """Places for embeddings, rows of the bank and scores, in one piece on either side."""
        rows = n * self._dimension * self.input_dtype.itemsize
        first = -(-rows // _ALIGNMENT) * _ALIGNMENT  # of the bank's rows
        second = first + n * _native.max_top * 4
        memory: Any = self._device.pinned(second + n * _native.max_top * 4)
        return _Lane(
            n=n,
            engine=engine,
            context=context,
            address=self._device.allocate(memory.nbytes),
            memory=memory,
            embeddings=memory[:rows].view(self.input_dtype).reshape(n, self._dimension),
            indices=memory[first:second].view(np.uint32).reshape(n, _native.max_top),
            scores=memory[second:].view(np.float32).reshape(n, _native.max_top),
        )

    def _queue(self, lane: _Lane, from_host: bool) -> None:
        """Queues a batch: its frames to the device, the network, the labels, all of it back."""
        stream = self._stream
        if from_host:
            size = self._input[: lane.n].nbytes
            self._device.copy(self.input_address, self._input.ctypes.data, size, stream)
        if not lane.context.execute_async_v3(stream):
            # Within a capture it must be seen: the graph would lack the network, and each replay
            # give the embedding of the run before.
            reason = self._log.last_error or "it says no reason"
            raise EngineError(f"{self._name}: TensorRT refuses to run batch {lane.n} ({reason})")
        half = self.input_dtype == np.float16
        self._device.label(
            lane.address, lane.n, self._dimension, half, *lane.best_addresses, stream
        )
        self._device.copy(lane.memory.ctypes.data, lane.address, lane.memory.nbytes, stream)

    def _check_replay(self, lane: _Lane) -> None:
        """Replays a frame, a ramp, over cleared memory: an empty one may have no direction."""
        for graph in (lane.from_host, lane.on_device):
            self._input[: lane.n] = np.linspace(0, 1, self._frame[-1])
            lane.memory[:] = 0
            host, size = lane.memory.ctypes.data, lane.memory.nbytes
            self._device.copy(lane.address, host, size, self._stream)
            self._device.run(graph, self._stream)
            norm = float(np.linalg.norm(lane.embeddings.astype(np.float64), axis=1).min())
            if not abs(norm - 1) <= 1e-2:
                raise EngineError(
                    f"{self._name}: the embedding of a test frame has norm {norm:.4g}, not 1, in "
                    f"the CUDA graph of batch {lane.n}; build the engine again, or use --engine "
                    "onnx"
                )
        self._input[: lane.n] = 0

    @property
    def input(self) -> NDArray[Any]:
        """Pinned, `input_dtype` [batch, channels, size, size]: a float32 frame is rounded to it."""
        return self._input

    @property
    def output(self) -> NDArray[np.float32]:
        """float32 [batch, dimension], L2-normalised as far as the precision goes."""
        return self._output

    @property
    def stream(self) -> int:
        """The engine's own CUDA stream."""
        return self._stream

    @property
    def frame_bytes(self) -> int:
        """From one frame's address to the next one's."""
        return self._input[0].nbytes

    def run(self, n: int, stream: int = 0) -> None:
        """Encodes the first `n` frames of `input`; the GIL is released while it waits.

        Raises:
            EngineError: an embedding is not finite.
        """
        check_frames(n, len(self._lanes))
        lane = self._lanes[n - 1]
        self._device.run(lane.from_host, stream or self._stream)
        self._take(lane, n)

    def run_on_device(self, n: int, stream: int) -> None:
        """Encodes `n` frames at `input_address`, which work queued on `stream` has written.

        Raises:
            EngineError: an embedding is not finite.
        """
        check_frames(n, len(self._lanes))
        lane = self._lanes[n - 1]
        self._device.run(lane.on_device, stream)
        self._take(lane, n)

    def _take(self, lane: _Lane, n: int) -> None:
        self._output[:n] = lane.embeddings[:n]
        self._check(n)
        if self._top:
            self._indices[:n], self._scores[:n] = lane.indices[:n], lane.scores[:n]

    def set_bank(self, bank: NDArray[np.float32], scale: float, top: int) -> None:
        """From the next run on, `best` are labels of `bank`, float32 [L, dimension].

        The graphs stay as they are. Call it from the thread that runs the engine.

        Raises:
            CudaError: `top` is not from 1 to 32, there is no label, or it does not fit the memory.
        """
        assert bank.shape[1] == self._dimension, "a bank of the model's space"
        self._device.set_vocabulary(np.ascontiguousarray(bank, np.float32), scale, top)
        self._top = min(top, len(bank))

    @property
    def best(self) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Of the last run: rows of the bank and softmax(scale * cosine), both [batch, top].

        The best comes first; equal ones keep the bank's order. Without a bank, top is 0.
        """
        return self._indices[:, : self._top], self._scores[:, : self._top]

    def close(self) -> None:
        """Gives the GPU's memory back: contexts before engines, and both before the buffers."""
        if not self._lanes:
            return
        self._device.forget_graphs()
        self._lanes = []
        self._runtime = None
        del self._input, self._device


@dataclass(slots=True)
class _Lane:
    """One batch size: its context, its results on the device and here, and its graphs."""

    n: int
    context: Any
    engine: Any  # which the context needs
    address: int  # of the device's results, which one copy brings to `memory`
    memory: Any  # uint8, pinned; the three below lie in it
    embeddings: Any  # [n, dimension], of the network's type
    indices: Any  # uint32 [n, max_top]
    scores: Any  # float32 [n, max_top]
    from_host: int = -1
    on_device: int = -1

    @property
    def best_addresses(self) -> tuple[int, int]:
        """Of indices and scores on the device."""
        offset = self.address - self.memory.ctypes.data
        return self.indices.ctypes.data + offset, self.scores.ctypes.data + offset
