"""`saccade doctor`: what is here, what is wrong, and what mends it."""

from __future__ import annotations

from typing import Annotated

import typer


def add_doctor_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.command()(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look at this machine: what saccade needs, what is wrong, and what mends it.

    Exit code 1 where something that is needed is wrong; what is optional is only noted.
    """
    import msgspec

    from saccade.stream.doctor import examine

    checks = examine()
    wrong = [check for check in checks if check.state == "wrong"]
    if as_json:
        found = {"ok": not wrong, "checks": checks}
        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=1))
    else:
        for check in checks:
            typer.echo(f"{check.state:5}  {check.name}: {check.says}")
            if check.remedy:
                typer.echo(f"       -> {check.remedy}")
    if wrong:
        raise typer.Exit(1)
