"""`saccade keys`: who may read what a run publishes, and who may change it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

KeyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the key.")]


def add_key_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    keys = typer.Typer(
        help="Keys (CURVE) for --key, --allow and --server, where others can reach a run.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    app.add_typer(keys, name="keys")
    keys.command()(make)
    keys.command()(show)


def make(file: KeyFile) -> None:
    """Make a key, in a new file, and print its public half."""
    from saccade.stream.keys import make_key

    typer.echo(make_key(file).public)


def show(file: KeyFile) -> None:
    """Print the public half of a key, for others."""
    from saccade.stream.keys import read_key

    typer.echo(read_key(file).public)
