"""What `saccade doctor` looks at: checks are functions of what they are given; tests give fakes.

A check reads a few small files and loads nothing large: all of them together take a third of a
second, most of which is ONNX Runtime's import.
"""

from __future__ import annotations

import platform
import re
import resource
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec

from saccade.camera.errors import SaccadeError, printable

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
_REAL_TIME = 1  # the least priority of a real-time thread


class Check(msgspec.Struct, frozen=True):
    """One line of the doctor's.

    Attributes:
        name: of what was looked at.
        state: `ok`; `note` where something optional is absent or could be better; `wrong` where
            something that saccade needs is.
        says: what was found.
        remedy: what to do about it, a command where one does it; empty where all is well.
    """

    name: str
    state: Literal["ok", "note", "wrong"]
    says: str
    remedy: str = ""


def examine() -> list[Check]:
    """All checks of this machine."""
    from saccade.stream.doctor_store import check_store
    from saccade.stream.doctor_usb import check_cameras, check_usb_memory

    packages = check_packages(requires("saccade") or [], _version_of)
    core = check_core()
    checks = [check_python(sys.version_info[:3]), packages, *core]
    if all(check.state != "wrong" for check in (packages, core[0])):  # what these need it for
        tensorrt = next(filter(None, map(_version_of, _TENSORRT)), None)
        checks += [
            check_cores(_usable_cores(), Path("/sys/fs/cgroup")),
            *check_gpu(),
            check_tensorrt(tensorrt, find_spec("tensorrt") is not None),
            *check_store(),
        ]
    return [
        *checks,
        check_onnxruntime(),
        check_openvino(_version_of("openvino")),
        check_torch(_version_of("torch")),
        *check_cameras(Path("/sys"), Path("/dev")),
        *check_usb_memory(Path("/sys")),
        check_real_time(resource.getrlimit(resource.RLIMIT_RTPRIO)[0]),
    ]


def check_python(found: tuple[int, int, int]) -> Check:
    """The interpreter's version."""
    says = ".".join(map(str, found))
    if OLDEST_PYTHON <= found[:2] <= NEWEST_PYTHON:
        return Check("Python", "ok", says)
    oldest, newest = (".".join(map(str, v)) for v in (OLDEST_PYTHON, NEWEST_PYTHON))
    remedy = f"make an environment of Python {oldest} to {newest}: `python{newest} -m venv .venv`"
    return Check("Python", "note" if found[:2] > NEWEST_PYTHON else "wrong", says, remedy)


def check_packages(wanted: Iterable[str], version_of: Callable[[str], str | None]) -> Check:
    """The packages that saccade always needs; `wanted` as a distribution says its requirements.

    Those of extras, and of other Pythons, carry a condition after a semicolon.
    """
    names = [re.split(r"[^\w.-]", line)[0] for line in wanted if ";" not in line]
    lost = [name for name in names if version_of(name) is None]
    if lost:
        says = f"missing: {', '.join(lost)}"
        return Check("packages", "wrong", says, f"`pip install {' '.join(lost)}`")
    return Check("packages", "ok", f"all {len(names)} are installed")


def check_core() -> list[Check]:
    """The native core: whether it loads, and what it sees of the processor."""
    try:
        native = import_module("saccade.camera._native")
    except ImportError as error:
        remedy = "`pip install --force-reinstall saccade`; of a checkout `pip install -e .`"
        return [Check("native core", "wrong", printable(str(error)), remedy)]
    return [
        Check("native core", "ok", "loads"),
        check_processor(native.cpu_features(), platform.machine()),
    ]


def check_processor(features: list[str], machine: str) -> Check:
    """What its vector units let decoders and engines do."""
    says = f"{machine}, {', '.join(features) or 'no vector unit that saccade knows'}"
    if machine in ("x86_64", "AMD64"):
        if "avx2" not in features:
            remedy = "decoding takes its plain paths, several times slower; use a CPU with AVX2"
            return Check("processor", "note", says, remedy)
        if "avx512_vnni" not in features:
            remedy = "int8 models gain less here than on a CPU with VNNI; measure fp32 too"
            return Check("processor", "note", says, remedy)
    return Check("processor", "ok", says)


def check_cores(usable: int, cgroup: Path) -> Check:
    """The cores this process may use: decoding, frames and the encoder each want one."""
    quota = _text(cgroup / "cpu.max").split()
    limit = int(quota[0]) / int(quota[1]) if quota and quota[0].isdigit() else None
    says = f"{usable} usable" + (f", but a quota of {limit:g} (cpu.max)" if limit else "")
    if usable < 2 or (limit is not None and limit < 2):
        remedy = "give the process two cores: see `taskset -p $$`, and `docker run --cpus`"
        return Check("cores", "note", says, remedy)
    return Check("cores", "ok", says)


