"""The model store: a folder for each model, made whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from saccade.camera.errors import SaccadeError, printable
from saccade.engines.models import (
    BUNDLED,
    Model,
    ModelError,
    bundled_models,
    read_manifest,
    stored_models,
)
from saccade.engines.places import models_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def model_folder(name: str) -> Path:
    """The folder of a model, bundled or in the store.

    Raises:
        ModelError: there is none of this name.
    """
    if name in bundled_models():
        return BUNDLED / name
    if name in stored_models():
        return models_folder() / name
    have = ", ".join([*bundled_models(), *stored_models()])
    raise ModelError(f"model {name!r}: not in the store; there are {printable(have)}")


def check_new_name(name: str) -> None:
    """Refuses a name that no new model can have.

    Raises:
        ModelError: it is no folder's name, or a model has it.
    """
    if not _NAME.fullmatch(name):
        what = "not a name; take letters, digits and . _ + -, such as --name my-clip"
        raise ModelError(f"model {name!r}: {what}")
    if name in bundled_models():
        raise ModelError(f"model {name!r}: a bundled model has this name; choose another (--name)")
    if name in stored_models():
        what = f"is in the store; `saccade models remove {name}` first, or choose another (--name)"
        raise ModelError(f"model {name!r}: {what}")


@contextlib.contextmanager
def adding(name: str) -> Iterator[Path]:
    """Where to make the folder of the model `name`; it enters the store when the block ends well.

    Until then it lies in `.NAME.part`, which is locked, by the kernel: no lock outlives a kill.

    Raises:
        ModelError: the name cannot be had, or another process is adding a model of this name.
    """
    check_new_name(name)
    clean_store()
    with _locked(name) as part:
        try:
            check_new_name(name)  # another process may have just finished
            yield part / name
            (part / name).rename(models_folder() / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def remove_model(name: str) -> None:
    """Removes a model from the store.

    Raises:
        ModelError: it is not there, is bundled, or is being added or removed by another process.
    """
    folder = model_folder(name)
    if name in bundled_models():
        raise ModelError(f"model {name!r}: comes with saccade and stays; remove others")
    with _locked(name) as part:
        # First out of sight, in one step: a kill in between leaves no half of a model.
        folder.rename(part / "removed")
        shutil.rmtree(part)


def clean_store() -> list[str]:
    """Removes what killed processes have left in the store; gives the names of those models."""
    cleaned: list[str] = []
    for part in sorted(models_folder().glob(".*.part")):
        name = part.name[1 : -len(".part")]
        with contextlib.suppress(ModelError, OSError), _locked(name):
            shutil.rmtree(part)
            cleaned.append(name)
    return cleaned


def damages(folder: Path) -> list[str]:
    """What is wrong with a model folder, one line for each file; empty where all of it is right."""
    try:
        model = Model(folder, read_manifest(folder / "model.toml"))
    except ModelError as error:
        return [str(error)]
    found: list[str] = []
    for name in model.sums:
        try:
            _ = model.network(name) if name.endswith(".onnx") else model.file(name)
            if name == "labels.safetensors":
                model.labels()
        except SaccadeError as error:  # of the model, or of its labels
            found.append(str(error))
    return found


@contextlib.contextmanager
def _locked(name: str) -> Iterator[Path]:
    """The empty folder `.NAME.part`, which only this process has as long as the block lasts."""
    part = models_folder() / f".{name}.part"
    descriptor = _lock(part)
    try:
        for inside in part.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside)
            else:
                inside.unlink()
        yield part
    finally:
        os.close(descriptor)


def _lock(part: Path) -> int:
    while True:
        try:
            part.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # its owner has just removed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The folder may have been renamed into the store, or removed, before the lock was had.
            if os.path.samestat(os.fstat(descriptor), part.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            what = "another process is adding or removing it now; wait for that"
            raise ModelError(f"model {part.name[1 : -len('.part')]!r}: {what}") from None
        except FileNotFoundError:
            pass
        os.close(descriptor)
