"""What a person sees of a run: a live table on a terminal, one line a second otherwise."""

from __future__ import annotations

import math
import time
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from saccade.stream.pipeline import Pipeline
from saccade.stream.prediction import Prediction

REDRAW_S = 0.1
LINE_S = 1.0


class Display:
    """Shows a pipeline's predictions; on stderr where stdout carries the labels themselves."""

    def __init__(
        self, pipeline: Pipeline, to_stderr: bool = False, console: Console | None = None
    ) -> None:
        self._pipeline = pipeline
        self._console = console or Console(stderr=to_stderr, highlight=False, soft_wrap=True)
        self._first_us: int | None = None
        self._drawn = -math.inf
        self._last: Prediction | None = None
        self._live: Live | None = None
        recording = pipeline.recording
        self._title = (
            f"{recording.path}  {recording.format.upper()} "
            f"{recording.width}x{recording.height} {recording.sensor}".rstrip()
        )
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(None), TaskProgressColumn(),
            TimeElapsedColumn(), console=self._console, expand=True,
        )  # fmt: skip
        self._task = self._progress.add_task("read", total=recording.size_bytes or None)

    def __enter__(self) -> Display:
        manifest = self._pipeline.model.manifest
        self._console.print(
            f"{self._title}\nmodel {manifest.name}, {len(self._pipeline.bank.names)} labels",
            style="bold",
        )
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._last is not None:
            self._draw(self._last)
        if self._live is not None:
            self._live.stop()

    def update(self, prediction: Prediction) -> None:
        """Shows a prediction, unless the last one was shown a moment ago."""
        if self._first_us is None:
            self._first_us = prediction.t_begin_us
        self._last = prediction
        every = REDRAW_S if self._live else LINE_S
        if time.monotonic() - self._drawn >= every:
            self._draw(prediction)

    def _draw(self, prediction: Prediction) -> None:
        self._drawn = time.monotonic()
        self._last = None
        if self._live is not None:
            self._live.update(self.panel(prediction), refresh=True)
        else:
            self._console.print(self._line(prediction))

    def _seconds(self, prediction: Prediction) -> float:
        return (prediction.t_end_us - (self._first_us or 0)) / 1e6

    def _line(self, prediction: Prediction) -> str:
        best = "  ".join(
            f"{label} {score:.0%}"
            for label, score in list(zip(prediction.labels, prediction.scores, strict=True))[:3]
        )
        return (
            f"{self._seconds(prediction):8.3f} s  {best}  |  {prediction.n_events} events, "
            f"{prediction.timing.latency_us / 1000:.1f} ms, "
            f"dropped {sum(prediction.dropped.values())}"
        )

    def panel(self, prediction: Prediction) -> RenderableType:
        """The live view of one prediction: its labels, the facts, the progress through the file."""
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(min_width=20)
        table.add_column(width=32)
        table.add_column(justify="right", width=6)
        for rank, (label, score) in enumerate(
            zip(prediction.labels, prediction.scores, strict=True)
        ):
            bar = ProgressBar(total=1.0, completed=score, width=32)
            style = "bold green" if rank == 0 else ""
            table.add_row(Text(label, style=style), bar, Text(f"{score:.1%}", style=style))
        facts = (
            f"t {self._seconds(prediction):.3f} s   {prediction.n_events:,} events in "
            f"{(prediction.t_end_us - prediction.t_begin_us) / 1000:g} ms   latency "
            f"{prediction.timing.latency_us / 1000:.1f} ms   backlog {self._pipeline.backlog}   "
            f"dropped {sum(prediction.dropped.values()):,}"
        )
        self._progress.update(self._task, completed=self._pipeline.recording.position)
        return Group(table, Text(facts, style="dim"), self._progress.get_renderable())

    def summary(self) -> None:
        """The exit summary."""
        total = self._pipeline.summary
        lost = sum(total.dropped.values())
        stages = ", ".join(f"{stage} {n:,}" for stage, n in total.dropped.items() if n)
        latency = total.latency_us
        rate = total.events_in / total.seconds / 1e6 if total.seconds else 0.0
        self._console.print(
            f"\n{total.events_in:,} events in, {total.events_published:,} published, "
            f"{lost:,} dropped{f' ({stages})' if stages else ''}\n"
            f"{total.slices:,} slices, {total.labels:,} labels in {total.seconds:.2f} s "
            f"({rate:.2f} Mev/s)\n"
            f"event to label, ms: p50 {latency.p50 / 1000:.2f}, p90 {latency.p90 / 1000:.2f}, "
            f"p99 {latency.p99 / 1000:.2f}, max {latency.max / 1000:.2f}"
        )
