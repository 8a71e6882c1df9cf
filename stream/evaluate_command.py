"""`saccade evaluate`: how good a model and its labels are, on recordings whose labels are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from saccade.stream.options import (
    Count,
    Engine,
    EngineName,
    Geometry,
    ModelName,
    Precision,
    Text,
    Window,
)


def add_evaluate_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.command()(evaluate)


def evaluate(
    folder: Annotated[
        Path, typer.Argument(help="Recordings of any format, in a folder for each label.")
    ],
    model: ModelName = "saccade-mini",
    labels: Annotated[
        Text,
        typer.Option(
            help="Words or a bank, as of `saccade run`. [default: the model's; the folders' names "
            "where it has none]"
        ),
    ] = None,
    windows: Annotated[
        int, typer.Option(help="Of each recording, spread evenly; 1 is the one in the centre.")
    ] = 1,
    window: Window = None,
    count: Count = None,
    unseen: Annotated[
        Text,
        typer.Option(
            metavar="NAMES|FILE", help="Labels that the model was not trained on: figures of both."
        ),
    ] = None,
    few_shot: Annotated[
        str, typer.Option(help="Recordings of each label to learn from, 20 draws each, or none.")
    ] = "1,2,5,10,20",
    robustness: Annotated[
        bool,
        typer.Option(
            "--robustness",
            help="Again with noise, with half of the events, at other speeds and sensor sizes.",
        ),
    ] = False,
    out: Annotated[
        Optional[Path],  # noqa: UP007
        typer.Option(metavar="FILE", help="Write a page of figures and pictures, .html."),
    ] = None,
    record: Annotated[
        Optional[Path],  # noqa: UP007
        typer.Option("--json", metavar="FILE", help="Write the figures as JSON."),
    ] = None,
    geometry: Geometry = None,
    engine: EngineName = Engine.auto,
    precision: Precision = None,
) -> None:
    """Say how often labels are right on recordings in FOLDER/LABEL/, and how sure that is."""
    from saccade.stream.evaluation import EvaluateOptions
    from saccade.stream.evaluation import evaluate as run

    run(
        EvaluateOptions(
            folder,
            model,
            labels,
            windows,
            window,
            count,
            unseen,
            few_shot,
            robustness,
            out,
            record,
            geometry,
            engine.value,
            precision.value if precision else None,
        )
    )
