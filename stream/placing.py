"""Where a pipeline's frames are made, by what is present, and why. Nothing falls back behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from saccade.camera import _native
from saccade.camera.cuda import MAX_SIDE, Words
from saccade.camera.cuda_device import why_unavailable
from saccade.camera.errors import SaccadeError
from saccade.engines.engine import DeviceEngine, Engine

FramesPlace = Literal["cpu", "cuda"]
_HOW: dict[Words | None, str] = {
    "evt3": "the device decodes the EVT3 words",
    "evt2": "the device decodes the EVT2 words",
    None: "events are decoded on the CPU",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is present, for one run.

    Attributes:
        engine_fault: why the engine cannot take frames on a GPU; None where it can.
        cuda_fault: why no frame can be made on a GPU here; None where one can.
        width, height: the sensor's sides, pixels.
        channels: of the encoder's frames.
        words: the recording's encoding, where its bytes can be cut into slices as they are.
    """

    engine_fault: str | None
    cuda_fault: str | None
    width: int
    height: int
    channels: int
    words: Words | None


@dataclass(frozen=True, slots=True)
class FramesChoice:
    """Where frames are made.

    Attributes:
        place: on the CPU, or on the engine's GPU.
        words: on a GPU: what it decodes; None for events that the CPU has decoded.
        why: the reason, in words for a person.
    """

    place: FramesPlace
    words: Words | None
    why: str

    @property
    def note(self) -> str:
        """Which and why, in one line."""
        return f"{self.place} ({self.why})"


def check_frames_option(wanted: str) -> None:
    """Refuses a value of `--frames` that there is not.

    Raises:
        SaccadeError: such a one.
    """
    if wanted not in ("auto", *get_args(FramesPlace)):
        raise SaccadeError(f"frames {wanted!r}: use auto, {', '.join(get_args(FramesPlace))}")


def choose_frames(wanted: str, facts: Facts) -> FramesChoice:
    """The place of `--frames`: a named one, or with `auto` the GPU where frames can be made there.

    Raises:
        SaccadeError: `cuda` was named and cannot be, or there is no place of this name.
    """
    check_frames_option(wanted)
    if wanted == "cpu":
        return FramesChoice("cpu", None, "as asked for")
    fault = _fault(facts)
    if fault is None:
        return FramesChoice("cuda", facts.words, _HOW[facts.words])
    if wanted == "cuda":
        raise SaccadeError(f"frames cuda: {fault}; use --frames cpu")
    return FramesChoice("cpu", None, fault.partition(";")[0])


def _fault(facts: Facts) -> str | None:
    if facts.engine_fault is not None:
        return facts.engine_fault
    if facts.cuda_fault is not None:
        return facts.cuda_fault
    if max(facts.width, facts.height) > MAX_SIDE:
        return f"sensor {facts.width}x{facts.height}: sides may be {MAX_SIDE} pixels on a GPU"
    return None if facts.channels <= 3 else f"{facts.channels} channels: up to 3 on a GPU"


def look(engine: Engine, width: int, height: int, words: Words | None) -> Facts:
    """What is present for frames of this sensor; no driver is started for an engine of the host."""
    engine_fault = cuda_fault = None
    if device_of(engine) is None:
        engine_fault = "the engine takes frames from the host"
    elif not isinstance(cast(DeviceEngine, engine).cuda_device, _native.HostDevice):
        cuda_fault = why_unavailable()
    return Facts(engine_fault, cuda_fault, width, height, int(engine.input.shape[1]), words)


def device_of(engine: Engine) -> DeviceEngine | None:
    """The engine as one that takes frames on a GPU; None where it does not."""
    return engine if isinstance(engine, DeviceEngine) and engine.input_address else None
