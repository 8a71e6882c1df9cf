"""How far long work is: a line on a terminal that is drawn again, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from saccade.camera.errors import printable
from saccade.engines.reporting import Report


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
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        seen: str | None = None

        def report(what: str, share: float | None = None) -> None:
            nonlocal seen
            if what != seen:
                progress.reset(task, description=printable(what), total=None)
                seen = what
            if share is not None:
                progress.update(task, total=1.0, completed=share)

        yield report


class _Lines:
    """A line for each thing that is begun."""

    def __init__(self) -> None:
        self._seen = ""

    def __call__(self, what: str, share: float | None = None) -> None:
        if what != self._seen:
            self._seen = what
            print(printable(what), file=sys.stderr, flush=True)
