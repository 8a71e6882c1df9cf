"""What is known of CUDA devices without using one, and arrays that lie on them."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from saccade.camera import _native

_CUDA = 2  # DLPack's number of the device type


class DeviceArray(Protocol):
    """An array that says by DLPack where it lies."""

    def __dlpack__(self, *, stream: int | None = None) -> object: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


def why_unavailable() -> str | None:
    """Why no frame can be made on a GPU here and what to do about it; None where one can."""
    reason = why_no_kernels()
    if reason is not None:
        return reason
    reason = why_no_gpu()
    return None if reason is None else f"{reason}, or use the CPU's FrameMaker"


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


@dataclass(frozen=True, slots=True)
class DeviceFrame:
    """The last frame of a maker, on its device, until it makes the next.

    Attributes:
        native: the maker's, which owns the memory.
        stream: where the frame is made.
        channels, half: equal channels; float16 rather than float32.
    """

    native: _native.DeviceFrameMaker
    stream: int
    channels: int
    half: bool

    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """The frame, float32 or float16 [C, size, size]; waits until it is made.

        Raises:
            BufferError: it shall be copied, or lie on another device.
        """
        if copy or dl_device not in (None, self.native.device):
            raise BufferError("a frame is given where it lies; use to_host() for a copy there")
        self.native.synchronise(self.stream)
        return self.native.frame(self.channels, self.half)

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's type and number of the device."""
        return self.native.device

    def to_host(self) -> NDArray[Any]:
        """A copy on the host: float32 or float16 [C, size, size]. Waits."""
        return self.native.frame_to_host(self.channels, self.half, self.stream)
