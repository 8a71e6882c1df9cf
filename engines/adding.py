"""Adding a model to the store: found, downloaded, checked, converted, and then there at once."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from saccade.camera.errors import printable
from saccade.camera.frames import Counting, FrameKind, FrameSpec
from saccade.engines.clip.config import Activation, Architecture, Normalise
from saccade.engines.manifest import PRECISIONS, FrameInfo, Manifest, Precision
from saccade.engines.models import Model, ModelError, read_manifest
from saccade.engines.onnx import OnnxEngine
from saccade.engines.places import models_folder
from saccade.engines.reporting import Report, silent
from saccade.engines.sources import Files, Source, find_source, licence_of, sha256_of
from saccade.engines.store import adding, damages
from saccade.engines.tokenizer_files import find_tokenizer

NOT_STATED = "not stated"


@dataclass(frozen=True, slots=True)
class AddOptions:
    """What to add, and how; None takes what suits the source.

    Attributes:
        source: a path, a hub id, or open_clip:ARCHITECTURE/TAG.
        name: what the model is called in the store.
        file, revision: which weights of a repository.
        offline: only what is in the hub's cache.
        sha256: that the checkpoint must have (of a model folder, its `model.onnx`).
        architecture: that it must be of, such as ViT-B-32.
        frame, clamp, counting: the event frames that it is fed (`FrameSpec`).
        activation: of a checkpoint that nothing says it of.
        normalise: "clip" puts CLIP's mean and std into the encoder, "none" leaves frames alone.
        precisions: the encoder's files; fp32 is always made.
        vocab: a file of CLIP's byte-pair merges.
        licence: what the manifest says, where the source does not.
    """

    source: str
    name: str | None = None
    file: str | None = None
    revision: str | None = None
    offline: bool = False
    sha256: str | None = None
    architecture: str | None = None
    frame: FrameKind | None = None
    clamp: int | None = None
    counting: Counting | None = None
    activation: Activation | None = None
    normalise: Normalise | None = None
    precisions: tuple[Precision, ...] | None = None
    vocab: Path | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """A model that is in the store now, and what the user should be warned of."""

    name: str
    manifest: Manifest
    warnings: tuple[str, ...]


def add_model(options: AddOptions, report: Report = silent) -> Added:
    """Adds a model to the store, whole or not at all.

    Raises:
        SaccadeError: the source, or what is in it, is refused; nothing was added then.
    """
    if options.sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", options.sha256):
        raise ModelError(f"sha256 {options.sha256!r}: not one; it has 64 hexadecimal digits")
    with _full_disk_explained():
        source = find_source(
            options.source, options.file, options.revision, options.offline, report
        )
        name = options.name or source.name
        with adding(name) as folder:
            if source.weights is None:
                return Added(name, *_copy(source.files, folder, options, report))
            return Added(name, *_convert(source, source.weights, folder, name, options, report))


@contextlib.contextmanager
def _full_disk_explained() -> Iterator[None]:
    """What writes models are libraries of their own: not all raise an OSError with a number."""
    try:
        yield
    except Exception as error:
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if os.strerror(number) in str(error) and "HF_HOME" not in str(error):
                what = f"cannot be written ({os.strerror(number)}), nothing was added; make room "
                what += "there, or set SACCADE_HOME to another disk"
                raise ModelError(printable(f"{models_folder()}: {what}")) from None
        raise


def _copy(
    files: Files, folder: Path, options: AddOptions, report: Report
) -> tuple[Manifest, tuple[str, ...]]:
    """A model folder as it is; ModelError where its files do not match its manifest."""
    frames = options.frame, options.clamp, options.counting
    other = options.activation, options.normalise, options.precisions, options.vocab
    if any(option is not None for option in (*frames, *other)):
        what = "is a model already: --frame, --clamp, --counting, --activation, --normalise, "
        what += "--precision and --vocab are for checkpoints"
        raise ModelError(printable(f"{files.where}: {what}"))
    manifest = read_manifest(files.fetch("model.toml"))
    model = Model(folder, manifest)
    _expect_sha256(options, files.where, manifest.sha256)
    _expect_architecture(options, files.where, _architecture_name(manifest))
    folder.mkdir()
    for name in [*model.sums, "model.toml"]:
        path = files.fetch(name)
        report(f"copying {name}")
        shutil.copyfile(path, folder / name)
    _copy_card(files, folder)
    try:
        for damage in damages(folder):
            raise ModelError(damage)
        report("running it once")
        OnnxEngine(model).close()
    except ModelError as error:  # which names the folder that is removed now
        raise ModelError(f"{error}".replace(str(folder), files.where)) from None
    return manifest, ()


def _convert(
    source: Source, weights: str, folder: Path, name: str, options: AddOptions, report: Report
) -> tuple[Manifest, tuple[str, ...]]:
    """A checkpoint made into a model folder."""
    if importlib.util.find_spec("torch") is None:
        what = "needs torch to convert (not to run): pip install 'saccade[convert]'"
        raise ModelError(printable(f"{source.files.where}: {weights} {what}"))
    files, frame = source.files, _frame(options)
    tokenizer, warning = find_tokenizer(files, options.vocab, options.offline, report)
    licence = options.licence or licence_of(files) or NOT_STATED
    for beside in ("config.json", "open_clip_config.json"):
        if beside in files.names:
            files.fetch(beside)
    path = files.fetch(weights)
    sha256 = sha256_of(path)
    _expect_sha256(options, str(path), sha256)

    from saccade.engines.clip.checkpoints import read_weights
    from saccade.engines.clip.convert import convert

    report(f"reading {weights}")
    read = read_weights(path, options.activation)
    _expect_architecture(options, str(path), read.arch.name)
    if tokenizer is not None:
        _expect_tokens(tokenizer, read.arch, str(path))
    manifest = convert(
        read,
        folder,
        name=name,
        source=source.origin,
        revision=files.revision or f"sha256:{sha256}",
        licence=licence,
        frame=frame,
        # A tower of its own for events was trained on frames as they are, and CLIP's on photos.
        normalise=options.normalise or ("none" if read.has_image_tower else "clip"),
        precisions=options.precisions or PRECISIONS,
        tokenizer_json=tokenizer,
        report=report,
    )
    _copy_card(files, folder)
    warnings = [warning, _unlicensed(source) if licence == NOT_STATED else ""]
    return manifest, tuple(text for text in warnings if text)


def _unlicensed(source: Source) -> str:
    what = "states no licence, so nobody has said what you may do with it; ask its authors"
    return printable(f"{source.origin} {what}")


def _frame(options: AddOptions) -> FrameInfo:
    """The frames of the paper's demonstrations, unless the user asked for others."""
    kind, counting = options.frame or "clamped", options.counting or "sensor"
    if options.clamp is None:
        return FrameInfo(kind, counting)
    FrameSpec(kind, counting=counting, clamp=options.clamp)  # refuses what cannot be
    return FrameInfo(kind, counting, options.clamp)


