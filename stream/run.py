"""`saccade run`: a pipeline, its sinks, and what a person sees of it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from saccade.camera.frames import FrameKind
from saccade.stream.display import Display
from saccade.stream.files import SummaryFile, refuse_overwriting
from saccade.stream.pipeline import Pipeline
from saccade.stream.settings import parse_geometry
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
    """Runs to the end of the source, or until SIGINT or SIGTERM; gives the events lost.

    Events that lie between strided windows were asked for and are not lost.

    Raises:
        SaccadeError: a setting or an address is refused, or the recording is damaged; then every
            slice before the damage was published and the summary shown.
        KeyboardInterrupt: a signal before the first slice, or a second one.
    """
    refuse_overwriting(options.source, options.labels, options.out, options.summary)
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(_Signals())
        sinks = open_sinks(options.out, options.stream, new_run_id(), options.wait_for)
        for sink in sinks:
            stack.callback(sink.close)
        summary = stack.enter_context(SummaryFile(options.summary))
        pipeline = stack.enter_context(_pipeline(options))
        outputs = [sink.where for sink in sinks]
        display = Display(pipeline, outputs, to_stderr="jsonl:-" in options.out)
        try:
            _run(pipeline, sinks, display, signals)
        finally:
            pipeline.close()
            summary.write(pipeline.summary)
            display.summary()
        return sum(n for stage, n in pipeline.summary.dropped.items() if stage != "slice")


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


def _run(pipeline: Pipeline, sinks: list[Sink], display: Display, signals: _Signals) -> None:
    with signals.interrupting():
        for sink in sinks:
            sink.start(pipeline)
    with display, signals.stopping(pipeline):
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


class _Signals:
    """SIGINT and SIGTERM: the first one during a run drains what was read, a second interrupts.

    While modules load, a first one waits: an interrupted import can leave an error of any kind.
    """

    def __init__(self) -> None:
        self._pipeline: Pipeline | None = None
        self._waits = True
        self._came = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        if threading.current_thread() is threading.main_thread():
            numbers = (signal.SIGINT, signal.SIGTERM)
            self._before = {n: signal.signal(n, self._receive) for n in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """While this lasts, a signal interrupts; one that came before does so now."""
        if self._came:
            raise KeyboardInterrupt
        self._waits = False
        yield

    @contextlib.contextmanager
    def stopping(self, pipeline: Pipeline) -> Iterator[None]:
        """While this lasts, the first signal stops `pipeline`."""
        self._pipeline = pipeline
        try:
            yield
        finally:
            self._pipeline = None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        pipeline, self._pipeline = self._pipeline, None
        came, self._came = self._came, True
        if pipeline is not None:
            pipeline.stop()
        elif came or not self._waits:
            raise KeyboardInterrupt
