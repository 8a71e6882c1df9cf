"""The command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from saccade.camera.errors import SaccadeError, printable

app = typer.Typer(
    name="saccade",
    help="Live zero-shot labels for event cameras.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # its help takes 150 ms to import
    pretty_exceptions_enable=False,
)
labels_app = typer.Typer(
    help="The words that a model can label with.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(labels_app, name="labels")

DEFAULT_ADDRESS = "zmq://127.0.0.1:5556"


class Frame(str, Enum):
    """Values of --frame."""

    paper = "paper"
    signed = "signed"
    clamped = "clamped"


# Typer reads annotations at run time, on 3.10 too.
Text = Optional[str]  # noqa: UP007
Whole = Optional[int]  # noqa: UP007
Geometry = Annotated[
    Text, typer.Option(help="Sensor size WIDTHxHEIGHT, for recordings that do not say it.")
]
From = Annotated[
    Text, typer.Option("--from", help="Begin this long after the first event: 1s, 500ms.")
]
To = Annotated[Text, typer.Option("--to", help="End this long after the first event.")]
Window = Annotated[Text, typer.Option(help="Slice by time: 30ms, 500us, 1s. [default: 30ms]")]
Count = Annotated[Whole, typer.Option(help="Slice by number of events instead, such as 30000.")]
Stride = Annotated[Text, typer.Option(help="From slice to slice: a time, or events with --count.")]
ModelName = Annotated[str, typer.Option(help="A bundled model's name or a model folder.")]


@app.command()
def run(
    source: Annotated[str, typer.Argument(help="A recording of any format, read by content.")],
    labels: Annotated[
        Text,
        typer.Option(help="Words set apart by commas, or a file with one a line; all by default."),
    ] = None,
    window: Window = None,
    count: Count = None,
    stride: Stride = None,
    frame: Annotated[
        Optional[Frame],  # noqa: UP007
        typer.Option(help="Another normalisation than the model was trained with."),
    ] = None,
    model: ModelName = "saccade-mini",
    speed: Annotated[
        str, typer.Option(help="1.0 is the recording's clock; or 2.0, or max.")
    ] = "1.0",
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    top: Annotated[int, typer.Option(help="Labels per slice.")] = 5,
    out: Annotated[
        Optional[list[str]],  # noqa: UP007
        typer.Option(
            metavar="URI",
            help="zmq://127.0.0.1:5556, ipc://PATH, jsonl:FILE or jsonl:-; repeatable.",
        ),
    ] = None,
    summary: Annotated[
        Optional[Path],  # noqa: UP007
        typer.Option(help="Write the exit summary to this file as JSON."),
    ] = None,
    stream: Annotated[str, typer.Option(help="Name of the stream in topics.")] = "cam",
    geometry: Geometry = None,
    wait_for: Annotated[
        int, typer.Option(help="Wait for this many subscribers before the first slice.")
    ] = 0,
    fail_on_drop: Annotated[
        bool,
        typer.Option(
            "--fail-on-drop", help="Exit with 3 where an event was lost, gaps of --stride aside."
        ),
    ] = False,
    start: From = None,
    stop: To = None,
) -> None:
    """Label a recording and publish the labels."""
    from saccade.stream.run import RunOptions, run_source
    from saccade.stream.wire import check_stream

    check_stream(stream)
    if wait_for < 0:
        raise SaccadeError(f"wait-for {wait_for}: must be 0 (wait for nobody) or more")
    options = RunOptions(
        source=source,
        labels=labels,
        window=window,
        count=count,
        stride=stride,
        frame=frame.value if frame else None,
        model=model,
        speed=speed,
        loop=loop,
        top=top,
        out=tuple(out or ()),
        summary=summary,
        stream=stream,
        geometry=geometry,
        wait_for=wait_for,
        start=start,
        stop=stop,
    )
    dropped = run_source(options)
    if dropped and fail_on_drop:
        typer.echo(f"error: {dropped} events were dropped (--fail-on-drop)", err=True)
        raise typer.Exit(3)


@app.command()
def listen(
    address: Annotated[str, typer.Argument(help="Where a publisher is bound.")] = DEFAULT_ADDRESS,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    count: Annotated[int, typer.Option(help="End after this many labels; 0 is never.")] = 0,
    timeout: Annotated[
        float, typer.Option(help="End after this many seconds without a message; 0 is never.")
    ] = 0.0,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="End when the publisher says that its run ended.")
    ] = False,
) -> None:
    """Print the labels that a publisher sends."""
    from saccade.stream.listen import listen_to

    listen_to(address, as_json=as_json, count=count, timeout_s=timeout, until_end=until_end)


@app.command()
def inspect(
    file: Annotated[str, typer.Argument(help="A recording.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    geometry: Geometry = None,
) -> None:
    """Say what is in a recording, and where it is damaged."""
    from saccade.stream.report import inspect_file

    inspect_file(file, as_json=as_json, geometry=geometry)


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="IN", help="A recording, read by content.")],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="The file to write: .aedat4, .raw, .npz or .csv.")
    ],
    start: From = None,
    stop: To = None,
    format: Annotated[
        Text, typer.Option(help="aedat4, evt3, evt2, npz or csv. [default: by OUT's extension]")
    ] = None,
    compression: Annotated[
        Text, typer.Option(help="Of AEDAT4: none, lz4 or zstd. [default: zstd]")
    ] = None,
    geometry: Geometry = None,
) -> None:
    """Write a recording, or a part of it, in another format."""
    from saccade.stream.convert import ConvertOptions, convert_file

    convert_file(ConvertOptions(source, out, start, stop, format, compression, geometry))


@app.command()
def frames(
    source: Annotated[str, typer.Argument(metavar="IN", help="A recording, read by content.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="An .npz file, or a folder of .npy.")],
    kind: Annotated[
        str,
        typer.Option(help="paper, signed, clamped, histogram, voxel_grid or time_surface."),
    ] = "paper",
    window: Window = None,
    count: Count = None,
    stride: Stride = None,
    size: Annotated[
        Whole, typer.Option(help="Side of paper, signed and clamped frames. [default: 224]")
    ] = None,
    bins: Annotated[Whole, typer.Option(help="Moments of a voxel grid. [default: 5]")] = None,
    interval: Annotated[
        Text,
        typer.Option(help="Of a voxel grid: events (first to last) or window. [default: events]"),
    ] = None,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="A voxel grid, over what is not 0.")
    ] = False,
    tau: Annotated[
        Text, typer.Option(help="How fast a time surface fades. [default: the window]")
    ] = None,
    decay: Annotated[
        Text, typer.Option(help="Of a time surface: exponential or linear. [default: exponential]")
    ] = None,
    geometry: Geometry = None,
    start: From = None,
    stop: To = None,
) -> None:
    """Write what the slices of a recording become as arrays, for other networks."""
    from saccade.stream.frames import FramesOptions, write_frames

    write_frames(
        FramesOptions(
            source, out, kind, window, count, stride, size, bins, interval, normalise, tau, decay,
            geometry, start, stop,
        )
    )  # fmt: skip


@labels_app.command("show")
def labels_show(model: ModelName = "saccade-mini") -> None:
    """List the words of a model's label bank."""
    from saccade.engines.models import load_model

    for name in load_model(model).labels().names:
        typer.echo(printable(name))


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
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if message:  # none after `saccade` alone: the help was printed
        _refuse(f"{message}; see `{context.command_path} --help`" if context else message)


def _discard_output() -> None:
    """What is still buffered cannot be written: without this, Python says so at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
