"""Which GPU is here, as its driver says: nothing but the driver is loaded for it."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path

from saccade.camera.cuda_device import why_no_gpu
from saccade.engines.engine import EngineError

_PROCESSORS, _MAJOR, _MINOR = 16, 75, 76  # CUdevice_attribute
_DRIVER_FILE = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and its driver: what a program compiled for it is tied to.

    Attributes:
        name: as the driver says it.
        capability: compute capability, such as "8.7".
        processors: streaming multiprocessors.
        driver: version of the driver, and of the CUDA that it supports.
    """

    name: str
    capability: str
    processors: int
    driver: str


def find_gpu(ordinal: int = 0) -> Gpu:
    """The GPU of this number; CUDA_VISIBLE_DEVICES chooses which one is 0.

    Raises:
        EngineError: there is no driver, or no such GPU.
    """
    reason = why_no_gpu()
    if reason is not None:
        raise EngineError(reason)
    driver = ctypes.CDLL("libcuda.so.1")
    device, version, value = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(256)
    if driver.cuDeviceGet(ctypes.byref(device), ordinal):
        raise EngineError(f"GPU {ordinal}: not there; see what nvidia-smi says")
    found: list[int] = []
    errors = driver.cuDeviceGetName(name, len(name), device)
    errors |= driver.cuDriverGetVersion(ctypes.byref(version))
    for attribute in (_PROCESSORS, _MAJOR, _MINOR):
        errors |= driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        found.append(value.value)
    if errors:
        raise EngineError(f"GPU {ordinal}: the NVIDIA driver does not say what it is")
    cuda = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    text = _DRIVER_FILE.read_text() if _DRIVER_FILE.is_file() else ""  # not under WSL
    release = driver_release(text)
    return Gpu(
        name=name.value.decode(errors="replace"),
        capability=f"{found[1]}.{found[2]}",
        processors=found[0],
        driver=f"{release}, {cuda}" if release else cuda,
    )


def driver_release(text: str) -> str:
    """The release in the first line of /proc/driver/nvidia/version; empty where it says none."""
    match = re.search(r"\s(\d{3,}(?:\.\d+)+)\s", text.partition("\n")[0] + " ")
    return match[1] if match else ""
