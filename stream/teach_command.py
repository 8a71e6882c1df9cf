"""`saccade teach`: labels from a handful of examples."""

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
    Text,
    Window,
)


def add_teach_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.command()(teach)


def teach(
    source: Annotated[
        list[str],
        typer.Argument(help="A recording, or a camera such as inivation://, after its --label."),
    ],
    label: Annotated[
        list[str],
        typer.Option(
            metavar="NAME", help="What the next SOURCE shows; one for each, a name may come again."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The file to write, .safetensors.")],
    model: ModelName = "saccade-mini",
    shots: Annotated[int, typer.Option(help="Windows of each label, spread evenly.")] = 10,
    head: Annotated[
        Text,
        typer.Option(
            help="prototypes (the mean of the windows), linear (trained to tell them apart) or "
            "cache (they count beside what words say). [default: prototypes; cache where "
            "--labels are joined and the model has a text tower]"
        ),
    ] = None,
    labels: Annotated[
        Text, typer.Option(help="Words that join the taught labels, as of `saccade run`.")
    ] = None,
    window: Window = None,
    count: Count = None,
    geometry: Geometry = None,
    engine: EngineName = Engine.auto,
    precision: Precision = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Make labels of a few windows of recordings or cameras, for `saccade run --labels OUT`.

    saccade teach --label mug mug.aedat4 --label hand hand.aedat4 --out mine.safetensors
    """
    from saccade.stream.teaching import TeachOptions
    from saccade.stream.teaching import teach as run

    run(
        TeachOptions(
            out,
            label,
            source,
            model,
            shots,
            head,
            labels,
            window,
            count,
            geometry,
            engine.value,
            precision.value if precision else None,
            as_json,
        )
    )
