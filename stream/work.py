"""How far long work is: a line on a terminal that is drawn again, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from saccade.camera.errors import printable
from saccade.engines.reporting import Report

if TYPE_CHECKING:
    from rich.progress import Progress


@contextlib.contextmanager
def shown_work() -> Iterator[Report]:
    """What work reports to; on stderr, so that what is printed at the end stands alone."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        *(BarColumn(), TaskProgressColumn(), TimeElapsedColumn()),
    )
    console = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)


class _Bar:
    """The latest thing that is begun beside a bar; those without a share stay as lines above."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)
        self._seen = ""

    def __call__(self, what: str, share: float | None = None) -> None:
        if what != self._seen:
            self._seen = what
            self._progress.reset(self._task, description=printable(what), total=None)
            if share is None:
                self._progress.console.print(printable(what))
        if share is not None:
            self._progress.update(self._task, total=1.0, completed=share)


class _Lines:
    """A line for each thing that is begun."""

    def __init__(self) -> None:
        self._seen = ""

    def __call__(self, what: str, share: float | None = None) -> None:
        if what != self._seen:
            self._seen = what
            print(printable(what), file=sys.stderr, flush=True)
