"""Where a model comes from: a repository on the hub, a folder or a file of this machine."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec

from saccade.camera.errors import printable
from saccade.engines.hub import HubFiles
from saccade.engines.models import ModelError
from saccade.engines.open_clip_names import hub_repository
from saccade.engines.reporting import Report

#: Files of weights that are taken without being asked for, best first.
USUAL_WEIGHTS = (
    "open_clip_model.safetensors",
    "model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
_ENDS = (".safetensors", ".pt", ".pth", ".bin")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


class Files(Protocol):
    """Files by name, wherever they come from.

    Attributes:
        where: for messages.
        names: which there are.
        revision: the commit that they are of; empty for those of this machine.
    """

    where: str
    names: frozenset[str]
    revision: str

    def fetch(self, name: str) -> Path:
        """The file on this machine; ModelError where it cannot be had."""
        ...


class LocalFiles:
    """The files of a folder, or one file alone."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.where = str(folder)
        self.names = frozenset(names)
        self.revision = ""
        self._folder = folder

    def fetch(self, name: str) -> Path:
        """The file, where it lies."""
        if name not in self.names:
            have = ", ".join(sorted(self.names)) or "nothing"
            raise ModelError(printable(f"{self.where}: no file {name}; the folder has {have}"))
        return self._folder / name


@dataclass(frozen=True, slots=True)
class Source:
    """What a model is made from.

    Attributes:
        files: the checkpoint and what lies beside it.
        weights: name of the checkpoint; None where `files` are a model folder as it is.
        name: what the model is called where the user does not say.
        origin: the source as the manifest records it.
    """

    files: Files
    weights: str | None
    name: str
    origin: str


def find_source(
    text: str, file: str | None, revision: str | None, offline: bool, report: Report
) -> Source:
    """The source that the user named.

    Args:
        text: a path, a hub id OWNER/NAME, or open_clip:ARCHITECTURE/TAG. A path comes first.
        file: the file of weights, where a repository or folder has several.
        revision: a branch, tag or commit of the hub's repository.
        offline: takes only what is in the hub's cache.
        report: what is being done.

    Raises:
        ModelError: there is no such source, or none that a model can be made from.
    """
    # Path.exists raises where the name is too long.
    if os.path.exists(text):  # noqa: PTH110
        if revision is not None or (file is not None and not Path(text).is_dir()):
            option = "--file" if revision is None else "--revision"
            raise ModelError(printable(f"{text}: {option} is for a repository of the hub"))
        return _local(Path(text), file)
    if text.startswith("open_clip:"):
        name = text.removeprefix("open_clip:")
        return _hub(HubFiles(hub_repository(name), revision, offline, report), file, name)
    if _HUB_ID.fullmatch(text):
        return _hub(HubFiles(text, revision, offline, report), file)
    raise ModelError(
        f"source {text!r}: neither a file or folder that is here, nor a hub id OWNER/NAME, nor "
        "open_clip:ARCHITECTURE/TAG; name one of them"
    )


def _hub(files: HubFiles, file: str | None, name: str | None = None) -> Source:
    weights = _choose(files, file)
    name = (name or files.where.partition("/")[2]).replace("/", "-")
    if weights is None:
        return Source(files, None, name, files.where)
    # One of several models in a repository is called after its file, too.
    stem = "" if weights in USUAL_WEIGHTS else "-" + Path(weights).stem
    return Source(files, weights, name + stem, f"{files.where}/{weights}")


def _local(path: Path, file: str | None) -> Source:
    name = path.resolve().name
    if path.is_dir():
        files = LocalFiles(path, (entry.name for entry in path.iterdir() if entry.is_file()))
        weights = _choose(files, file)
        return Source(files, weights, name, name if weights is None else f"{name}/{weights}")
    if not name.endswith(_ENDS):
        what = f"not a checkpoint; give one of {', '.join(_ENDS)}, or a folder"
        raise ModelError(printable(f"{path}: {what}"))
    # What else lies in its folder may have nothing to do with it.
    return Source(LocalFiles(path.parent, [path.name]), path.name, Path(name).stem, name)


def _choose(files: Files, file: str | None) -> str | None:
    """The file of weights; None where `files` are a model folder."""
    if file is not None:
        if file not in files.names:
            files.fetch(file)  # says what there is
        return file
    if "model.toml" in files.names:
        return None
    for usual in USUAL_WEIGHTS:
        if usual in files.names:
            return usual
    found = sorted(name for name in files.names if name.endswith(_ENDS))
    if len(found) == 1:
        return found[0]
    if found:
        what = f"has {', '.join(found)}; choose one with --file"
    else:
        what = f"has no weights that can be read ({', '.join(_ENDS)}); name another source"
    raise ModelError(printable(f"{files.where}: {what}"))


class _Card(msgspec.Struct):
    """What a model card's metadata say of the licence."""

    license: str | list[str] | None = None
    license_name: str | None = None
    license_link: str | None = None


def licence_of(files: Files) -> str:
    """The licence that the model card's metadata state; empty where there is none."""
    if "README.md" not in files.names:
        return ""
    path = files.fetch("README.md")
    import yaml
    from huggingface_hub import repocard

    try:
        card = msgspec.convert(cast(Any, repocard).metadata_load(path) or {}, _Card)
    except (ValueError, OSError, yaml.YAMLError):
        return ""  # no metadata that say anything
    stated = card.license_name if card.license == "other" and card.license_name else card.license
    words = ", ".join(stated) if isinstance(stated, list) else stated or ""
    return printable(f"{words} ({card.license_link})" if card.license_link else words)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
