"""What a pipeline reads: its settings checked, then the source opened, and slices made of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from saccade.camera.capture import Capture
from saccade.camera.errors import SaccadeError
from saccade.camera.filters import EventFilter, FilterSpec, RateLimit
from saccade.camera.formats.video import VideoRecording
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.fused import SliceFramer, make_framer
from saccade.camera.recordings import Recording
from saccade.camera.seeking import Section
from saccade.camera.slicing import LIVE_LEAP_US, Slicer, TimeSlicer, Window
from saccade.camera.sources import is_source, open_live
from saccade.camera.video import VideoSpec
from saccade.camera.word_slices import SliceCutter, words_of
from saccade.engines.engine import DeviceEngine, Engine
from saccade.stream.device_stages import DeviceFrames
from saccade.stream.durations import parse_section_us, parse_speed
from saccade.stream.live import KeepingCutter, LiveSlices
from saccade.stream.live_counted import CountedSlices
from saccade.stream.placing import FramesChoice, check_frames_option, choose_frames, look
from saccade.stream.replay import Replay, Sieve, SliceSource
from saccade.stream.settings import check_geometry_pair, make_slicer
from saccade.stream.video import VideoSettings


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
    realtime: bool = False
    video: VideoSettings = field(default_factory=VideoSettings)


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
    realtime: bool,
    video: VideoSpec | None = None,
    frame: str | None = None,
) -> Plan:
    """The plan of a pipeline's settings; nothing is opened for it.

    Raises:
        SaccadeError: one of them is not what it has to be.
    """
    check_geometry_pair(geometry)
    check_frames_option(frames)
    chunks = window is None and count is None and stride is None
    return Plan(
        make_slicer(window, count, stride),
        parse_speed(speed),
        loop,
        geometry,
        parse_section_us(start, stop),
        filters,
        None if max_rate is None else RateLimit(max_rate),
        frames,
        realtime,
        VideoSettings(video, chunks, frame is None),
    )


class Origin(Protocol):
    """What the rest of a pipeline asks of a recording, or of a live source; see `Recording`."""

    path: str
    width: int
    height: int
    sensor: str
    size_bytes: int
    position: int

    @property
    def format(self) -> str: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A source, its slices, and what makes frames of them.

    Attributes:
        owned: whether the source was opened here, so that closing it is ours.
        frames_note: where frames are made, and why.
        capture: of a live source; None for a recording.
    """

    recording: Origin
    owned: bool
    frame_maker: FrameMaker | DeviceFrames
    replay: SliceSource
    frames_note: str
    capture: Capture | None = None


def is_live(source: object) -> bool:
    """Whether this names or is a live source, rather than a recording."""
    return isinstance(source, Capture) or (isinstance(source, str) and is_source(source))


def frames_at_once(batch: int | None, drops: bool) -> int | None:
    """What an engine is opened for: `batch`, and 1 where nothing is dropped, at speed max.

    There each frame is run alone, so that a recording gives the same numbers every time.

    Raises:
        SaccadeError: more were asked for there.
    """
    if not drops and batch not in (None, 1):
        raise SaccadeError(f"batch {batch}: at speed max frames are run one by one; leave it out")
    return batch if drops else 1


def open_source(
    source: str | Path | Recording | Capture,
    plan: Plan,
    spec: FrameSpec,
    engine: Engine,
    on_drop: Callable[[Window], None],
    on_torn: Callable[[Window], None],
) -> Opened:
    """Opens `source` as `plan` says, for frames of `spec`, made on the GPU of `engine` or here.

    `on_drop` is told of each slice that the plan's limit drops, `on_torn` of each that a live
    source's ring has lost events of.

    Raises:
        SaccadeError: the source is refused, or a filter for its sensor, or frames on a GPU.
    """
    if isinstance(source, Capture) or (isinstance(source, str) and is_source(source)):
        return _open_live(source, plan, spec, engine, on_drop, on_torn)
    if plan.realtime:
        raise SaccadeError("realtime: a recording is not captured; leave it out")
    owned = isinstance(source, str | Path)
    opened = plan.video.open(source, plan.geometry)
    try:
        if isinstance(opened, VideoRecording):
            plan, spec = _for_video(plan, opened, spec)
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


