"""The commands that read one recording and write or say something of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saccade.stream.options import (
    Count,
    From,
    Geometry,
    SensorText,
    Stride,
    Text,
    To,
    VideoEvents,
    VideoThreshold,
    Whole,
    Window,
)


def add_file_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    app.command()(inspect)
    app.command()(convert)
    app.command()(frames)
    app.command("hot-pixels")(hot_pixels)


def inspect(
    file: Annotated[str, typer.Argument(help="A recording.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    geometry: Geometry = None,
) -> None:
    """Say what is in a recording, and where it is damaged."""
    from saccade.stream.report import inspect_file

    inspect_file(file, as_json=as_json, geometry=geometry)


def hot_pixels(
    source: Annotated[str, typer.Argument(metavar="IN", help="A recording, read by content.")],
    out: Annotated[
        Path, typer.Argument(metavar="MASK", help="The file to write, a line x,y for each pixel.")
    ],
    start: From = None,
    geometry: Geometry = None,
) -> None:
    """Learn the hot pixels of a second of a recording, for `saccade run --hot-pixels MASK`."""
    from saccade.stream.hot_pixels import learn_hot_pixels

    learn_hot_pixels(source, out, start=start, geometry=geometry)


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
    video_events: VideoEvents = None,
    video_threshold: VideoThreshold = None,
    sensor: SensorText = None,
) -> None:
    """Write a recording, a part of it, or what a simulated sensor sees of a video, as a file."""
    from saccade.stream.convert import ConvertOptions, convert_file

    convert_file(
        ConvertOptions(
            source, out, start, stop, format, compression, geometry,
            video_events.value if video_events else None, video_threshold, sensor,
        )
    )  # fmt: skip


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
