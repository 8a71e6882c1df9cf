"""Checkpoints of a training: all that the next step depends on, in files that hold no code.

`checkpoints/step-00000042/` has `encoder.safetensors`, `average.safetensors` (with `train.ema`),
`optimiser.pt` (moments, loss scale, random states; read with weights_only) and `state.json`. A
folder appears whole or not at all. What is drawn for a sample depends on seed, epoch and sample
alone (`datasets/samples.py`), so the step number is all there is to know of the data.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from saccade.camera.errors import printable
from saccade.training.config import Config, ConfigError, Objective

KEPT = 2  # checkpoints: the newest, and the one before
_NAME = re.compile(r"step-(\d{8})")
#: Keys that may differ between the parts of one training: they change none of its numbers.
_FREE = {"train.workers", "train.checkpoint_steps", "train.validate_epochs"}


class Stamp(msgspec.Struct, forbid_unknown_fields=True):
    """`state.json`.

    Attributes:
        step: how many were made.
        objective, config: what is trained.
        processes: how many train together; the batches depend on it.
        classes: the sum of the classes and their prompts.
    """

    step: int
    objective: Objective
    config: dict[str, Any]
    processes: int
    classes: str


@dataclass
class State:
    """What a training changes from step to step."""

    encoder: nn.Module
    average: nn.Module | None
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # pyright: ignore[reportPrivateImportUsage]


def save_checkpoint(folder: Path, state: State, stamp: Stamp) -> None:
    """Writes a checkpoint below `folder`, and removes the older ones.

    Raises:
        ConfigError: it cannot be written; the checkpoints before are still there.
    """
    target = folder / f"step-{stamp.step:08}"
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part.", dir=folder) as work:
            made = Path(work) / "made"
            made.mkdir()
            _save_weights(state.encoder, made / "encoder.safetensors")
            if state.average is not None:
                _save_weights(state.average, made / "average.safetensors")
            content = {
                "optimiser": state.optimiser.state_dict(),
                "scaler": state.scaler.state_dict(),
                "random": _random(),
            }
            torch.save(content, made / "optimiser.pt")
            (made / "state.json").write_bytes(msgspec.json.encode(stamp))
            shutil.rmtree(target, ignore_errors=True)
            os.rename(made, target)  # noqa: PTH104 - its error names both
    except (OSError, SafetensorError, RuntimeError) as error:
        what = f"{target}: cannot be written ({error}); make room, then --resume"
        raise ConfigError(printable(what)) from None
    for old in list_checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints below `folder`, the oldest first."""
    return sorted(path for path in folder.glob("step-*") if _NAME.fullmatch(path.name))


def load_checkpoint(path: Path, state: State, wanted: Stamp) -> int:
    """Puts a checkpoint into `state`; gives the number of steps made.

    Raises:
        ConfigError: it is damaged, or of another configuration than `wanted`.
    """
    try:
        stamp = msgspec.json.decode((path / "state.json").read_bytes(), type=Stamp)
        _check_same(path, stamp, wanted)
        state.encoder.load_state_dict(safetensors.torch.load_file(path / "encoder.safetensors"))
        if state.average is not None:
            average = safetensors.torch.load_file(path / "average.safetensors")
            state.average.load_state_dict(average)
        content: Any = torch.load(path / "optimiser.pt", map_location="cpu", weights_only=True)
        state.optimiser.load_state_dict(content["optimiser"])
        state.scaler.load_state_dict(content["scaler"])
        _set_random(content["random"])
    except ConfigError:
        raise
    except (
        *(OSError, ValueError, KeyError, RuntimeError, EOFError),
        *(pickle.UnpicklingError, SafetensorError, msgspec.MsgspecError),
    ) as error:
        what = f"{error}".partition("\n")[0][:200]
        raise ConfigError(
            printable(f"{path}: damaged ({what}); remove it, and --resume takes the one before")
        ) from None
    return stamp.step


def stamp_of(
    step: int, objective: Objective, config: Config, processes: int, classes: str
) -> Stamp:
    """What a checkpoint of this training says."""
    table = msgspec.json.decode(msgspec.json.encode(config))
    return Stamp(step, objective, table, processes, classes)


def _check_same(path: Path, found: Stamp, wanted: Stamp) -> None:
    mine, theirs = _flat(wanted.config), _flat(found.config)
    keys = sorted({*mine, *theirs} - _FREE)
    differ = [
        key for key in keys if not key.startswith("export.") and mine.get(key) != theirs.get(key)
    ]
    for name in ("objective", "processes", "classes"):
        if getattr(found, name) != getattr(wanted, name):
            differ.append(name)
    if differ:
        key = differ[0]
        was = f"was {theirs[key]!r}, is {mine.get(key)!r}" if key in theirs else "differs"
        more = f", and {len(differ) - 1} more" if differ[1:] else ""
        what = (
            f"{path}: of another training ({key} {was}{more}); resume with what it was begun with"
        )
        raise ConfigError(printable(what))


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _save_weights(module: nn.Module, path: Path) -> None:
    state = {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    safetensors.torch.save_file(state, path)


def _random() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _set_random(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