def check_gpu() -> list[Check]:
    """The GPU as its driver says it, and whether saccade can make frames on it."""
    from saccade.camera.cuda_device import why_no_gpu, why_unavailable
    from saccade.engines.gpu import find_gpu

    fault = why_no_gpu()
    if fault is not None:
        return [check_no_gpu(fault, Path("/sys"))]
    try:
        gpu = find_gpu()
    except SaccadeError as error:
        return [_split("GPU", str(error))]
    says = f"{gpu.name}, compute capability {gpu.capability}, driver {gpu.driver}"
    fault = why_unavailable()
    kernels = _split("CUDA", fault) if fault else Check("CUDA", "ok", "saccade has its kernels")
    return [Check("GPU", "ok", says), kernels]


def check_no_gpu(fault: str, sys: Path) -> Check:
    """What a GPU that cannot be used lacks; a machine without one lacks nothing."""
    vendors = map(_text, (sys / "bus" / "pci" / "devices").glob("*/vendor"))
    if _NVIDIA not in vendors and "no NVIDIA driver" in fault:
        return Check("GPU", "ok", "none of NVIDIA's here; engines run on the CPU")
    says, _, remedy = printable(fault).partition("; ")
    if "no NVIDIA driver" in fault:
        remedy = "`sudo ubuntu-drivers install`, or NVIDIA's package for your system; then reboot"
    return Check("GPU", "note", says, remedy)


_NVIDIA = "0x10de"  # as a vendor of PCI

#: What TensorRT's Python bindings are called, on PyPI and by JetPack.
_TENSORRT = ("tensorrt", "tensorrt_cu13_bindings", "tensorrt_cu12_bindings", "tensorrt_cu13")


def check_tensorrt(found: str | None, importable: bool) -> Check:
    """TensorRT by its package's version: no object of it is made, which needs a driver."""
    from saccade.engines.tensorrt.platform import INSTALL, version_fault

    if not importable:
        return Check("TensorRT", "note", "not installed; needed for --engine tensorrt", INSTALL)
    if found is None:
        return Check("TensorRT", "ok", "installed; its version is not known before it is used")
    fault = version_fault(found)
    return _split("TensorRT", fault) if fault else Check("TensorRT", "ok", found)


def check_onnxruntime() -> Check:
    """ONNX Runtime: whether it loads."""
    try:
        found = str(import_module("onnxruntime").__version__)
    except Exception as error:  # a broken one fails in many ways
        says = f"does not load ({printable(str(error)) or type(error).__name__})"
        return Check("ONNX Runtime", "wrong", says, "`pip install --force-reinstall onnxruntime`")
    return Check("ONNX Runtime", "ok", found)


def check_openvino(found: str | None) -> Check:
    """OpenVINO, which is optional."""
    if found is not None:
        return Check("OpenVINO", "ok", found)
    says = "not installed; the fastest int8 on x86 processors (--engine openvino)"
    return Check("OpenVINO", "note", says, "`pip install 'saccade[openvino]'`")


def check_torch(found: str | None) -> Check:
    """Torch, which is optional."""
    if found is not None:
        return Check("torch", "ok", found)
    says = "not installed; needed for --engine torch and to convert checkpoints"
    return Check("torch", "note", says, "`pip install 'saccade[torch,convert]'`")


def check_real_time(priority: int) -> Check:
    """Whether threads may ask for real-time priority (`priority` is the limit; -1 is none)."""
    if priority == resource.RLIM_INFINITY or priority >= _REAL_TIME:
        says = "any" if priority == resource.RLIM_INFINITY else f"up to {priority}"
        return Check("real-time priority", "ok", says)
    remedy = (
        'echo "$USER - rtprio 50" | sudo tee /etc/security/limits.d/saccade.conf, then log in again'
    )
    says = "not allowed; on a loaded machine labels may come late"
    return Check("real-time priority", "note", says, remedy)


def _split(name: str, message: str) -> Check:
    """A note of a message of ours: what is wrong; the remedy."""
    says, _, remedy = printable(message).partition("; ")
    return Check(name, "note", says, remedy)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _version_of(name: str) -> str | None:
    """The version of a package that is installed, without its import."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _usable_cores() -> int:
    from saccade.engines.host import usable_cores  # which imports the native core

    return usable_cores()
