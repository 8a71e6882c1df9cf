"""What a pipeline reads: its settings checked, then the recording opened, and slices made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saccade.camera.errors import SaccadeError
from saccade.camera.filters import EventFilter, FilterSpec, RateLimit
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.fused import SliceFramer, make_framer
from saccade.camera.recordings import Recording, open_recording
from saccade.camera.seeking import Section
from saccade.camera.slicing import Slicer, TimeSlicer, Window
from saccade.camera.word_slices import SliceCutter, words_of
from saccade.engines.engine import DeviceEngine, Engine
from saccade.stream.device_stages import DeviceFrames
from saccade.stream.durations import parse_section_us, parse_speed
from saccade.stream.placing import FramesChoice, check_frames_option, choose_frames, look
from saccade.stream.replay import Replay, Sieve
from saccade.stream.settings import check_geometry_pair, make_slicer


@dataclass(frozen=True, slots=True)
class Plan:
    """Which events are read, how they are cut, and how fast; see `Pipeline` for each setting."""

    slicer: Slicer
    speed: float
    loop: bool
    geometry: tuple[int, int] | None
    section: tuple[int, int | None]
    filters: FilterSpec | None
    limit: RateLimit | None
    frames: str


def make_plan(
    window: str | int | None,
    count: int | None,
    stride: str | int | None,
    speed: float | str,
    loop: bool,
    geometry: tuple[int, int] | None,
    start: str | int | None,
    stop: str | int | None,
    filters: FilterSpec | None,
    max_rate: float | None,
    frames: str,
) -> Plan:
    """The plan of a pipeline's settings; nothing is opened for it.

    Raises:
        SaccadeError: one of them is not what it has to be.
    """
    check_geometry_pair(geometry)
    check_frames_option(frames)
    return Plan(
        make_slicer(window, count, stride),
        parse_speed(speed),
        loop,
        geometry,
        parse_section_us(start, stop),
        filters,
        None if max_rate is None else RateLimit(max_rate),
        frames,
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording, its slices, and what makes frames of them.

    Attributes:
        owned: whether the recording was opened here, so that closing it is ours.
        frames_note: where frames are made, and why.
    """

    recording: Recording
    owned: bool
    frame_maker: FrameMaker | DeviceFrames
    replay: Replay
    frames_note: str


def open_source(
    source: str | Path | Recording,
    plan: Plan,
    spec: FrameSpec,
    engine: Engine,
    on_drop: Callable[[Window], None],
) -> Opened:
    """Opens `source` as `plan` says, for frames of `spec`, made on the GPU of `engine` or here.

    `on_drop` is told of each slice that the plan's limit drops.

    Raises:
        SaccadeError: the recording is refused, or a filter for its sensor, or frames on a GPU.
    """
    owned = isinstance(source, str | Path)
    opened = open_recording(source, plan.geometry) if isinstance(source, str | Path) else source
    try:
        wanted = plan.filters
        chosen = EventFilter(opened.width, opened.height, wanted) if wanted else None
        part = Section(opened, *plan.section)
        counted = part.whole and not plan.loop and chosen is None
        words = words_of(opened, plan.slicer) if counted else None
        place = choose_frames(plan.frames, look(engine, opened.width, opened.height, words))
        maker = _maker(place, opened, spec, engine)
    except SaccadeError:
        if owned:
            opened.close()
        raise
    framer: SliceFramer | SliceCutter | None = None
    if counted and isinstance(maker, FrameMaker):
        framer = make_framer(maker, plan.slicer)
    elif place.words is not None and isinstance(plan.slicer, TimeSlicer):
        window_us = plan.slicer.window_us
        framer = SliceCutter(place.words, opened.width, opened.height, window_us)
    sieve = Sieve(chosen, plan.limit, on_drop)
    replay = Replay(part, plan.slicer, plan.speed, plan.loop, sieve, framer)
    return Opened(opened, owned, maker, replay, place.note)


def _maker(
    place: FramesChoice, recording: Recording, spec: FrameSpec, engine: Engine
) -> FrameMaker | DeviceFrames:
    size = recording.width, recording.height
    if place.place == "cpu":
        return FrameMaker(*size, spec)
    assert isinstance(engine, DeviceEngine), "what was looked for"
    return DeviceFrames(engine, int(engine.input.shape[1]), size, spec, place.words)
