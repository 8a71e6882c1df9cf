"""`saccade embed`: an archive of recordings as embeddings and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saccade.stream.options import (
    Count,
    Engine,
    EngineName,
    Geometry,
    ModelName,
    Precision,
    Scores,
    ScoresName,
    Stride,
    Template,
    Text,
    Unknown,
    Whole,
    Window,
)


def add_embed_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.command()(embed)


def embed(
    folder: Annotated[Path, typer.Argument(help="Recordings, in folders of any depth.")],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Gets a Parquet file for each, and index.json.")
    ],
    labels: Annotated[Text, typer.Option(help="As of `saccade run`. [default: all]")] = None,
    window: Window = None,
    count: Count = None,
    stride: Stride = None,
    model: ModelName = "saccade-mini",
    workers: Annotated[
        Whole, typer.Option(help="Processes. [default: one for each core; 1 with a GPU]")
    ] = None,
    ray: Annotated[
        Text,
        typer.Option(
            metavar="ADDRESS|local", help="Workers are those of a Ray cluster. [default: none]"
        ),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Do results of other settings in DIR again.")
    ] = False,
    half: Annotated[
        bool, typer.Option("--float16", help="Embeddings in half the bytes, rounded.")
    ] = False,
    top: Annotated[int, typer.Option(help="Labels per slice.")] = 5,
    scores: Scores = ScoresName.softmax,
    unknown: Unknown = None,
    template: Template = None,
    geometry: Geometry = None,
    engine: EngineName = Engine.auto,
    precision: Precision = None,
    batch: Annotated[
        Whole, typer.Option(help="Frames, up to 8, of a run. [default: 4, with TensorRT 1]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Embed and label an archive of recordings, each slice exactly once; run it again to go on."""
    from saccade.stream.embed_run import EmbedOptions
    from saccade.stream.embed_run import embed as run
    from saccade.stream.embedding import EmbedSettings

    settings = EmbedSettings(
        model, labels, window, count, stride, geometry, top, scores.value, unknown,
        tuple(template or ()), engine.value, precision.value if precision else None, batch, half,
    )  # fmt: skip
    if not run(EmbedOptions(folder, out, settings, workers, ray, again, as_json)):
        raise typer.Exit(2)
