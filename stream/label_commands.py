"""`saccade labels`: make, show and test the words that a model can label with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from saccade.stream.options import ModelName, Text

Templates = Annotated[
    Optional[list[str]],  # noqa: UP007
    typer.Option(
        "--template",
        metavar="NAME|TEXT|FILE",
        help="What words are put into: a set such as clip-imagenet, a text with {}, or a file of "
        "such; repeatable. [default: the model's]",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Bank = Annotated[
    Optional[Path],  # noqa: UP007
    typer.Argument(metavar="BANK", help="A file of `labels make`. [default: the model's words]"),
]


def add_label_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    labels = typer.Typer(
        help="The words that a model can label with.", no_args_is_help=True, rich_markup_mode=None
    )
    app.add_typer(labels, name="labels")
    labels.command()(make)
    labels.command()(show)
    labels.command()(test)


def make(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write, .safetensors.")],
    labels: Annotated[
        str,
        typer.Option(
            help="Words set apart by commas, 'cup | mug' for synonyms, 'vehicle: car, truck' for "
            "groups; or a file of such."
        ),
    ],
    model: ModelName = "saccade-mini",
    template: Templates = None,
) -> None:
    """Embed words once, so that runs need no text tower."""
    from saccade.stream.label_banks import make_bank

    make_bank(out, labels, model, template or [])


def show(bank: Bank = None, model: ModelName = "saccade-mini", as_json: AsJson = False) -> None:
    """List the words of a bank or of a model, as `--labels FILE` takes them."""
    from saccade.stream.label_banks import show_bank

    show_bank(bank, model, as_json=as_json)


def test(
    bank: Bank = None,
    model: ModelName = "saccade-mini",
    near: Annotated[
        float, typer.Option(help="Name each two labels whose cosine is above this.")
    ] = 0.95,
    embeddings: Annotated[
        Optional[tuple[Path, str]],  # noqa: UP007
        typer.Option(
            metavar="NPZ KEY",
            help="Measure on these, [N, dimension] or [N, n, dimension], in the labels' order.",
        ),
    ] = None,
    names: Annotated[
        Text, typer.Option(metavar="KEY", help="The array of the same file with their labels, [N].")
    ] = None,
    images: Annotated[
        Optional[Path],  # noqa: UP007
        typer.Option(metavar="FOLDER", help="Measure on photos, in a folder for each label."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which labels are hard to tell apart, and how often the right one is best."""
    from saccade.stream.label_banks import TestOptions, test_bank

    test_bank(TestOptions(bank, model, near, embeddings, names, images, as_json))
