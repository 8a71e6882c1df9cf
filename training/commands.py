"""What `saccade train` does."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import torch

from saccade.camera.errors import printable
from saccade.camera.toml import to_toml
from saccade.training.config import Config, ConfigError, Objective, read_config
from saccade.training.datasets.kinds import recipe_of
from saccade.training.datasets.samples import Samples
from saccade.training.processes import Processes, processes
from saccade.training.results import write_model
from saccade.training.towers import Clip, event_encoder, load_clip, student
from saccade.training.trainer import Task, Trainer


def train(objective: Objective, config_path: Path, out: Path, *, resume: bool) -> None:
    """Trains by a configuration and leaves in `out` the checkpoints, the metrics and `model`.

    Raises:
        SaccadeError: the configuration or the data cannot serve; `out` holds another training.
    """
    config = read_config(config_path, objective)
    with processes() as here:
        model = out / "model"
        _check_folder(out, resume=resume)
        clip = load_clip(config.model)
        trainer = Trainer(_task(objective, config, clip), out, here)
        if resume:
            trainer.resume()
        here.wait()  # all have looked, and found nothing wrong
        if here.first:
            _make_folder(out, config)
            print(_summary(trainer, here), file=sys.stderr)
        figures = trainer.run()
        if here.first:
            write_model(
                model, objective, config, clip, trainer.encoder, trainer.task.samples, figures
            )
            shown = ", ".join(f"{name} {value:.1%}" for name, value in figures.items())
            print(printable(f"{model}: {shown or 'not validated'}; `saccade run --model {model}`"))
        here.wait()


def _check_folder(out: Path, *, resume: bool) -> None:
    """Raises ConfigError where it would mix two trainings."""
    if (out / "model").exists():
        raise ConfigError(printable(f"{out / 'model'}: is trained already; name another --out"))
    if (out / "metrics.jsonl").exists() and not resume:
        what = f"{out}: holds a training; go on with it (--resume), or name another --out"
        raise ConfigError(printable(what))


def _make_folder(out: Path, config: Config) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "config.toml").write_text(to_toml(msgspec.to_builtins(config)), encoding="utf-8")
    except OSError as error:
        raise ConfigError(printable(f"{out}: cannot be written ({error.strerror})")) from None


def _task(objective: Objective, config: Config, clip: Clip) -> Task:
    """The data, the towers and the prompts."""
    arch, loss = clip.arch, config.loss
    size = config.student.size if config.student else arch.size
    seed = config.train.seed
    recipe = recipe_of(config.data.kind, config.frame)
    samples = Samples(
        config.data,
        size=size,
        photo_size=arch.size if loss.needs_images else 0,
        seed=seed,
        training=True,
        recipe=recipe,
        simulation=config.simulation,
    )
    held = None
    if config.validation is not None:
        tested = Samples(
            config.validation,
            size=size,
            training=False,
            recipe=recipe,  # those that it learns, whatever kind of data it is tested on
            simulation=config.simulation,
        )
        held = tested, clip.prompt_features(tested.listing.classes)
    prompts = torch.empty(0, arch.dimension)
    if loss.zs or loss.pred:
        prompts = clip.prompt_features(samples.listing.classes)
    if config.student is not None:
        encoder = student(config.student, arch.dimension, seed)
    else:
        encoder = event_encoder(clip)
    image = clip.image_tower() if loss.needs_images else None
    return Task(objective, config, encoder, image, prompts, samples, held)


def _summary(trainer: Trainer, here: Processes) -> str:
    task = trainer.task
    count = sum(p.numel() for p in task.encoder.parameters())
    where = f"{here.count} processes on {here.device.type}" if here.count > 1 else f"{here.device}"
    return printable(
        f"{task.objective}: {count / 1e6:.1f} M weights on {len(task.samples)} samples of "
        f"{len(task.samples.listing.classes.ids)} classes (prompts "
        f"{task.samples.listing.classes.sha256[:12]}), steps {trainer.step} to {trainer.steps}, "
        f"{where}, {task.config.train.precision}"
    )
