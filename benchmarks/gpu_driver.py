"""The CUDA driver by ctypes, as the GPU benchmark needs it: facts, device memory, timing by events.

Nothing has to be installed for it but the driver itself.
"""

from __future__ import annotations

import ctypes
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

_ATTRIBUTES = {"multiprocessors": 16, "major": 75, "minor": 76, "integrated": 18, "clock_khz": 13}
_SCRATCH = 1 << 28


class Driver:
    """Device 0 and its primary context, which the CUDA runtime shares."""

    def __init__(self) -> None:
        """Raises OSError where there is no driver, or no device."""
        self._cuda = ctypes.CDLL("libcuda.so.1")
        self._call("cuInit", 0)
        count, device = ctypes.c_int(), ctypes.c_int()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        if not count.value:
            raise OSError("the NVIDIA driver sees no GPU")
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        self._device = device
        self._scratch: ctypes.c_uint64 | None = None

    def _call(self, name: str, *arguments: Any) -> None:
        error = getattr(self._cuda, name)(*arguments)
        if error:
            raise OSError(f"{name}: CUresult {error}")

    def use(self) -> None:
        """Makes the device's primary context current."""
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._device)
        self._call("cuCtxSetCurrent", context)

    def facts(self) -> dict[str, Any]:
        """The device's name, its attributes and the driver's CUDA version."""
        name, version = ctypes.create_string_buffer(256), ctypes.c_int()
        self._call("cuDeviceGetName", name, len(name), self._device)
        self._call("cuDriverGetVersion", ctypes.byref(version))
        found: dict[str, Any] = {"gpu": name.value.decode(), "driver_cuda": version.value}
        value = ctypes.c_int()
        for key, number in _ATTRIBUTES.items():
            self._call("cuDeviceGetAttribute", ctypes.byref(value), number, self._device)
            found[key] = value.value
        return found

    def upload(self, values: np.ndarray) -> int:
        """The address of a copy on the device, 256 bytes aligned; kept until the process ends."""
        address = ctypes.c_uint64()
        values = np.ascontiguousarray(values)
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(values.nbytes, 16)))
        self._call(
            "cuMemcpyHtoD_v2",
            address,
            ctypes.c_void_p(values.ctypes.data),
            ctypes.c_size_t(values.nbytes),
        )
        return int(address.value)

    def download(self, address: int, values: np.ndarray) -> np.ndarray:
        """`values`, filled from an address of the device once all its work is done."""
        self._call("cuCtxSynchronize")
        self._call(
            "cuMemcpyDtoH_v2",
            ctypes.c_void_p(values.ctypes.data),
            ctypes.c_uint64(address),
            ctypes.c_size_t(values.nbytes),
        )
        return values

    def microseconds(
        self, work: Callable[[], object], stream: int, hold: bool = True, runs: int = 40
    ) -> dict[str, float]:
        """Time on the stream between two events around 4 runs of `work`, for one of them.

        With `hold` the stream is kept busy until all is queued, so that the figure is the device's
        time alone, however slow the host is; the four runs fit the maker's ring.
        """
        begin, end = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuEventCreate", ctypes.byref(begin), 0)
        self._call("cuEventCreate", ctypes.byref(end), 0)
        times: list[float] = []
        elapsed = ctypes.c_float()
        for k in range(runs + 3):
            if hold:
                self._keep_busy(stream)
            self._call("cuEventRecord", begin, ctypes.c_void_p(stream))
            for _ in range(4):
                work()
            self._call("cuEventRecord", end, ctypes.c_void_p(stream))
            self._call("cuEventSynchronize", end)
            self._call("cuEventElapsedTime", ctypes.byref(elapsed), begin, end)
            if k >= 3:
                times.append(elapsed.value * 1000 / 4)
        return {
            "median_us": round(statistics.median(times), 2),
            "min_us": round(min(times), 2),
            "p90_us": round(sorted(times)[int(0.9 * len(times))], 2),
        }

    def _keep_busy(self, stream: int) -> None:
        """A millisecond of work or more: 6 GB of writes."""
        if self._scratch is None:
            self._scratch = ctypes.c_uint64()
            size = ctypes.c_size_t(_SCRATCH)
            self._call("cuMemAlloc_v2", ctypes.byref(self._scratch), size)
        for _ in range(24):
            size, where = ctypes.c_size_t(_SCRATCH), ctypes.c_void_p(stream)
            self._call("cuMemsetD8Async", self._scratch, ctypes.c_ubyte(0), size, where)


class Array:
    """Memory of the device as an array that DLPack's consumers of ours take: one dimension."""

    def __init__(self, driver: Driver, values: np.ndarray) -> None:
        self.address = driver.upload(values)
        self.n = len(values)
        self._shape = (ctypes.c_int64 * 1)(self.n)
        self._tensor = _ManagedTensor()
        inner = self._tensor.tensor
        inner.data, inner.ndim = self.address, 1
        inner.device_type, inner.device_id = 2, 0
        inner.code, inner.bits, inner.lanes = 1, values.dtype.itemsize * 8, 1
        inner.shape = self._shape
        self._tensor.deleter = _KEEP

    def __dlpack__(self, *, stream: int | None = None, **_: object) -> object:
        new = ctypes.pythonapi.PyCapsule_New
        new.restype = ctypes.py_object
        new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return new(ctypes.addressof(self._tensor), b"dltensor", None)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)


class _Tensor(ctypes.Structure):  # DLTensor
    _fields_ = [  # noqa: RUF012
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_KEEP = _DELETER(lambda _: None)  # the memory outlives every array


class _ManagedTensor(ctypes.Structure):  # DLManagedTensor
    _fields_ = [  # noqa: RUF012
        ("tensor", _Tensor),
        ("manager_ctx", ctypes.c_void_p),
        ("deleter", _DELETER),
    ]
