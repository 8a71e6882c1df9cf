"""What a person sees of a run: a live table on a terminal, one line a second otherwise."""

from __future__ import annotations

import math
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from saccade.camera.errors import printable
from saccade.stream.headers import StatusHeader
from saccade.stream.lines import NO_EVENTS, best_text, score_text, status_text
from saccade.stream.pipeline import Pipeline
from saccade.stream.prediction import Prediction

REDRAW_S = 0.1
LINE_S = 1.0
BAR_WIDTH = 32  # columns, where the terminal has them
BAR_FROM = 45  # a terminal narrower than this has no room for bars: the labels come first
LABEL_WIDTH = 20  # columns that labels get at least, where the terminal has them
SCORE_WIDTH = 6  # 100.0%


class Display:
    """Shows a pipeline's predictions; on stderr where stdout carries the labels themselves."""

    def __init__(
        self,
        pipeline: Pipeline,
        outputs: Sequence[str] = (),
        to_stderr: bool = False,
        console: Console | None = None,
        name: str = "",
    ) -> None:
        """`outputs` is where labels go, as shown at the start; `name` heads each line of several
        pipelines' displays.
        """
        # A live table would be torn apart by lines that come to the same screen.
        self._lines_only = bool(name) or (to_stderr and sys.stdout.isatty())
        self._name = name
        self._outputs = outputs
        self._pipeline = pipeline
        # No markup: "[/]" and ":smile:" in a path, a sensor's name or a label are what they are.
        self._console = console or Console(
            stderr=to_stderr, markup=False, emoji=False, highlight=False, soft_wrap=True
        )
        self._first_us: int | None = None
        self._rev = 0  # of the words shown last
        self._scores = pipeline.words.scoring.kind
        self._drawn = -math.inf
        self._last: Prediction | None = None  # not drawn yet
        self._latest: Prediction | None = None
        self._status = ""
        self._live: Live | None = None
        recording = pipeline.recording
        self._title = printable(
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
        model = f"model {printable(manifest.name)}, {len(self._pipeline.bank.names)} labels"
        engine = printable(f"engine {self._pipeline.engine_note}")
        frames = printable(f"frames {self._pipeline.frames_note}")
        lines = [
            self._title,
            model,
            engine,
            frames,
            *(f"to {printable(output)}" for output in self._outputs),
        ]
        self._print("\n".join(lines), style="bold")
        if self._console.is_terminal and not self._lines_only:
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
        self._last = self._latest = prediction
        every = REDRAW_S if self._live else LINE_S
        if time.monotonic() - self._drawn >= every:
            self._draw(prediction)

    def _draw(self, prediction: Prediction) -> None:
        self._drawn = time.monotonic()
        self._last = None
        if self._live is not None:
            self._live.update(self.panel(prediction), refresh=True)
            return
        if prediction.vocabulary_rev != self._rev:
            self._rev = prediction.vocabulary_rev
            self._print(f"words changed, {self._rev}: {_some(prediction.bank.names)}", style="bold")
        self._print(self._line(prediction))

    def _print(self, text: str, style: str = "") -> None:
        if self._name:
            text = "\n".join(f"{self._name}  {line}" if line else "" for line in text.split("\n"))
        # As Text: a console given by the caller may read markup in strings.
        self._console.print(Text(text, style=style))

    def _seconds(self, prediction: Prediction) -> float:
        return (prediction.t_end_us - (self._first_us or 0)) / 1e6

    def _line(self, prediction: Prediction) -> str:
        best = best_text(
            prediction.labels,
            prediction.scores,
            prediction.groups,
            prediction.group_scores,
            self._scores,
            prediction.n_events,
        )
        return (
            f"{self._seconds(prediction):8.3f} s  {best}  |  {prediction.n_events} events, "
            f"{prediction.timing.latency_us / 1000:.1f} ms, "
            f"{self._dropped(prediction)}"
        )

    def show_status(self, status: StatusHeader) -> None:
        """Shows how a live source does, once a second; from any thread."""
        if self._live is not None:
            self._status = status_text(status)
            if time.monotonic() - self._drawn > LINE_S and self._latest is not None:
                self._draw(self._latest)
        else:
            self._print(f"   status  {status_text(status)}", style="dim")

    def panel(self, prediction: Prediction) -> RenderableType:
        """The live view of one prediction: its labels, the facts, the progress through the file."""
        facts = _flow(self._facts(prediction), self._console.width)
        if self._status:
            facts += "\n" + textwrap.fill(self._status, max(1, self._console.width))
        self._progress.update(self._task, completed=self._pipeline.recording.position)
        return Group(
            self._table(prediction), Text(facts, style="dim"), self._progress.get_renderable()
        )

    def _table(self, prediction: Prediction) -> Table:
        """Labels, bars and scores; a narrow terminal shortens the first and leaves out bars."""
        width = self._console.width
        bar_width = max(0, min(BAR_WIDTH, width - 30)) if width >= BAR_FROM else 0
        # Each column is padded by one on both sides.
        room = max(1, width - (bar_width + 2 if bar_width else 0) - (SCORE_WIDTH + 2) - 2)
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(
            no_wrap=True, overflow="ellipsis", min_width=min(LABEL_WIDTH, room), max_width=room
        )
        if bar_width:
            table.add_column(width=bar_width)
        table.add_column(justify="right", width=SCORE_WIDTH, no_wrap=True)
        if not prediction.n_events:
            table.add_row(Text(NO_EVENTS, style="dim"))
            return table
        for rank, (label, score) in enumerate(
            zip(prediction.labels, prediction.scores, strict=True)
        ):
            done = max(0.0, score)  # a cosine may be below
            bar = [ProgressBar(total=1.0, completed=done, width=bar_width)] if bar_width else []
            style = "bold green" if rank == 0 else ""
            table.add_row(
                Text(printable(label), style=style),
                *bar,
                Text(score_text(score, self._scores, digits=1), style=style),
            )
        return table

    def _facts(self, prediction: Prediction) -> list[str]:
        best = list(zip(prediction.groups, prediction.group_scores, strict=True))[:1]
        changes = prediction.vocabulary_rev
        return [
            f"t {self._seconds(prediction):.3f} s",
            f"{prediction.n_events:,} events in "
            f"{(prediction.t_end_us - prediction.t_begin_us) / 1000:g} ms",
            f"latency {prediction.timing.latency_us / 1000:.1f} ms",
            f"backlog {self._pipeline.backlog}",
            self._dropped(prediction),
            *(
                f"group {printable(group)} {score_text(score, self._scores)}"
                for group, score in best
                if prediction.n_events
            ),
            *([f"words changed {changes}x"] if changes else []),
        ]

    @staticmethod
    def _dropped(prediction: Prediction) -> str:
        """Events dropped, those that filters removed apart: they were asked for."""
        filtered = prediction.dropped.get("filter", 0)
        lost = sum(prediction.dropped.values()) - filtered
        return f"dropped {lost:,}" + (f", filtered {filtered:,}" if filtered else "")

    def summary(self) -> None:
        """The exit summary."""
        total = self._pipeline.summary
        lost = sum(total.dropped.values())
        stages = _listed(total.dropped)
        removed = _listed(total.filtered)
        full = f"{total.saturated:,} events met a full counter\n" if total.saturated else ""
        latency = total.latency_us
        rate = total.events_in / total.seconds / 1e6 if total.seconds else 0.0
        self._print(
            f"\n{total.events_in:,} events in, {total.events_published:,} published, "
            f"{lost:,} dropped{f' ({stages})' if stages else ''}\n"
            f"{f'filtered: {removed}' + chr(10) if removed else ''}"
            f"{full}"
            f"{total.slices:,} slices, {total.labels:,} labels in {total.seconds:.2f} s "
            f"({rate:.2f} Mev/s)\n"
            f"event to label, ms: p50 {latency.p50 / 1000:.2f}, p90 {latency.p90 / 1000:.2f}, "
            f"p99 {latency.p99 / 1000:.2f}, max {latency.max / 1000:.2f}"
        )


def _some(names: Sequence[str]) -> str:
    """The first of many names."""
    shown = ", ".join(map(printable, names[:8]))
    return f"{shown}, ... ({len(names)})" if len(names) > 8 else shown


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items() if n)


def _flow(facts: list[str], width: int) -> str:
    """The facts in lines of at most `width` columns: a line ends between two, not within one."""
    unbroken = "   ".join(fact.replace(" ", "\u00a0") for fact in facts)
    return textwrap.fill(unbroken, max(1, width)).replace("\u00a0", " ")
