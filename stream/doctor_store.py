"""The doctor's checks of models: those that are here, the folders of the store, and its disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from saccade.camera.errors import SaccadeError, printable
from saccade.engines.models import BUNDLED, read_manifest
from saccade.engines.places import engines_folder, models_folder
from saccade.stream.doctor import Check

#: What a ViT-L/14 with all of its files takes while it is added, about.
_ENOUGH_DISK = 4 << 30


def check_store() -> list[Check]:
    """The bundled models and those of the store, the store's folders, and room for more."""
    store = models_folder()
    return [
        check_models("bundled models", BUNDLED, "`pip install --force-reinstall saccade`"),
        check_folder("model store", store),
        check_models("models", store, "`saccade models remove NAME` and `saccade models add` it"),
        check_folder("engine cache", engines_folder()),
        check_disk(store, lambda path: shutil.disk_usage(path).free),
    ]


def check_models(name: str, folder: Path, remedy: str) -> Check:
    """The model folders in a folder: whether each has a manifest and the files that it names.

    Their bytes are left to `saccade models verify`: they may be gigabytes.
    """
    whole: list[str] = []
    broken: list[str] = []
    for path in sorted(folder.glob("[!.]*/model.toml")):
        try:
            manifest = read_manifest(path)
            files = ["model.onnx", *manifest.files]
            lost = [file for file in files if not (path.parent / file).is_file()]
            if lost:
                raise SaccadeError(f"{path.parent}: {', '.join(lost)} missing")
            whole.append(path.parent.name)
        except SaccadeError as error:
            broken.append(printable(str(error)))
    if broken:
        return Check(name, "wrong", "; ".join(broken), remedy)
    return Check(name, "ok", ", ".join(map(printable, whole)) or "none yet")


def check_folder(name: str, folder: Path) -> Check:
    """Whether a folder can be written to, or made where it is not there yet."""
    nearest = _nearest(folder)
    says = printable(str(folder))
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "ok", says if nearest == folder else f"{says} (made when needed)")
    remedy = f'sudo chown -R "$USER" {printable(str(nearest))}, or set SACCADE_HOME to your folder'
    if not nearest.is_dir():
        remedy = f"{printable(str(nearest))} is a file: move it, or set SACCADE_HOME"
    return Check(name, "wrong", f"{says} cannot be written", remedy)


def check_disk(folder: Path, free: Callable[[Path], int]) -> Check:
    """Room for models where they are stored."""
    found = free(_nearest(folder))
    says = f"{found / 1e9:.1f} GB free for models"
    if found >= _ENOUGH_DISK:
        return Check("disk", "ok", says)
    remedy = f"a large CLIP takes {_ENOUGH_DISK / 1e9:.0f} GB while it is added; free some, or set "
    return Check("disk", "note", says, remedy + "SACCADE_HOME to a folder of another disk")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
