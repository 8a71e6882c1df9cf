"""`saccade record`."""

from __future__ import annotations

from typing import Annotated

import typer

from saccade.stream.options import Realtime, Seconds


def add_record_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.command()(record)


def record(
    source: Annotated[str, typer.Argument(metavar="URI", help="A live source.")],
    file: Annotated[
        str, typer.Argument(help="The .aedat4 or .raw to write; FILE.json lists gaps.")
    ],
    seconds: Seconds = None,
    realtime: Realtime = False,
) -> None:
    """Record a live source, whole, without labels."""
    from saccade.stream.record import record_source

    record_source(source, file, seconds=seconds, realtime=realtime)
