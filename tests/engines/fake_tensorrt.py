"""Plays TensorRT on the host: its plans are ONNX files, its engines ONNX Runtime.

Addresses are those of a `HostDevice`. What is used is written down as Class.member, and what is not
in `tensorrt_api` does not exist.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any

import numpy as np
import onnx
import onnxruntime
from tests.engines import tensorrt_api

from saccade.camera import _native
from saccade.engines.gpu import Gpu
from saccade.engines.tensorrt.platform import Platform

GPU = Gpu("NVIDIA Playback 9000", "8.7", 16, "540.4, CUDA 12.6")


class Recorded:
    """Public members are written down, by the name of the class that TensorRT has."""

    def __init__(self, fake: FakeTensorRt) -> None:
        self._fake = fake
        fake.objects += 1

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_"):
            self._fake.used.add(f"{type(self).__name__}.{name}")
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            full = f"{type(self).__name__}.{name}"
            assert hasattr(type(self), name), full
            self._fake.used.add(full)
        object.__setattr__(self, name, value)


class Members:
    """An enumeration: its members, some of which others than ours."""

    def __init__(self, fake: FakeTensorRt, name: str) -> None:
        self._fake, self._name = fake, name

    def __getattr__(self, member: str) -> Any:
        assert member in tensorrt_api.MEMBERS[self._name], f"{self._name}.{member}"
        self._fake.used.add(f"{self._name}.{member}")
        return 1 if member == "STRONGLY_TYPED" else f"{self._name}.{member}"


class ITensor(Recorded):
    shape: Any = None

    def __init__(self, fake: FakeTensorRt, value: Any) -> None:
        super().__init__(fake)
        self._value = value
        dims = value.type.tensor_type.shape.dim
        object.__setattr__(self, "shape", tuple(d.dim_value or -1 for d in dims))

    @property
    def name(self) -> str:
        return self._value.name


class INetworkDefinition(Recorded):
    def __init__(self, fake: FakeTensorRt) -> None:
        super().__init__(fake)
        self._inputs: list[ITensor] = []
        self._onnx = b""

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]


class ParserError(Recorded):
    def desc(self) -> str:
        return "no importer\nis registered"

    def node_name(self) -> str:
        return "/attn/0"

    def node_operator(self) -> str:
        return "MatMulInteger"


class OnnxParser(Recorded):
    def __init__(self, fake: FakeTensorRt, network: INetworkDefinition, logger: Any) -> None:
        super().__init__(fake)
        self._network = network

    def parse(self, model: bytes) -> bool:
        if self._fake.fault("parse"):
            return False
        graph = onnx.load_from_string(model).graph
        self._network._inputs = [ITensor(self._fake, value) for value in graph.input]
        self._network._onnx = bytes(model)
        return True

    @property
    def num_errors(self) -> int:
        return 3

    def get_error(self, index: int) -> ParserError:
        return ParserError(self._fake)


class ITimingCache(Recorded):
    def __init__(self, fake: FakeTensorRt, data: bytes) -> None:
        super().__init__(fake)
        self._data = bytes(data)

    def serialize(self) -> bytes:
        return self._data + b"t"


class IBuilderConfig(Recorded):
    builder_optimization_level = 3
    max_aux_streams = -1
    progress_monitor: Any = None

    def __init__(self, fake: FakeTensorRt) -> None:
        super().__init__(fake)
        self._flags = {"BuilderFlag.TF32"}
        self._cache: ITimingCache | None = None
        self._limits: dict[str, int] = {}

    def set_memory_pool_limit(self, pool: str, pool_size: int) -> None:
        self._limits[pool] = pool_size

    def clear_flag(self, flag: str) -> None:
        self._flags.discard(flag)

    def create_timing_cache(self, data: bytes) -> ITimingCache | None:
        return None if data == b"damaged" else ITimingCache(self._fake, data)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        self._cache = cache
        return not cache._data.startswith(b"other GPU")


class Builder(Recorded):
    def __init__(self, fake: FakeTensorRt, logger: Any) -> None:
        super().__init__(fake)
        self._logger = logger

    def create_network(self, flags: int) -> INetworkDefinition:
        assert flags == 2  # 1 << STRONGLY_TYPED
        return INetworkDefinition(self._fake)

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig(self._fake)

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig
    ) -> bytes | None:
        fake = self._fake
        monitor = config.__dict__["progress_monitor"]
        fake.used |= {f"IProgressMonitor.{m}" for m in tensorrt_api.METHODS["IProgressMonitor"]}
        monitor.phase_start("Building", None, 2)
        goes_on = monitor.step_complete("Building", 0) and monitor.step_complete("Building", 1)
        monitor.phase_finish("Building")
        if fake.fault("build") or not goes_on:
            self._logger.log("ILogger.Severity.ERROR", "no tactic\nfits")
            self._logger.log("ILogger.Severity.WARNING", "never mind")
            return None
        fake.used.add("ILogger.log")
        fake.built.append((network._inputs[0].__dict__["shape"], config))
        head = {"shape": network._inputs[0].__dict__["shape"], "turned": bool(fake.fault("turn"))}
        return json.dumps(head).encode() + b"\n" + network._onnx


class IExecutionContext(Recorded):
    def __init__(self, fake: FakeTensorRt, engine: ICudaEngine) -> None:
        super().__init__(fake)
        self._engine = engine
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, memory: int) -> bool:
        assert memory % 256 == 0 or memory % 16 == 0
        self._addresses[name] = memory
        return not self._fake.fault("address")

    def execute_async_v3(self, stream_handle: int) -> bool:
        if self._fake.fault("enqueue"):
            return False
        frames, out = (self._array(tensor) for tensor in self._engine._tensors)
        found = self._engine._session.run(None, {self._engine._tensors[0][0]: frames})[0]
        out[:] = found[:, ::-1] if self._engine._turned else found
        return True

    def _array(self, tensor: tuple[str, Any, tuple[int, ...]]) -> np.ndarray:
        name, dtype, shape = tensor
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = (ctypes.c_uint8 * size).from_address(self._addresses[name])
        return np.frombuffer(memory, dtype).reshape(shape)


class ICudaEngine(Recorded):
    def __init__(self, fake: FakeTensorRt, head: dict[str, Any], model: bytes) -> None:
        super().__init__(fake)
        self._session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self._turned = head["turned"]
        tensors = [*self._session.get_inputs(), *self._session.get_outputs()]
        n = head["shape"][0]
        kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
        self._tensors = [(t.name, kinds[t.type], (n, *t.shape[1:])) for t in tensors]

    @property
    def num_io_tensors(self) -> int:
        return len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return self._tensors[index][0]

    def get_tensor_mode(self, name: str) -> str:
        return f"TensorIOMode.{'INPUT' if name == self._tensors[0][0] else 'OUTPUT'}"

    def get_tensor_dtype(self, name: str) -> str:
        dtype = {t[0]: t[1] for t in self._tensors}[name]
        return f"DataType.{'HALF' if dtype == np.float16 else 'FLOAT'}"

    def get_tensor_shape(self, name: str) -> list[int]:
        return list({t[0]: t[2] for t in self._tensors}[name])

    def create_execution_context(self) -> IExecutionContext | None:
        return None if self._fake.fault("context") else IExecutionContext(self._fake, self)


class Runtime(Recorded):
    def __init__(self, fake: FakeTensorRt, logger: Any) -> None:
        super().__init__(fake)
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        if self._fake.fault("load"):
            self._logger.log("ILogger.Severity.INTERNAL_ERROR", "plan of another version")
            return None
        head, _, model = bytes(serialized_engine).partition(b"\n")
        return ICudaEngine(self._fake, json.loads(head), model)


class FakeTensorRt:
    """The module. `faults` are calls that fail: how many times each, the first `after` not."""

    def __init__(self, version: str = "10.3.0") -> None:
        self.__version__ = version
        self.used: set[str] = set()
        self.objects = 0
        self.built: list[tuple[tuple[int, ...], IBuilderConfig]] = []
        self.faults: dict[str, int] = {}
        self.after: dict[str, int] = {}
        fake = self

        class ILogger:
            def __init__(self) -> None:
                fake.used.add("ILogger.__init__")

        class IProgressMonitor:
            def __init__(self) -> None:
                fake.used.add("IProgressMonitor.__init__")

        ILogger.Severity = Members(self, "ILogger.Severity")  # type: ignore[attr-defined]
        self.ILogger, self.IProgressMonitor = ILogger, IProgressMonitor

    def fault(self, name: str) -> bool:
        """Whether this call fails."""
        if self.after.get(name, 0):
            self.after[name] -= 1
            return False
        left = self.faults.get(name, 0)
        self.faults[name] = max(left - 1, 0)
        return left > 0

    def __getattr__(self, name: str) -> Any:
        if name in tensorrt_api.MEMBERS:
            return Members(self, name)
        classes = {"Builder": Builder, "OnnxParser": OnnxParser, "Runtime": Runtime}

        def make(*arguments: Any) -> Any:
            self.used.add(f"{name}.__init__")
            return classes[name](self, *arguments)

        return make


def fake_platform(fake: FakeTensorRt, gpu: Gpu = GPU) -> Platform:
    """A platform whose device is the host."""
    return Platform(fake, gpu, _native.HostDevice(2, 7, 1, False))
