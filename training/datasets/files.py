"""What lies in the folders of a data set: samples by class, in an order that never changes."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from saccade.camera.errors import printable
from saccade.training.config import DataConfig
from saccade.training.datasets.classes import (
    ClassError,
    Classes,
    folder_classes,
    read_classes,
)
from saccade.training.datasets.kinds import KINDS
from saccade.training.datasets.splits import read_split

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True)
class Sample:
    """A recording, or the image that is simulated; its class number; its paired image."""

    path: Path
    label: int
    image: Path | None


@dataclass(frozen=True)
class Listing:
    """The samples of a data set, and all classes whose numbers they have."""

    samples: tuple[Sample, ...]
    classes: Classes


def list_samples(data: DataConfig) -> Listing:
    """The samples that a configuration asks for: sorted by class folder, then by name.

    Raises:
        ClassError: a folder is not there or empty, is of no class, has fewer files than the shots
            asked for, or an image is missing.
    """
    root = Path(data.root)
    folders = _folders(root)
    classes = _classes(data, folders)
    wanted = classes.ids
    if data.split:
        split = read_split(data.split, classes.ids)
        if data.part not in split.parts:
            what = f"part {data.part!r}: the split {data.split} has {', '.join(split.parts)}"
            raise ClassError(printable(what))
        classes, wanted = classes.select(split.all), split.parts[data.part]
    numbers = {name: number for number, name in enumerate(classes.ids)}
    samples: list[Sample] = []
    for name in wanted:
        if name not in folders:
            raise ClassError(printable(f"{root / name}: no such folder; complete the data"))
        files = _few(data, name, _folded(data, _files(data, root / name)))
        images = _images(data, name)
        samples += [Sample(file, numbers[name], _pair(data, file, images)) for file in files]
    return Listing(tuple(samples), classes)


def _folders(root: Path) -> list[str]:
    try:
        found = [path.name for path in root.iterdir() if path.is_dir() and path.name[0] != "."]
    except OSError as error:
        raise ClassError(printable(f"{root}: cannot be read ({error.strerror})")) from None
    if not found:
        raise ClassError(printable(f"{root}: has no folder; it must have one for each class"))
    return sorted(found)


def _classes(data: DataConfig, folders: Sequence[str]) -> Classes:
    file = data.classes or KINDS[data.kind].classes
    if not file:
        return folder_classes(folders, data.templates)
    known = read_classes(file, data.templates)
    if data.split:
        return known
    strange = [name for name in folders if name not in known.ids]
    if strange:
        what = f"{Path(data.root) / strange[0]}: no class of {file}; remove it, or name it there"
        raise ClassError(printable(what))
    return known.select(folders)


def _files(data: DataConfig, folder: Path) -> list[Path]:
    ends = KINDS[data.kind].extensions
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name[0] != "." and (not ends or path.suffix.lower() in ends)
    ]
    if not found:
        wanted = f" of {', '.join(ends)}" if ends else ""
        raise ClassError(printable(f"{folder}: has no file{wanted}; complete the data"))
    return found


def _folded(data: DataConfig, files: list[Path]) -> list[Path]:
    """Held out is every `folds`-th file by name: of ten the 5th, as saccade-mini has it."""
    if data.fold == "all":
        return files
    held = (data.folds - 1) // 2
    return [f for k, f in enumerate(files) if (k % data.folds == held) == (data.fold == "held")]


def _few(data: DataConfig, name: str, files: list[Path]) -> list[Path]:
    """The first `shots` of a shuffle that the seed and the class's name alone decide.

    So the one of 1-shot is among the two of 2-shot, and no class changes another's.
    """
    if not data.shots:
        return files
    if len(files) < data.shots:
        what = f"{Path(data.root) / name}: {len(files)} files, too few for {data.shots} shots"
        raise ClassError(printable(what))
    rng = np.random.default_rng([data.shots_seed, zlib.crc32(name.encode())])
    return sorted(files[k] for k in rng.permutation(len(files))[: data.shots])


def _images(data: DataConfig, name: str) -> dict[str, Path]:
    """The paired images of a class, by their names before the extension."""
    if not data.images or data.kind == "images":
        return {}
    folder = Path(data.images) / name
    try:
        return {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in IMAGES}
    except OSError as error:
        raise ClassError(printable(f"{folder}: cannot be read ({error.strerror})")) from None


def _pair(data: DataConfig, file: Path, images: dict[str, Path]) -> Path | None:
    if data.kind == "images":
        return file
    if not data.images:
        return None
    if file.stem not in images:
        what = f"{Path(data.images) / file.parent.name / file.stem}.*: no image for {file}"
        raise ClassError(printable(f"{what}; complete the images"))
    return images[file.stem]
