"""TensorRT and the GPU it works on. Whoever holds a `Platform` may use TensorRT's objects.

Without a CUDA driver they crash the process, even when they are only let go; so one is given out
only after the driver was asked, and every function that makes such an object takes one.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import Any

from saccade.camera import _native
from saccade.camera.cuda_device import why_unavailable
from saccade.camera.errors import printable
from saccade.engines.engine import EngineError
from saccade.engines.gpu import Gpu, find_gpu
from saccade.engines.reporting import Report

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
    reason = why_unavailable()
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


def make_monitor(trt: Any, report: Report) -> Any:
    """An `IProgressMonitor` that tells `report`, and keeps what that raised as `broken`.

    TensorRT calls it from threads of its own, and an exception there would end the process: it is
    kept, the build is told to stop, and the builder raises it then.
    """

    class Monitor(trt.IProgressMonitor):
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.broken: BaseException | None = None
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            self._tell(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            self._tell(phase_name, step + 1)
            return self.broken is None

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

        def _tell(self, phase: str, step: int) -> None:
            try:
                steps = max(self._steps.get(phase, 1), 1)  # it may have been finished meanwhile
                report(f"building: {printable(phase)}", min(step / steps, 1))
            except BaseException as error:
                self.broken = self.broken or error

    return Monitor()
