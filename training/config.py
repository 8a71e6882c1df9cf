"""Configurations of `saccade train`: TOML, read strictly. Needs no torch.

Defaults are the paper's where it has some (method: AdamW .9 .999, weight decay .03, lr = base *
GPUs * batch / 256, linear warm-up over 40 epochs, then cosine to 0).
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.frames import Counting, FrameKind
from saccade.engines.clip.config import Activation
from saccade.engines.manifest import Precision as FilePrecision

Objective = Literal["pretrain", "finetune", "distill"]
Kind = Literal[
    "n-imagenet", "n-caltech101", "n-mnist", "cifar10-dvs", "n-cars", "recordings", "images"
]
Fold = Literal["all", "train", "held"]
Motion = Literal["saccades", "random_walk"]

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Natural = Annotated[int, msgspec.Meta(ge=0)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Weight = Annotated[float, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class ConfigError(SaccadeError):
    """A configuration that cannot be trained by."""


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[model]`.

    Attributes:
        clip: the frozen CLIP: a model's name or folder (a plain CLIP of `saccade models add`), or a
            checkpoint of any layout, or a folder of one with its vocabulary.
        event: where the event tower starts from: a model folder; "" is a copy of the image tower.
        activation: of a checkpoint that nothing says it of.
        vocab: CLIP's merges, for a checkpoint that has none beside it.
    """

    clip: str
    event: str = ""
    activation: Activation | None = None
    vocab: str = ""


class StudentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[student]` of `distill`: a small CNN, or a vision transformer of these sides.

    Attributes:
        kind: cnn or vit.
        size: side of a frame, pixels.
        channels: of the CNN's stages, each of which halves the sides.
        patch, width, layers, heads: of the transformer.
    """

    kind: Literal["cnn", "vit"] = "cnn"
    size: _Count = 96
    channels: tuple[_Count, ...] = (32, 64, 128, 256)
    patch: _Count = 16
    width: _Count = 192
    layers: _Count = 6
    heads: _Count = 3


class DataConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[data]`, and `[validation]`, whose windows are the centres and are not augmented.

    Attributes:
        kind: which data set; `recordings` and `images` are folders by class of anybody's.
        root: the folder that holds a folder for each class.
        images: the same of paired images, whose names before the extension are the recordings'.
        classes: a file of classes and their words (see `datasets/classes.py`); by default the one
            that comes with the kind, else the folders' names.
        split, part: which classes: a file of `datasets/splits.py` (or the name of one that comes
            with saccade), and a part that it names. Prompts are always of all its classes.
        fold, folds: which files of each class: every `folds`-th by name is held.
        shots, shots_seed: only so many files of each class, drawn by the seed; 0 is all.
        templates: prompts, as `--template` takes them; by default the kind's.
        events, window_us: the length of a window, by count or in time; by default the kind's.
        geometry: (width, height) of recordings that do not state it.
        augment: events and frames; in `[data]` alone.
    """

    kind: Kind
    root: str
    images: str = ""
    classes: str = ""
    split: str = ""
    part: str = ""
    fold: Fold = "all"
    folds: Annotated[int, msgspec.Meta(ge=2)] = 10
    shots: _Natural = 0
    shots_seed: _Natural = 0
    templates: tuple[str, ...] = ()
    events: _Natural = 0
    window_us: _Natural = 0
    geometry: tuple[_Count, _Count] | None = None
    augment: bool = True


class FrameConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[frame]`: other frames than the data set's own (see `FrameSpec`)."""

    kind: FrameKind
    counting: Counting = "sensor"
    clamp: _Count = 10


class SimulationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[simulation]`: the sensor that sees a folder of images, and how these move before it.

    Attributes:
        width, height: pixels of the sensor.
        threshold: contrast of both polarities, log intensity.
        noise_hz: random events per pixel and second.
        duration_us: of the motion.
        amplitude: how far it goes, as a share of the sensor's height.
        motion: in training; held-out images always move in three saccades.
    """

    width: _Count = 240
    height: _Count = 180
    threshold: _Positive = 0.2
    noise_hz: _Weight = 0.1
    duration_us: _Count = 300_000
    amplitude: _Positive = 0.05
    motion: Motion = "random_walk"


class LossConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[loss]`: see `saccade.training.losses`, whose arguments these are.

    Attributes:
        ct, zs, kl, pred, distill: weights; 0 leaves a loss out. By default those of the command.
        symmetric: of L_ct: both directions.
        tau_e, tau_i: temperatures of L_ct and L_kl.
        temperature, scale: T and s of L_zs.
    """

    ct: _Weight = 0.0
    zs: _Weight = 0.0
    kl: _Weight = 0.0
    pred: _Weight = 0.0
    distill: _Weight = 0.0
    symmetric: bool = False
    tau_e: _Positive = 0.2
    tau_i: _Positive = 0.1
    temperature: _Positive = 2.0
    scale: _Positive = 1 / 0.07

    @property
    def needs_images(self) -> bool:
        """Whether a loss compares with the paired images."""
        return any((self.ct, self.zs, self.kl, self.distill))


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[train]`.

    Attributes:
        epochs: passes over the data.
        batch: samples of one process (of one GPU) a step; the rest of an epoch that fills none is
            left for the next epoch's order.
        accumulate: into how many parts it is cut, one after another, where memory is short; the
            losses between samples are then each part's own.
        base_lr: the peak is base_lr * processes * batch / 256.
        warmup_epochs: of the linear rise before the cosine.
        weight_decay, beta1, beta2: AdamW's, of all weights alike.
        precision: of the towers; losses are float32. fp16 needs a GPU.
        ema: decay of the averaged weights a step, which are validated and exported; 0 is off.
        seed: of the order, the windows, the augmentation, and a student's weights.
        workers: processes that read.
        checkpoint_steps, validate_epochs: how often; a checkpoint is also left by every epoch.
    """

    epochs: _Count = 100
    batch: _Count = 32
    accumulate: _Count = 1
    base_lr: _Positive = 1e-6
    warmup_epochs: _Weight = 40
    weight_decay: _Weight = 0.03
    beta1: _Share = 0.9
    beta2: _Share = 0.999
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    ema: _Share = 0.0
    seed: _Natural = 0
    workers: _Natural = 0
    checkpoint_steps: _Count = 500
    validate_epochs: _Count = 1


class ExportConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[export]`: the model folder that is made at the end."""

    name: str = "trained"
    licence: str = "not stated"
    precisions: tuple[FilePrecision, ...] = ("fp32",)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole configuration."""

    model: ModelConfig
    data: DataConfig
    loss: LossConfig
    train: TrainConfig
    validation: DataConfig | None = None
    student: StudentConfig | None = None
    frame: FrameConfig | None = None
    simulation: SimulationConfig = SimulationConfig()
    export: ExportConfig = ExportConfig()


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "model": ModelConfig,
    "data": DataConfig,
    "validation": DataConfig,
    "student": StudentConfig,
    "frame": FrameConfig,
    "simulation": SimulationConfig,
    "loss": LossConfig,
    "train": TrainConfig,
    "export": ExportConfig,
}
#: What each command is when the file does not say otherwise: the paper's pre-training and
#: fine-tuning; distillation is ours.
_DEFAULTS: dict[Objective, dict[str, dict[str, Any]]] = {
    "pretrain": {"loss": {"ct": 1.0, "zs": 0.1, "kl": 1.0}, "train": {"epochs": 200}},
    "finetune": {"loss": {"pred": 1.0}, "train": {"base_lr": 5e-6}},
    "distill": {
        "loss": {"distill": 1.0},
        "train": {"base_lr": 2e-3, "warmup_epochs": 5, "batch": 64},
    },
}


def read_config(path: Path, objective: Objective) -> Config:
    """The configuration of a file, with the defaults of a command.

    Raises:
        ConfigError: it cannot be read, has a key that there is not (near ones are named), a value
            that cannot be, or asks for what does not go together.
    """
    try:
        table = msgspec.toml.decode(path.read_bytes(), type=dict[str, Any])
        _check_keys(table)
        merged = {
            name: {**_DEFAULTS[objective].get(name, {}), **table.get(name, {})}
            for name in {*table, *_DEFAULTS[objective]}
        }
        config = msgspec.convert(merged, Config)
        _check(config, objective)
    except OSError as error:
        raise _error(path, f"cannot be read ({error.strerror})") from None
    except msgspec.ValidationError as error:
        what, _, where = f"{error}".partition(" - at `$.")
        raise _error(path, f"{where.rstrip('`') or 'it'}: {what}") from None
    except (ValueError, RecursionError) as error:
        raise _error(path, f"{error}") from None
    return config


def _check_keys(table: dict[str, Any]) -> None:
    _check_names("section", table, [*_SECTIONS])
    for name, section in table.items():
        if not isinstance(section, dict):
            raise ValueError(f"{name}: is a section, write [{name}]")
        fields = [field.encode_name for field in msgspec.structs.fields(_SECTIONS[name])]
        _check_names(f"key of [{name}]", section, fields)  # pyright: ignore[reportUnknownArgumentType]


def _check_names(what: str, given: dict[str, Any], known: list[str]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, 0.5) or known
            raise ValueError(f"{name!r} is no {what}; near it: {', '.join(near)}")


def _check(config: Config, objective: Objective) -> None:
    """Raises ValueError where sections do not go together."""
    loss, train, data = config.loss, config.train, config.data
    if not any((loss.needs_images, loss.pred)):
        raise ValueError("loss: every weight is 0; give one, such as ct = 1")
    if loss.needs_images and not data.images and data.kind != "images":
        raise ValueError("data.images: the losses compare with paired images, name their folder")
    if train.batch % train.accumulate:
        raise ValueError(f"train.accumulate: {train.accumulate} parts of {train.batch} are not one "
                         "size; choose a divisor of the batch")  # fmt: skip
    if (config.student is not None) != (objective == "distill"):
        raise ValueError("student: belongs to distill, which cannot do without")
    if config.student and config.student.kind == "vit":
        student = config.student
        if student.size % student.patch or student.width % student.heads:
            raise ValueError("student: size must be patches, and width heads, of one size")
    for part in (data, config.validation):
        if part is not None and part.events and part.window_us:
            raise ValueError("events, window_us: a window has one length, give one of them")
        if part is not None and bool(part.split) != bool(part.part):
            raise ValueError("split, part: give both, or none for all classes")


def _error(path: Path, what: str) -> ConfigError:
    return ConfigError(printable(f"{path}: {what}"))
