"""TensorRT and the GPU it works on. Whoever holds a `Platform` may use TensorRT's objects.

Without a CUDA driver they crash the process, even when they are only let go; so one is given out
only after the driver was asked, and every function that makes such an object takes one.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from saccade.camera import _native
from saccade.camera.cuda_device import why_no_gpu, why_no_kernels
from saccade.camera.errors import printable
from saccade.engines.engine import EngineError
from saccade.engines.gpu import Gpu, find_gpu

OLDEST, NEWEST = (10, 3), (11, 4)
INSTALL = (
    "install TensorRT 10.3 to 11.4: `pip install tensorrt` on a PC; a Jetson has it from JetPack "
    "6.1 on, for Python environments made with --system-site-packages"
)


@dataclass(frozen=True, slots=True)
class Platform:
    """TensorRT's Python module, and where its engines run.

    Attributes:
        trt: the module `tensorrt`.
        gpu: the GPU.
        device: the CUDA device's number; a `HostDevice` in tests, beside a module that plays
            TensorRT.
    """

    trt: Any
    gpu: Gpu
    device: int | _native.HostDevice = 0

    def runner(self) -> _native.DeviceRunner:
        """Memory, copies and graphs on the device."""
        if isinstance(self.device, _native.HostDevice):
            return _native.host_runner(self.device)
        return _native.cuda_runner(self.device)


def open_platform() -> Platform:
    """TensorRT on this machine's GPU.

    Raises:
        EngineError: no driver, no GPU, no TensorRT, a version that is not supported, or a build of
            saccade without CUDA.
    """
    reason = why_no_gpu() or why_no_kernels()
    if reason is not None:
        raise EngineError(f"engine tensorrt: {reason}")
    try:
        trt: Any = importlib.import_module("tensorrt")
    except ImportError as error:
        raise EngineError(f"engine tensorrt: {printable(str(error))}; {INSTALL}") from None
    fault = version_fault(str(trt.__version__))
    if fault is not None:
        raise EngineError(f"engine tensorrt: {fault}")
    return Platform(trt, find_gpu())


def version_fault(version: str) -> str | None:
    """Why this version of TensorRT cannot be used; None where it can."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})(?!\d)", version)
    if match and OLDEST <= (int(match[1]), int(match[2])) <= NEWEST:
        return None
    return f"TensorRT {printable(version)} is not supported; {INSTALL}"


def make_log(trt: Any) -> Any:
    """An `ILogger` that keeps the last error, as `last_error`, and prints nothing."""

    class Log(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.last_error = ""

        def log(self, severity: Any, msg: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.last_error = printable(" ".join(msg.split()))

    return Log()


def make_monitor(trt: Any, report: Callable[[float], None]) -> Any:
    """An `IProgressMonitor` that tells `report` the share done; `broken` is what that raised.

    TensorRT calls it from threads of its own, and an exception there would end the process: it is
    kept, the build is told to stop, and the builder raises it then.
    """

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.broken: BaseException | None = None
            self._phases = Phases()

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            try:
                report(self._phases.step(phase_name, step))
            except BaseException as error:
                self.broken = self.broken or error
            return self.broken is None

        def phase_finish(self, phase_name: str) -> None:
            self._phases.finish(phase_name)

    return Monitor()


class Phases:
    """Phases within phases, each of some steps, as one share that only grows."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str | None, int, int]] = {}  # its parent, steps, steps done
        self._share = 0.0

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, within a step of its parent."""
        self._open[name] = (parent, max(steps, 1), 0)

    def step(self, name: str, step: int) -> float:
        """The step of this number, from 0, is done; gives the share of all that is."""
        parent, steps, _ = self._open.get(name, (None, 1, 0))  # it may have ended meanwhile
        self._open[name] = (parent, steps, step + 1)
        share, above = 0.0, name
        for _ in range(len(self._open)):
            parent, steps, done = self._open.get(above, (None, 1, 0))
            share = min((done + share) / steps, 1.0)
            if not parent:
                break
            above = parent
        self._share = max(self._share, share)
        return self._share

    def finish(self, name: str) -> None:
        """A phase ends."""
        self._open.pop(name, None)
