"""`saccade control`: asks a run that was started with `--control`, and changes what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from saccade.camera.errors import SaccadeError, printable
from saccade.stream.options import KeyFile, ServerKey

if TYPE_CHECKING:
    from saccade.stream.control_client import Control

DEFAULT_CONTROL = "zmq://127.0.0.1:5558"

Address = Annotated[str, typer.Option(metavar="URI", help="The run's --control.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for the answer.")]
ANSWER_S = 2.0
Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def add_control_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    control = typer.Typer(
        help="Ask a run (saccade run --control), change its words, record.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    control.command("set-labels")(set_labels)
    control.command()(status)
    control.command()(hello)
    control.command()(time)
    record = typer.Typer(
        help="Record the live source of a run (--record-folder).",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    record.command("start")(record_start)
    record.command("stop")(record_stop)
    control.add_typer(record, name="record")
    app.add_typer(control, name="control")


def set_labels(
    labels: Annotated[str, typer.Argument(help="Words, or a file of them, as run --labels.")],
    address: Address = DEFAULT_CONTROL,
    timeout: Annotated[float, typer.Option(help="Seconds that making the words may take.")] = 120.0,
    as_json: Json = False,
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """Label with other words from now on."""
    with _open(address, min(timeout, ANSWER_S), key, server) as control:
        found = control.set_labels(labels, timeout)
    words = ", ".join(map(printable, found.labels))
    _show(
        found,
        as_json,
        f"{len(found.labels)} labels in use, revision {found.vocabulary_rev}: {words}",
    )


def record_start(
    name: Annotated[str, typer.Argument(help="A file in the run's folder: today.aedat4 or .raw.")],
    address: Address = DEFAULT_CONTROL,
    timeout: Timeout = ANSWER_S,
    as_json: Json = False,
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """Record from now on, into a new file."""
    with _open(address, timeout, key, server) as control:
        found = control.record_start(name)
    _show(found, as_json, f"recording {printable(found.path)}")


def record_stop(
    address: Address = DEFAULT_CONTROL,
    timeout: Timeout = ANSWER_S,
    as_json: Json = False,
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """End the recording; exit code 2 where it is not complete."""
    with _open(address, timeout, key, server) as control:
        found = control.record_stop()
    lost = ", ".join(f"{n:,} by {who}" for who, n in found.lost.items() if n)
    gaps = f"{found.gaps} gaps" + (f" ({lost})" if lost else "")
    _show(found, as_json, f"{found.events:,} events in {printable(found.path)}, {gaps}")
    if found.error:
        raise SaccadeError(f"the recording is not complete: {found.error}")


def status(
    address: Address = DEFAULT_CONTROL,
    timeout: Timeout = ANSWER_S,
    as_json: Json = False,
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """Say how the run is doing."""
    with _open(address, timeout, key, server) as control:
        found = control.status()
    run = found.status
    lost = {name: n for name in run.dropped.__struct_fields__ if (n := getattr(run.dropped, name))}
    dropped = ", ".join(f"{name} {n:,}" for name, n in lost.items()) or "nothing"
    _show(
        found,
        as_json,
        f"{run.stream}  run {run.run}  up {run.uptime_s:.1f} s\n"
        f"{run.events_in:,} events in, {run.events_published:,} published, "
        f"{run.events_pending:,} on their way; dropped: {dropped}\n"
        f"{run.slices:,} slices, {run.labels:,} labelled, backlog {run.backlog}, "
        f"event to label {run.delay_us / 1000:.1f} ms\n"
        f"{found.words} words, revision {found.vocabulary_rev}\n"
        f"{printable(run.recording) or 'nothing is recorded'}\n"
        f"{found.requests} requests, {found.malformed} malformed messages",
    )


def hello(
    address: Address = DEFAULT_CONTROL,
    timeout: Timeout = ANSWER_S,
    as_json: Json = False,
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """Say which run answers, with which model."""
    with _open(address, timeout, key, server) as control:
        found = control.hello()
    _show(
        found,
        as_json,
        f"{found.stream}  run {found.run}  saccade {printable(found.saccade)}\n"
        f"model {printable(found.model)}, space {printable(found.space)}, sensor "
        f"{found.width}x{found.height}\n"
        f"commands: {', '.join(map(printable, found.commands))}",
    )


def time(
    address: Address = DEFAULT_CONTROL,
    timeout: Timeout = ANSWER_S,
    as_json: Json = False,
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """Say how far the run's clock is from this machine's."""
    with _open(address, timeout, key, server) as control:
        found = control.time()
        offset_ns, error_ns = control.clock_offset_ns()
    _show(
        found,
        as_json,
        f"monotonic {found.sent_ns} ns, wall clock {found.wall_ns} ns\n"
        f"that is ours plus {offset_ns / 1000:.1f} us, give or take {error_ns / 1000:.1f} us",
    )


def _open(address: str, timeout_s: float, key: str | None, server: str | None) -> Control:
    from saccade.stream.control_client import Control
    from saccade.stream.keys import client_keys

    return Control(address, timeout_s, client_keys(key, server))


def _show(found: object, as_json: bool, text: str) -> None:
    import msgspec

    typer.echo(printable(msgspec.json.encode(found).decode()) if as_json else text)
