"""`saccade run` and `saccade listen`: labels, published and printed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from saccade.camera.errors import SaccadeError
from saccade.stream.options import (
    Allow,
    Background,
    Batch,
    ControlAddress,
    Count,
    Engine,
    EngineName,
    Frame,
    Frames,
    FramesName,
    From,
    Geometry,
    HotPixels,
    Insecure,
    KeyFile,
    MaxRate,
    ModelName,
    Polarity,
    Precision,
    Realtime,
    Record,
    RecordFolder,
    Refractory,
    Roi,
    Scores,
    ScoresName,
    Seconds,
    SensorText,
    ServerKey,
    Smooth,
    Stride,
    Template,
    Text,
    To,
    Unknown,
    VideoEvents,
    VideoThreshold,
    Vote,
    Window,
)

DEFAULT_ADDRESS = "zmq://127.0.0.1:5556"


def add_run_commands(app: typer.Typer) -> None:
    """Adds both."""
    app.command()(run)
    app.command()(listen)


def run(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="A recording, or a live source: prophesee://; or several."
        ),
    ],
    labels: Annotated[
        Text,
        typer.Option(
            help="Words set apart by commas, 'vehicle: car, truck; cup | mug' in groups and with "
            "synonyms, a file with one a line, or a bank (.safetensors). [default: all]"
        ),
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
    stream: Annotated[
        Optional[list[str]],  # noqa: UP007
        typer.Option(
            metavar="NAME",
            help="Name of the stream in topics; repeatable, once for each of several sources. "
            "[default: cam; of several, the serial number or the file's name]",
        ),
    ] = None,
    geometry: Geometry = None,
    wait_for: Annotated[
        int, typer.Option(help="Wait for this many subscribers before the first slice.")
    ] = 0,
    fail_on_drop: Annotated[
        bool,
        typer.Option(
            "--fail-on-drop",
            help="Exit with 3 where an event was lost, gaps of --stride and filters aside.",
        ),
    ] = False,
    start: From = None,
    stop: To = None,
    roi: Roi = None,
    polarity: Polarity = None,
    hot_pixels: HotPixels = None,
    refractory: Refractory = None,
    background: Background = None,
    max_rate: MaxRate = None,
    engine: EngineName = Engine.auto,
    precision: Precision = None,
    batch: Batch = None,
    frames: Frames = FramesName.auto,
    scores: Scores = ScoresName.softmax,
    unknown: Unknown = None,
    smooth: Smooth = None,
    vote: Vote = None,
    template: Template = None,
    control: ControlAddress = None,
    key: KeyFile = None,
    allow: Allow = None,
    insecure_no_auth: Insecure = False,
    seconds: Seconds = None,
    record: Record = None,
    record_folder: RecordFolder = None,
    realtime: Realtime = False,
    video_events: VideoEvents = None,
    video_threshold: VideoThreshold = None,
    sensor: SensorText = None,
) -> None:
    """Label a recording or a live source, and publish the labels."""
    from saccade.stream.run import SWITCH_S, RunOptions, run_source
    from saccade.stream.run_cameras import check_streams, run_cameras

    check_streams(stream or (), len(sources))
    if wait_for < 0:
        raise SaccadeError(f"wait-for {wait_for}: must be 0 (wait for nobody) or more")
    options = RunOptions(
        source=sources[0],
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
        stream=stream[0] if stream else "cam",
        geometry=geometry,
        wait_for=wait_for,
        start=start,
        stop=stop,
        roi=roi,
        polarity=polarity.value if polarity else None,
        hot_pixels=hot_pixels,
        refractory=refractory,
        background=background,
        max_rate=max_rate,
        engine=engine.value,
        precision=precision.value if precision else None,
        batch=batch,
        frames=frames.value,
        scores=scores.value,
        unknown=unknown,
        smooth=smooth,
        vote=vote,
        template=tuple(template or ()),
        control=control,
        key=key,
        allow=allow,
        insecure_no_auth=insecure_no_auth,
        seconds=seconds,
        record=record,
        record_folder=record_folder,
        realtime=realtime,
        video_events=video_events.value if video_events else None,
        video_threshold=video_threshold,
        sensor=sensor,
    )
    sys.setswitchinterval(SWITCH_S)
    several = len(sources) > 1
    dropped = run_cameras(options, sources, stream or ()) if several else run_source(options)
    if dropped and fail_on_drop:
        typer.echo(f"error: {dropped} events were dropped (--fail-on-drop)", err=True)
        raise typer.Exit(3)


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
    key: KeyFile = None,
    server: ServerKey = None,
) -> None:
    """Print the labels that a publisher sends."""
    from saccade.stream.keys import client_keys
    from saccade.stream.listen import listen_to

    listen_to(
        address,
        as_json=as_json,
        count=count,
        timeout_s=timeout,
        until_end=until_end,
        keys=client_keys(key, server),
    )
