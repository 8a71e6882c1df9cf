"""`saccade run`: a pipeline, its sinks, and what a person sees of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from saccade.camera.errors import SaccadeError
from saccade.camera.filters import LEARN
from saccade.camera.frames import FrameKind
from saccade.engines.reporting import Report
from saccade.engines.scoring import Scores
from saccade.stream.display import Display
from saccade.stream.durations import parse_rate
from saccade.stream.files import SummaryFile, refuse_overwriting
from saccade.stream.keys import ServerKeys, server_keys
from saccade.stream.live_run import ending_after, watching
from saccade.stream.pipeline import Pipeline
from saccade.stream.recordings import Recordings
from saccade.stream.settings import parse_filters, parse_geometry
from saccade.stream.signals import Signals
from saccade.stream.sinks import Sink, open_sinks
from saccade.stream.video import parse_video
from saccade.stream.wire import new_run_id
from saccade.stream.work import shown_work

if TYPE_CHECKING:
    from saccade.stream.control import ControlServer


#: How long a thread may keep the interpreter from the others, s. Drawing the terminal once a second
#: can hold up a label for that long, which by Python's default is 5 ms: on busy cores the slowest
#: label in a hundred left 11.7 rather than 14.2 ms after its last event (medians of 8 runs each).
SWITCH_S = 0.0005


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of `saccade run`, as the user wrote them."""

    source: str
    labels: str | None
    window: str | None
    count: int | None
    stride: str | None
    frame: FrameKind | None
    model: str
    speed: str
    loop: bool
    top: int
    out: tuple[str, ...]
    summary: Path | None
    stream: str
    geometry: str | None
    wait_for: int
    start: str | None = None
    stop: str | None = None
    roi: str | None = None
    polarity: str | None = None
    hot_pixels: str | None = None
    refractory: str | None = None
    background: str | None = None
    max_rate: str | None = None
    engine: str = "auto"
    precision: str | None = None
    batch: int | None = None
    frames: str = "auto"
    scores: str = "softmax"
    unknown: float | None = None
    smooth: str | None = None
    vote: int | None = None
    template: tuple[str, ...] = ()
    control: str | None = None
    key: str | None = None
    allow: str | None = None
    insecure_no_auth: bool = False
    seconds: float | None = None
    record: str | None = None
    record_folder: str | None = None
    realtime: bool = False
    video_events: str | None = None
    video_threshold: float | None = None
    sensor: str | None = None


def run_source(options: RunOptions) -> int:
    """Runs to the end of the source, for `seconds`, or until SIGINT or SIGTERM.

    Gives the events lost.
    Events that a filter removed, or that lie between strided windows, were asked for and are not
    lost.

    Raises:
        SaccadeError: a setting or an address is refused, the recording is damaged or what was to
            be recorded could not be; then every slice was published and the summary shown.
        KeyboardInterrupt: a signal before the first slice, or a second one.
    """
    mask = None if options.hot_pixels == LEARN else options.hot_pixels
    refuse_overwriting(options.source, options.labels, options.out, options.summary, mask)
    if options.record_folder is not None and options.control is None:
        raise SaccadeError("record-folder: clients need a socket for it; give --control too")
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals())
        run = new_run_id()
        keys = server_keys(options.key, options.allow)
        open_to_all = options.insecure_no_auth
        data_keys = None if open_to_all else keys  # the control socket has them all the same
        sinks = open_sinks(
            options.out, [options.stream], run, options.wait_for, data_keys, open_to_all
        )[options.stream]
        for sink in sinks:
            stack.callback(sink.close)
        control = _open_control(options, run, keys)
        if control is not None:
            stack.callback(control.close)
        summary = stack.enter_context(SummaryFile(options.summary))
        with shown_work() as report:
            settings = pipeline_settings(options, signals.checking(report))
            pipeline = stack.enter_context(Pipeline(options.source, **settings))
        recordings = Recordings(pipeline.capture, options.record_folder)
        stack.callback(recordings.close)
        if options.record is not None:
            recordings.begin(options.record)
        outputs = [sink.where for sink in sinks]
        outputs += [f"{control.address} (control)"] if control else []
        outputs += [f"{options.record} (recording)"] if options.record else []
        display = Display(pipeline, outputs, to_stderr="jsonl:-" in options.out)
        try:
            with ending_after(options.seconds, pipeline.stop), watching(pipeline, display):
                _run(pipeline, sinks, control, recordings, display, signals)
        finally:
            pipeline.close()
            summary.write(pipeline.summary)
            display.summary()
            if control is not None:  # before the last recording ends: no other is begun
                control.close()
        recordings.finish()
        return pipeline.summary.events_lost


def pipeline_settings(options: RunOptions, report: Report) -> dict[str, Any]:
    """The arguments of `Pipeline` but for the source."""
    return {
        "model": options.model,
        "labels": options.labels,
        "window": options.window,
        "count": options.count,
        "stride": options.stride,
        "frame": options.frame,
        "speed": options.speed,
        "loop": options.loop,
        "top": options.top,
        "geometry": parse_geometry(options.geometry),
        "start": options.start,
        "stop": options.stop,
        "filters": parse_filters(
            options.roi,
            options.polarity,
            options.hot_pixels,
            options.refractory,
            options.background,
        ),
        "max_rate": None if options.max_rate is None else parse_rate(options.max_rate),
        "realtime": options.realtime,
        "video": parse_video(options.video_events, options.video_threshold, options.sensor),
        "engine": options.engine,
        "precision": options.precision,
        "batch": options.batch,
        "frames": options.frames,
        "report": report,
        "scores": cast(Scores, options.scores),
        "unknown": options.unknown,
        "smooth": options.smooth,
        "vote": options.vote,
        "template": options.template,
    }


def _open_control(options: RunOptions, run: str, keys: ServerKeys | None) -> ControlServer | None:
    if options.control is None:
        return None
    from saccade.stream.control import ControlServer

    return ControlServer(options.control, options.stream, run, keys)


def _run(
    pipeline: Pipeline,
    sinks: list[Sink],
    control: ControlServer | None,
    recordings: Recordings,
    display: Display,
    signals: Signals,
) -> None:
    with signals.interrupting():
        if control is not None:
            control.start(pipeline, recordings)
        for sink in sinks:
            sink.start(pipeline)
    with display, signals.stopping(pipeline.stop):
        for prediction in pipeline:
            taken = False
            try:
                for sink in sinks:
                    sink.write(prediction)
                    taken = True
            except BaseException:
                if not taken:
                    pipeline.lose_latest()
                raise
            display.update(prediction)
