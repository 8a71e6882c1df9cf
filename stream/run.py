"""`saccade run`: a pipeline, its sinks, and what a person sees of it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import msgspec

from saccade.camera.errors import SaccadeError
from saccade.camera.frames import FrameKind
from saccade.stream.display import Display
from saccade.stream.pipeline import Pipeline
from saccade.stream.sinks import Sink, open_sinks
from saccade.stream.wire import new_run_id


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


def run_source(options: RunOptions) -> int:
    """Runs to the end of the source, or until SIGINT or SIGTERM; gives the events dropped.

    Raises:
        SaccadeError: a setting or an address is refused, or the recording is damaged; then every
            slice before the damage was published and the summary shown.
    """
    sinks = open_sinks(options.out, options.stream, new_run_id(), options.wait_for)
    with contextlib.ExitStack() as stack:
        for sink in sinks:
            stack.callback(sink.close)
        summary = _summary_file(options.summary, stack)
        pipeline = stack.enter_context(_pipeline(options))
        display = Display(pipeline, to_stderr="jsonl:-" in options.out)
        try:
            _run(pipeline, sinks, display)
        finally:
            pipeline.close()
            display.summary()
            if summary:
                encoded = msgspec.json.encode(pipeline.summary)
                summary.write(msgspec.json.format(encoded) + b"\n")
        return sum(pipeline.summary.dropped.values())


def _pipeline(options: RunOptions) -> Pipeline:
    return Pipeline(
        options.source,
        model=options.model,
        labels=options.labels,
        window=options.window,
        count=options.count,
        stride=options.stride,
        frame=options.frame,
        speed=options.speed,
        loop=options.loop,
        top=options.top,
        geometry=parse_geometry(options.geometry),
    )


def _run(pipeline: Pipeline, sinks: list[Sink], display: Display) -> None:
    for sink in sinks:
        sink.start(pipeline)
    with display, _signals(pipeline):
        for prediction in pipeline:
            for sink in sinks:
                sink.write(prediction)
            display.update(prediction)


@contextlib.contextmanager
def _signals(pipeline: Pipeline) -> Iterator[None]:
    """The first SIGINT or SIGTERM drains what was read; the second ends at once."""

    def stop(number: int, _: FrameType | None) -> None:
        pipeline.stop()
        signal.signal(number, signal.SIG_DFL)

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _summary_file(path: Path | None, stack: contextlib.ExitStack) -> BinaryIO | None:
    """Opened before the run, so that a name that cannot be written is refused before any work."""
    if path is None:
        return None
    try:
        return stack.enter_context(path.open("wb"))
    except OSError as error:
        raise SaccadeError(
            f"summary {path}: {error.strerror}; name a file that can be written"
        ) from None


def parse_geometry(text: str | None) -> tuple[int, int] | None:
    """(width, height) of `640x480`; None stays None.

    Raises:
        SaccadeError: anything else.
    """
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise SaccadeError(f"geometry {text!r}: write WIDTHxHEIGHT, such as 640x480")
    return int(width), int(height)