def _architecture_name(manifest: Manifest) -> str:
    try:
        return msgspec.convert(manifest.architecture, Architecture).name
    except msgspec.ValidationError:
        return "unknown"


def _expect_sha256(options: AddOptions, where: str, sha256: str) -> None:
    if options.sha256 is not None and options.sha256.lower() != sha256.lower():
        what = f"its sha256 is {sha256}, not the one that was asked for"
        raise ModelError(printable(f"{where}: {what}; it is another file, or was changed"))


def _expect_architecture(options: AddOptions, where: str, found: str) -> None:
    if options.architecture is not None and _plain(options.architecture) != _plain(found):
        what = f"its architecture is {found}, not {options.architecture}; name another source"
        raise ModelError(printable(f"{where}: {what}"))


def _expect_tokens(tokenizer: bytes, architecture: Architecture, where: str) -> None:
    last = max(msgspec.json.decode(tokenizer)["model"]["vocab"].values())
    if last >= architecture.vocabulary:
        what = f"its text tower knows {architecture.vocabulary} tokens, but the vocabulary has "
        what += f"tokens up to {last}; give its own with --vocab"
        raise ModelError(printable(f"{where}: {what}"))


def _plain(architecture: str) -> str:
    return re.sub("[^a-z0-9]", "", architecture.lower())


def _copy_card(files: Files, folder: Path) -> None:
    """Keeps what the authors say of their model beside it."""
    for card in ("CARD.md", "README.md"):
        if card in files.names:
            shutil.copyfile(files.fetch(card), folder / "CARD.md")
            return
