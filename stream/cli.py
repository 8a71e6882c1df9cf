"""The command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

import typer

from saccade.camera.errors import SaccadeError, printable
from saccade.stream.broker_command import add_broker_command
from saccade.stream.control_commands import add_control_commands
from saccade.stream.device_commands import add_device_commands
from saccade.stream.doctor_command import add_doctor_command
from saccade.stream.embed_command import add_embed_command
from saccade.stream.engine_commands import add_engine_commands
from saccade.stream.evaluate_command import add_evaluate_command
from saccade.stream.file_commands import add_file_commands
from saccade.stream.key_commands import add_key_commands
from saccade.stream.label_commands import add_label_commands
from saccade.stream.model_commands import add_model_commands
from saccade.stream.record_command import add_record_command
from saccade.stream.run_command import add_run_commands
from saccade.stream.teach_command import add_teach_command
from saccade.stream.train_command import add_train_command

app = typer.Typer(
    name="saccade",
    help="Live zero-shot labels for event cameras.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # its help takes 150 ms to import
    pretty_exceptions_enable=False,
)
add_file_commands(app)
add_control_commands(app)
add_label_commands(app)
add_engine_commands(app)
add_doctor_command(app)
add_device_commands(app)
add_model_commands(app)
add_key_commands(app)
add_broker_command(app)
add_record_command(app)
add_train_command(app)
add_teach_command(app)
add_evaluate_command(app)
add_embed_command(app)
add_run_commands(app)


def main() -> None:
    """The `saccade` command: a mistake of the user's is one line and exit code 2.

    Ctrl-C is exit code 130, and a reader of our output that has left (`| head -1`) is 0.
    """
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):  # a name that it cannot encode is no fault
            output.reconfigure(errors="backslashreplace")
    sys.exit(_run_app())


def _run_app() -> int:
    code: int | None = 2
    try:
        code = app(standalone_mode=False)  # of --help and typer.Exit; else None
        print(end="", flush=True)  # what does not fit on the disk is to be seen here
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except (BrokenPipeError, SystemExit) as error:
        # Typer and rich turn a reader that has left into exit code 1.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        code = 0
        _discard_output()
    except SaccadeError as error:
        _refuse(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "reading or writing failed: "
        _refuse(f"{where}{error.strerror or error}")
        _discard_output()
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's usage errors, in all its versions
            raise
        _refuse_usage(error)
    return code or 0


def _refuse(message: str) -> None:
    with contextlib.suppress(OSError):
        print(f"error: {printable(message)}", file=sys.stderr, flush=True)


def _refuse_usage(error: Any) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":  # a group's name alone: its message is the help
        typer.echo(error.format_message(), err=True)
        return
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if message:  # none after `saccade` alone: the help was printed
        _refuse(f"{message}; see `{context.command_path} --help`" if context else message)


def _discard_output() -> None:
    """What is still buffered cannot be written: without this, Python says so at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
