"""`saccade engine`: what TensorRT has built here, and whether engines agree with the reference."""

from __future__ import annotations

from typing import Annotated

import typer

from saccade.stream.options import Engine, EngineName, Precision

engine_app = typer.Typer(
    help="Engines that were built for this GPU, and how well engines agree.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(help="A bundled model's name or a model folder.")]
Batch = Annotated[int, typer.Option(help="Frames at a time, from 1 to 8.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def add_engine_commands(app: typer.Typer) -> None:
    """Adds them to the command line."""
    app.add_typer(engine_app, name="engine")


@engine_app.command()
def build(
    model: Name = "saccade-mini",
    precision: Precision = None,
    batch: Batch = 1,
    level: Annotated[
        int, typer.Option(help="How long to search: 0 (seconds) to 5 (many minutes).")
    ] = 3,
    workspace: Annotated[
        int, typer.Option(metavar="MIB", help="Memory of the GPU that one layer may use.")
    ] = 2048,
) -> None:
    """Build a model for TensorRT on this GPU, compare it with the reference, and keep it."""
    from saccade.stream.engines import build_engine

    build_engine(model, precision.value if precision else None, batch, level, workspace)


@engine_app.command("list")
def list_engines(as_json: AsJson = False) -> None:
    """List what was built."""
    from saccade.stream.engines import list_engines

    list_engines(as_json=as_json)


@engine_app.command()
def verify(
    model: Name = "saccade-mini",
    engine: EngineName = Engine.auto,
    precision: Precision = None,
    batch: Batch = 1,
) -> None:
    """Compare an engine's embeddings of 64 frames with those of ONNX Runtime in fp32."""
    from saccade.stream.engines import verify_engine

    verify_engine(model, engine.value, precision.value if precision else None, batch)


@engine_app.command()
def clean(
    unusable: Annotated[
        bool,
        typer.Option(
            "--unusable", help="Only what is damaged, or for another GPU, driver or TensorRT."
        ),
    ] = False,
) -> None:
    """Remove what was built; it is built again where it is needed."""
    from saccade.stream.engines import clean_engines

    clean_engines(unusable=unusable)
