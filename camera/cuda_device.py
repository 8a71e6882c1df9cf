"""CUDA devices: what is known of them without using one, what is made there, and its arrays."""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import SaccadeError

_CUDA = 2  # DLPack's number of the device type
_Native = TypeVar("_Native")


class DeviceArray(Protocol):
    """An array that says by DLPack where it lies."""

    def __dlpack__(self, *, stream: int | None = None) -> object: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


def why_unavailable() -> str | None:
    """Why nothing can be made on a GPU here and what to do about it; None where it can."""
    reason = why_no_kernels()
    if reason is not None:
        return reason
    reason = why_no_gpu()
    return None if reason is None else f"{reason}, or make them on the CPU"


def why_no_kernels() -> str | None:
    """Why this build has no CUDA kernels and how to get them; None where it has."""
    if _native.cuda_built:
        return None
    return (
        "saccade was built without CUDA; install the CUDA toolkit (12.2 or later) and, in "
        "saccade's folder, `pip install . -C cmake.define.SACCADE_CUDA=ON`"
    )


def why_no_gpu() -> str | None:
    """Why there is no GPU to use and what to do about it, as the driver says; None where one is."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver (libcuda.so.1) was found; install it"
    count = ctypes.c_int(0)
    error = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if error:
        return f"the NVIDIA driver refuses to start (CUresult {error}); see what nvidia-smi says"
    return None if count.value else "the NVIDIA driver sees no GPU; see what nvidia-smi says"


def available() -> bool:
    """Whether a CUDA device is here and this build can use it."""
    return why_unavailable() is None


def capsule_of(array: DeviceArray, stream: int) -> object:
    """The array by DLPack, once `stream` waits for what its own stream does to it."""
    if array.__dlpack_device__()[0] != _CUDA:
        return array.__dlpack__()
    return array.__dlpack__(stream=stream or 1)  # the array API's name of stream 0


class DeviceResult(ABC):
    """The last array of a maker, on its device, until it makes the next."""

    def __init__(
        self, native: _native.DeviceFrameMaker | _native.DeviceRepresentation, stream: int
    ) -> None:
        """What `native` makes, which owns the memory, on `stream`."""
        self._native, self._stream = native, stream

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """The array; waits until it is made.

        Raises:
            BufferError: it shall be copied, or lie on another device.
        """
        if copy or dl_device not in (None, self._native.device):
            raise BufferError("an array is given where it lies; use to_host() for a copy there")
        self._native.synchronise(self._stream)
        return self._capsule()

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's type and number of the device."""
        return self._native.device

    @abstractmethod
    def _capsule(self) -> object:
        """DLPack's capsule of it."""


class DeviceFrame(DeviceResult):
    """A frame: float32 or float16 [C, size, size]."""

    def __init__(
        self, native: _native.DeviceFrameMaker, stream: int, channels: int, half: bool
    ) -> None:
        """Of so many equal channels; float16 rather than float32 where `half`."""
        super().__init__(native, stream)
        self._frames, self._channels, self._half = native, channels, half

    def _capsule(self) -> object:
        return self._frames.frame(self._channels, self._half)

    def to_host(self) -> NDArray[Any]:
        """A copy on the host: float32 or float16 [C, size, size]. Waits."""
        return self._frames.frame_to_host(self._channels, self._half, self._stream)


class DeviceGrid(DeviceResult):
    """The array of a histogram, voxel grid or time surface."""

    def __init__(
        self,
        native: _native.DeviceRepresentation,
        stream: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        """Of this shape and type."""
        super().__init__(native, stream)
        self._grids, self._shape, self._dtype = native, shape, dtype

    def _capsule(self) -> object:
        return self._grids.array()

    def to_host(self) -> NDArray[Any]:
        """A copy on the host. Waits."""
        out = np.empty(self._shape, self._dtype)
        self._grids.array_to_host(out, self._stream)
        return out


@dataclass(frozen=True, slots=True)
class FrameGraph:
    """A CUDA graph of one maker, under the maker's number for it: see its `capture`."""

    number: int


def graph_number(graph: FrameGraph | None) -> int:
    """As the native makers take it: -1 is none."""
    return -1 if graph is None else graph.number


def open_on(
    device: int | _native.HostDevice,
    what: str,
    on_cuda: Callable[[int], _Native],
    on_host: Callable[[_native.HostDevice], _Native],
) -> _Native:
    """What one of the two makes on `device`.

    Raises:
        SaccadeError: there is no such device, or this build has no kernels. `what` is named.
    """
    if isinstance(device, _native.HostDevice):
        return on_host(device)
    reason = why_unavailable()
    if reason is not None:
        raise SaccadeError(f"{what} on CUDA device {device}: {reason}")
    return on_cuda(device)


class DeviceMaker:
    """What frame makers and accumulators on a device share.

    Attributes:
        stream: the cudaStream_t of all work.
    """

    def __init__(
        self,
        native: _native.DeviceFrameMaker | _native.DeviceRepresentation,
        stream: int | None,
    ) -> None:
        """Work for `native` on `stream`; on one of its own when None."""
        self._shared = native
        self.stream = native.stream if stream is None else stream
        # Arrays that kernels may still read: before a fifth piece, the first has been waited for.
        self._in_use: deque[object] = deque(maxlen=4)

    @property
    def device(self) -> tuple[int, int]:
        """DLPack's type and number of the device."""
        return self._shared.device

    def synchronise(self) -> None:
        """Waits for everything queued on the stream."""
        self._shared.synchronise(self.stream)

    def _tallies(self, names: tuple[str, ...]) -> dict[str, int]:
        found = self._shared.tallies(self.stream)
        return {name: found[name] for name in names}

    @property
    def saturated(self) -> int:
        """Events so far that met a counter at its end. Waits."""
        return self._tallies(("saturated",))["saturated"]

    @property
    def out_of_bounds(self) -> int:
        """Events so far whose coordinates lay outside the sensor. Waits."""
        return self._tallies(("out_of_bounds",))["out_of_bounds"]
