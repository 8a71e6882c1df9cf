"""`saccade train`: event encoders by the paper's losses, and students of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated, Literal

import typer

from saccade.camera.errors import SaccadeError

train_app = typer.Typer(
    help="Train an event encoder from CLIP's towers.", no_args_is_help=True, rich_markup_mode=None
)
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML: see docs/training.md.")]
Out = Annotated[
    Path, typer.Option(help="Folder for checkpoints, metrics and the model that comes of it.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the newest checkpoint in --out, if any.")
]


def add_train_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.add_typer(train_app, name="train")


@train_app.command()
def pretrain(config: ConfigFile, out: Out, resume: Resume = False) -> None:
    """Align the event tower, a copy of the image tower, with paired images (L_ct, L_zs, L_kl)."""
    _train("pretrain", config, out, resume)


@train_app.command()
def finetune(config: ConfigFile, out: Out, resume: Resume = False) -> None:
    """Adapt the event tower to classes by their prompts (L_pred), with few examples or many."""
    _train("finetune", config, out, resume)


@train_app.command()
def distill(config: ConfigFile, out: Out, resume: Resume = False) -> None:
    """Train a smaller encoder towards a CLIP's embeddings of paired images or of the words."""
    _train("distill", config, out, resume)


def _train(
    objective: Literal["pretrain", "finetune", "distill"], config: Path, out: Path, resume: bool
) -> None:
    if importlib.util.find_spec("torch") is None:
        raise SaccadeError("train: needs torch; pip install 'saccade[train]'")
    from saccade.training.commands import train

    train(objective, config, out, resume=resume)