def _for_video(plan: Plan, video: VideoRecording, spec: FrameSpec) -> tuple[Plan, FrameSpec]:
    """The plan and the frames of a video: in chunks, as its kind of events has it."""
    slicer = plan.video.slicer(video, from_start=plan.section == (0, None))
    if slicer is None:
        return plan, spec
    if plan.loop:
        raise SaccadeError("loop: chunks of a video have none; give --window too, or leave it out")
    return replace(plan, slicer=slicer), plan.video.frame_spec(video, spec)


def _maker(
    place: FramesChoice, recording: Origin, spec: FrameSpec, engine: Engine
) -> FrameMaker | DeviceFrames:
    size = recording.width, recording.height
    if place.place == "cpu":
        return FrameMaker(*size, spec)
    assert isinstance(engine, DeviceEngine), "what was looked for"
    return DeviceFrames(engine, int(engine.input.shape[1]), size, spec, place.words)


class LiveOrigin:
    """A captured source as an `Origin`: its name stands for a path, and it has no end."""

    size_bytes = position = 0

    def __init__(self, capture: Capture) -> None:
        source = capture.source
        self.path, self.sensor = source.name, source.sensor
        self.width, self.height = source.width, source.height
        self._capture = capture

    @property
    def format(self) -> str:
        """The kind of source, such as "sim" or "prophesee"."""
        return self.path.partition(":")[0]

    def close(self) -> None:
        """Ends the capture and lets go of the device, also of one that hangs."""
        if not self._capture.close(timeout_s=0.5):
            self._capture.source.close()
            self._capture.close(timeout_s=0.5)
        self._capture.source.close()


def open_capture(uri: str, realtime: bool = False) -> Capture:
    """The capture of a live source, which is opened again whenever it is lost.

    Raises:
        SaccadeError: the URI is refused, or the system does not allow `realtime`.
        SourceError: it cannot be opened now.
    """
    source = open_live(uri)
    try:
        return Capture(source, realtime=realtime)
    except SaccadeError:
        source.close()
        raise


def _open_live(
    source: str | Capture,
    plan: Plan,
    spec: FrameSpec,
    engine: Engine,
    on_drop: Callable[[Window], None],
    on_torn: Callable[[Window], None],
) -> Opened:
    _refuse_for_live(plan)
    capture = source if isinstance(source, Capture) else open_capture(source, plan.realtime)
    origin = LiveOrigin(capture)
    try:
        wanted = plan.filters
        chosen = EventFilter(origin.width, origin.height, wanted) if wanted else None
        place = choose_frames(plan.frames, look(engine, origin.width, origin.height, None))
        maker = _maker(place, origin, spec, engine)
    except SaccadeError:
        if capture is not source:
            origin.close()
        raise
    slicer = plan.slicer
    if isinstance(slicer, TimeSlicer):
        slicer.limit_leaps(LIVE_LEAP_US)
    framer: SliceFramer | None = None
    if chosen is None and isinstance(maker, FrameMaker):
        framer = make_framer(maker, slicer)
    grid = (slicer.window_us, slicer.stride_us) if isinstance(slicer, TimeSlicer) else None
    sieve = Sieve(chosen, plan.limit, on_drop)
    live: LiveSlices | CountedSlices
    if framer is not None:
        live = CountedSlices(capture, framer, grid, sieve, on_torn)
    else:
        live = LiveSlices(capture, KeepingCutter(slicer, chosen), grid, sieve, on_torn)
    return Opened(origin, capture is not source, maker, live, place.note, capture)


def _refuse_for_live(plan: Plan) -> None:
    refused = {
        "loop": plan.loop,
        "speed": plan.speed not in (1.0, math.inf),
        "from and to": plan.section != (0, None),
        "geometry": plan.geometry is not None,
        "video": plan.video.spec is not None,
    }
    for name, given in refused.items():
        if given:
            raise SaccadeError(f"{name}: a live source has none; leave it out")
