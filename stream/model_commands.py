"""`saccade models`: the models that come with saccade, and those of the store."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from saccade.stream.options import Frame, Text, Whole

models_app = typer.Typer(
    help="The models that there are, and more of them.", no_args_is_help=True, rich_markup_mode=None
)
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Name = Annotated[str, typer.Argument(help="A model's name, as `saccade models list` has it.")]


class CountingName(str, Enum):
    """Values of --counting."""

    sensor = "sensor"
    encoder = "encoder"


class NormaliseName(str, Enum):
    """Values of --normalise."""

    none = "none"
    clip = "clip"


class ActivationName(str, Enum):
    """Values of --activation."""

    quick_gelu = "quick_gelu"
    gelu = "gelu"


def add_model_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    app.add_typer(models_app, name="models")


@models_app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the bundled models and those of the store."""
    from saccade.stream.models import list_models

    list_models(as_json=as_json)


@models_app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a model's manifest, its files and its licence."""
    from saccade.stream.models import show_model

    show_model(name, as_json=as_json)


@models_app.command()
def verify(
    names: Annotated[
        Optional[list[str]],  # noqa: UP007
        typer.Argument(metavar="[NAME]...", help="All by default."),
    ] = None,
) -> None:
    """Check every file of a model against its manifest; exit code 1 where one is damaged."""
    from saccade.stream.models import verify_models

    if not verify_models(names or []):
        raise typer.Exit(1)


@models_app.command()
def remove(
    name: Name, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Remove a model from the store."""
    from saccade.stream.models import remove_model

    remove_model(name, yes=yes)


@models_app.command()
def add(
    source: Annotated[
        str,
        typer.Argument(
            help="A hub id OWNER/NAME, open_clip:ARCHITECTURE/TAG, a checkpoint (.pt, .bin, "
            ".safetensors), or a folder of one or of a model."
        ),
    ],
    name: Annotated[
        Text, typer.Option(help="What to call it. [default: by the source's name]")
    ] = None,
    file: Annotated[
        Text, typer.Option(help="The file of weights, where the source has several.")
    ] = None,
    revision: Annotated[
        Text, typer.Option(help="A branch, tag or commit of the repository. [default: main]")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Take only what is in the hub's cache.")
    ] = False,
    sha256: Annotated[Text, typer.Option(help="Refuse a checkpoint with another.")] = None,
    arch: Annotated[Text, typer.Option(help="Refuse any other, such as ViT-B-32.")] = None,
    frame: Annotated[
        Optional[Frame],  # noqa: UP007
        typer.Option(help="The event frames that it is fed. [default: clamped]"),
    ] = None,
    clamp: Annotated[Whole, typer.Option(help="Of clamped frames. [default: 10]")] = None,
    counting: Annotated[
        Optional[CountingName],  # noqa: UP007
        typer.Option(help="On the sensor's grid or on the encoder's. [default: sensor]"),
    ] = None,
    activation: Annotated[
        Optional[ActivationName],  # noqa: UP007
        typer.Option(help="Of a checkpoint that nothing says it of."),
    ] = None,
    normalise: Annotated[
        Optional[NormaliseName],  # noqa: UP007
        typer.Option(
            help="CLIP's mean and std on event frames, in the encoder. "
            "[default: clip; none for the paper's weights]"
        ),
    ] = None,
    precision: Annotated[
        Text, typer.Option(help="Encoders to make: fp32,fp16,int8. [default: all]")
    ] = None,
    vocab: Annotated[
        Optional[Path],  # noqa: UP007
        typer.Option(help="CLIP's bpe_simple_vocab_16e6.txt.gz, for a source without one."),
    ] = None,
    licence: Annotated[
        Text, typer.Option(help="What you know of it, where the source does not say.")
    ] = None,
) -> None:
    """Get a model, convert it, and put it into the store."""
    from saccade.engines.adding import AddOptions
    from saccade.stream.models import add_model, parse_precisions

    add_model(
        AddOptions(
            source=source,
            name=name,
            file=file,
            revision=revision,
            offline=offline,
            sha256=sha256,
            architecture=arch,
            frame=frame.value if frame else None,
            clamp=clamp,
            counting=counting.value if counting else None,
            activation=activation.value if activation else None,
            normalise=normalise.value if normalise else None,
            precisions=parse_precisions(precision),
            vocab=vocab,
            licence=licence,
        )
    )
