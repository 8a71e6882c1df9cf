"""`saccade frames`: the slices of a recording, written as arrays."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import numpy as np

from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.frames import FrameKind, FrameMaker, FrameSpec
from saccade.camera.recordings import open_recording
from saccade.camera.representations import (
    Accumulator,
    Decay,
    Histogram,
    Interval,
    TimeSurface,
    VoxelGrid,
)
from saccade.camera.seeking import Section
from saccade.camera.slicing import Slice, Slicer, TimeSlicer
from saccade.stream.array_files import SliceArrays
from saccade.stream.durations import parse_duration_us, parse_section_us
from saccade.stream.files import refuse_overwriting
from saccade.stream.progress import progress
from saccade.stream.settings import make_slicer, parse_geometry
from saccade.stream.signals import Signals

_FRAMES: tuple[str, ...] = get_args(FrameKind)
KINDS = (*_FRAMES, "histogram", "voxel_grid", "time_surface")
#: The kinds that an option belongs to.
_OF = {
    "size": _FRAMES,
    "bins": ("voxel_grid",),
    "interval": ("voxel_grid",),
    "normalise": ("voxel_grid",),
    "tau": ("time_surface",),
    "decay": ("time_surface",),
}


@dataclass(frozen=True, slots=True)
class FramesOptions:
    """The arguments and options of `saccade frames`, as the user wrote them."""

    source: str
    out: str
    kind: str
    window: str | None = None
    count: int | None = None
    stride: str | None = None
    size: int | None = None
    bins: int | None = None
    interval: str | None = None
    normalise: bool = False
    tau: str | None = None
    decay: str | None = None
    geometry: str | None = None
    start: str | None = None
    stop: str | None = None


def write_frames(options: FramesOptions) -> None:
    """Writes what the slices of a recording become, and prints that in one line.

    Raises:
        SaccadeError: a setting is refused, or a file fails. The recording's damage: everything
            before it was written.
        KeyboardInterrupt: a signal; the output was finished with what was read.
    """
    slicer = make_slicer(options.window, options.count, options.stride)
    make = _maker(options, slicer)
    section_us = parse_section_us(options.start, options.stop)
    refuse_overwriting(options.source, None, (), Path(options.out))
    started = time.monotonic()
    with Signals() as signals, contextlib.ExitStack() as stack:
        recording = open_recording(options.source, parse_geometry(options.geometry))
        section = Section(stack.enter_context(recording), *section_us)
        accumulator = make(recording.width, recording.height)
        arrays = SliceArrays(Path(options.out), accumulator.shape, accumulator.dtype)
        frames = _Frames(section, slicer, accumulator, arrays)
        damage = None
        with signals.stopping(frames.stop):  # close() too: an .npz is made there
            try:
                with arrays, signals.interrupting():
                    frames.run()
            except RecordingError as error:
                damage = error
        print(_summary(options, frames, time.monotonic() - started), flush=True)
    if damage is not None:
        raise damage
    if frames.stopped:
        raise KeyboardInterrupt


class _Frames:
    """The slices of a section on their way to the arrays."""

    def __init__(
        self, section: Section, slicer: Slicer, accumulator: Accumulator, arrays: SliceArrays
    ) -> None:
        self.section, self.arrays, self.accumulator = section, arrays, accumulator
        self._slicer = slicer
        self._out = np.empty(accumulator.shape, accumulator.dtype)
        self.stopped = False

    def stop(self) -> None:
        """Ends after the packet in hand."""
        self.stopped = True

    def run(self) -> None:
        """Writes to the end, or until stopped; RecordingError where either file fails."""
        for cut in self._slices():
            self.arrays.append(cut, self.accumulator.make(cut, self._out))

    def _slices(self) -> Iterator[Slice]:
        damage = None
        with progress(self.section.recording) as show:
            try:
                for packet in self.section.packets():
                    yield from self._slicer.feed(packet)
                    show()
                    if self.stopped:
                        break
            except RecordingError as error:
                damage = error
            yield from self._slicer.finish()
        if damage is not None:
            raise damage


def _maker(options: FramesOptions, slicer: Slicer) -> Callable[[int, int], Accumulator]:
    """What makes the accumulator for a sensor's width and height; the options are checked."""
    kind = options.kind
    for name, kinds in _OF.items():
        if getattr(options, name) not in (None, False) and kind not in kinds:
            raise SaccadeError(f"{name}: {kind} has none, only {', '.join(kinds)}")
    if kind in _FRAMES:
        spec = FrameSpec(cast(FrameKind, kind), 224 if options.size is None else options.size)
        return lambda width, height: FrameMaker(width, height, spec)
    if kind == "histogram":
        return Histogram
    if kind == "voxel_grid":
        bins = 5 if options.bins is None else options.bins
        interval = cast(Interval, options.interval or "events")
        return lambda width, height: VoxelGrid(width, height, bins, interval, options.normalise)
    if kind == "time_surface":
        tau_us = _tau_us(options.tau, slicer)
        decay = cast(Decay, options.decay or "exponential")
        return lambda width, height: TimeSurface(width, height, tau_us, decay)
    raise SaccadeError(f"kind {kind!r}: unknown; use one of {', '.join(KINDS)}")


def _tau_us(tau: str | None, slicer: Slicer) -> int:
    if tau is not None:
        return parse_duration_us(tau, "tau")
    if isinstance(slicer, TimeSlicer):
        return slicer.window_us
    raise SaccadeError("tau: with a count, say how fast a surface fades, such as --tau 30ms")


def _summary(options: FramesOptions, frames: _Frames, seconds: float) -> str:
    lost = {name: n for name, n in frames.section.dropped.items() if n}
    classes = ", ".join(f"{name} {n:,}" for name, n in lost.items())
    dropped = f"{sum(lost.values()):,} events dropped" + (f" ({classes})" if classes else "")
    shape = [frames.arrays.n, *frames.accumulator.shape]
    return printable(
        f"{options.out}: {options.kind}, {frames.accumulator.dtype} {shape}, {dropped}, "
        f"{seconds:.2f} s"
    )
