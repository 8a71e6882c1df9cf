"""What a pipeline reads: its settings checked, then the recording opened, and slices made of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saccade.camera.errors import SaccadeError
from saccade.camera.filters import EventFilter, FilterSpec, RateLimit
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.fused import make_framer
from saccade.camera.recordings import Recording, open_recording
from saccade.camera.seeking import Section
from saccade.camera.slicing import Slicer, Window
from saccade.stream.durations import parse_section_us, parse_speed
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
) -> Plan:
    """The plan of a pipeline's settings; nothing is opened for it.

    Raises:
        SaccadeError: one of them is not what it has to be.
    """
    check_geometry_pair(geometry)
    return Plan(
        make_slicer(window, count, stride),
        parse_speed(speed),
        loop,
        geometry,
        parse_section_us(start, stop),
        filters,
        None if max_rate is None else RateLimit(max_rate),
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A recording, its slices, and what makes frames of them.

    Attributes:
        owned: whether the recording was opened here, so that closing it is ours.
    """

    recording: Recording
    owned: bool
    frame_maker: FrameMaker
    replay: Replay


def open_source(
    source: str | Path | Recording, plan: Plan, spec: FrameSpec, on_drop: Callable[[Window], None]
) -> Opened:
    """Opens `source` as `plan` says, for frames of `spec`.

    `on_drop` is told of each slice that the plan's limit drops.

    Raises:
        SaccadeError: the recording is refused, or a filter for its sensor.
    """
    owned = isinstance(source, str | Path)
    opened = open_recording(source, plan.geometry) if isinstance(source, str | Path) else source
    try:
        maker = FrameMaker(opened.width, opened.height, spec)
        wanted = plan.filters
        chosen = EventFilter(opened.width, opened.height, wanted) if wanted else None
    except SaccadeError:
        if owned:
            opened.close()
        raise
    part = Section(opened, *plan.section)
    counted = part.whole and not plan.loop and chosen is None
    framer = make_framer(maker, plan.slicer) if counted else None
    sieve = Sieve(chosen, plan.limit, on_drop)
    replay = Replay(part, plan.slicer, plan.speed, plan.loop, sieve, framer)
    return Opened(opened, owned, maker, replay)
