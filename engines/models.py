"""Models: folders of `model.onnx`, a manifest `model.toml`, a label bank `labels.safetensors`."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.frames import FrameKind, FrameSpec
from saccade.engines.external_data import has_external_data
from saccade.engines.labels import LabelBank
from saccade.engines.manifest import Manifest, Precision, encoder_file
from saccade.engines.places import models_folder

BUNDLED = Path(__file__).resolve().parent / "models"
DEFAULT_MODEL = "saccade-mini"
#: Encoders up to this size are checked when their model is loaded, so that a damaged one is refused
#: before anything starts; to read a larger one twice takes seconds, and its engine will check it.
CHECKED_AT_LOAD_BYTES = 64 << 20


class ModelError(SaccadeError):
    """A model that is missing or does not match its manifest."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder whose files match its manifest."""

    folder: Path
    manifest: Manifest

    def __post_init__(self) -> None:
        """Raises ModelError where the manifest names a file that lies elsewhere."""
        for name in self.sums:
            if Path(name).name != name or name in ("", ".."):
                what = f"file {name!r} lies outside of the folder; do not trust this manifest"
                raise _error(self.folder / "model.toml", what)

    @property
    def onnx_path(self) -> Path:
        """The encoder in fp32."""
        return self.folder / "model.onnx"

    @property
    def sums(self) -> dict[str, str]:
        """The sha256 of each file that the manifest names."""
        sums = {"model.onnx": self.manifest.sha256, **self.manifest.files}
        if self.manifest.labels_sha256:
            sums["labels.safetensors"] = self.manifest.labels_sha256
        return sums

    def file(self, name: str) -> bytes:
        """A file that the manifest names, checked: load these bytes, not the file again.

        Raises:
            ModelError: the manifest does not name it, it is missing, or its sha256 is another.
        """
        return _read_checked(self.path(name), self.sums[name])

    def path(self, name: str) -> Path:
        """Where a file that the manifest names lies; its content is not checked.

        Raises:
            ModelError: the manifest does not name it, or it is missing.
        """
        if name not in self.sums:
            what = f"the model has no {name}; it has {', '.join(sorted(self.sums))}"
            raise _error(self.folder / "model.toml", what)
        path = self.folder / name
        if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises where the name is too long)
            raise _error(path, "missing; the model folder is incomplete, copy it again")
        return path

    def onnx(self, precision: Precision = "fp32") -> bytes:
        """The encoder at a precision, checked.

        Raises:
            ModelError: as `file`, or its weights lie in other files.
        """
        return self.network(encoder_file(precision))

    def network(self, name: str) -> bytes:
        """An ONNX file that the manifest names, checked.

        Raises:
            ModelError: as `file`, or its weights lie in other files.
        """
        data, path = self.file(name), self.folder / name
        try:
            external = has_external_data(data)
        except ValueError as error:
            raise _error(path, f"not a model that runs ({error}); copy it again") from None
        if external:
            what = "its weights lie in another file, which no sha256 covers; they must lie inside "
            raise _error(path, what + f"{name}: save it without external data")
        return data

    def frame_spec(self, kind: FrameKind | None = None) -> FrameSpec:
        """The frames this encoder wants, with another normalisation where `kind` is given."""
        frame = self.manifest.frame
        return FrameSpec(
            kind or frame.kind, self.manifest.input.size, frame.counting, clamp=frame.clamp
        )

    def labels(self) -> LabelBank:
        """The model's own label bank.

        Raises:
            ModelError: it has none, or the bank is of another space.
        """
        path = self.folder / "labels.safetensors"
        if not self.manifest.labels_sha256:
            what = "the model has no words of its own; make a bank with `saccade labels make`"
            raise _error(self.folder, what)
        bank = LabelBank.load(path)
        wanted = self.manifest.embedding
        if bank.space != wanted.space or bank.embeddings.shape[1] != wanted.dimension:
            raise _error(
                path,
                f"space {bank.space!r} of dimension {bank.embeddings.shape[1]} is not the model's "
                f"{wanted.space!r} of {wanted.dimension}; make the bank again with this model",
            )
        return bank


def bundled_models() -> list[str]:
    """Names of the models that come with saccade."""
    return _models_in(BUNDLED)


def stored_models() -> list[str]:
    """Names of the models in the store, where `saccade models add` puts them."""
    return _models_in(models_folder())


def _models_in(home: Path) -> list[str]:
    # What an `add` has not finished begins with a dot.
    found = (path.parent.name for path in home.glob("*/model.toml"))
    return sorted(name for name in found if not name.startswith("."))


def load_model(name_or_path: str | Path = DEFAULT_MODEL) -> Model:
    """A model by its name, bundled or in the store, or a model folder by its path.

    Every file that the manifest names must be there, and each is checked when its bytes are read;
    the labels and an encoder of up to 64 MiB already now (`damages` in `store.py` checks all).

    Raises:
        ModelError: no such model, an unreadable manifest, a missing file, a wrong sha256, or
            weights that lie in other files.
    """
    folder = _find(str(name_or_path))
    model = Model(folder, read_manifest(folder / "model.toml"))
    sizes = {name: model.path(name).stat().st_size for name in model.sums}
    if sizes["model.onnx"] <= CHECKED_AT_LOAD_BYTES:
        model.onnx()
    if model.manifest.labels_sha256:
        model.file("labels.safetensors")
    return model


def _find(name: str) -> Path:
    stored = stored_models()
    if name in bundled_models():
        return BUNDLED / name
    if name in stored:
        return models_folder() / name
    # Path.is_file raises where the name is too long.
    if os.path.isfile(Path(name, "model.toml")):  # noqa: PTH113
        return Path(name)
    have = f", nor one of the store ({', '.join(stored)})" if stored else ""
    raise ModelError(
        f"model {name!r}: neither a bundled model ({', '.join(bundled_models())}){have} "
        "nor a folder with a model.toml; give one of them, or get one with `saccade models add`"
    )


def read_manifest(path: Path) -> Manifest:
    """The manifest of a model folder.

    Raises:
        ModelError: it cannot be read, or is none.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except (ValueError, RecursionError, OSError) as error:
        what = f"{error}; the manifest is damaged or of another version, restore it"
        raise _error(path, what) from None


def _read_checked(path: Path, sha256: str) -> bytes:
    """The content of `path`; a ModelError where it is not that of `sha256` (hexadecimal)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        what = "missing" if isinstance(error, FileNotFoundError) else f"{error.strerror}"
        raise _error(path, f"{what}; the model folder is incomplete, copy it again") from None
    found = hashlib.sha256(data).hexdigest()
    if found != sha256.lower():
        what = f"sha256 {found[:12]}... is not the manifest's {sha256[:12]}...; the file was "
        raise _error(path, what + "changed or damaged, copy the model folder again")
    return data


def _error(path: Path, what: str) -> ModelError:
    return ModelError(printable(f"{path}: {what}"))
