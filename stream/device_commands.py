"""The commands that look at cameras: which are there, and what is set on one."""

from __future__ import annotations

from typing import Annotated

import typer


def add_device_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    app.command()(devices)
    app.command()(settings)


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """List the event cameras that are plugged in, and what each still needs."""
    import msgspec

    from saccade.stream.devices import find_devices, in_lines

    found = find_devices()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        for line in in_lines(found):
            typer.echo(line)


def settings(
    source: Annotated[str, typer.Argument(help="A camera, such as prophesee://.")],
    out: Annotated[str, typer.Argument(metavar="FILE", help="The file to write (TOML).")],
) -> None:
    """Write what is set on a camera to a file, for SOURCE?settings=FILE."""
    from saccade.stream.devices import write_settings

    typer.echo(write_settings(source, out))
