"""Models: folders of `model.onnx`, a manifest `model.toml`, a label bank `labels.safetensors`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from saccade.camera.errors import SaccadeError
from saccade.camera.frames import Counting, FrameKind, FrameSpec
from saccade.engines.labels import LabelBank

BUNDLED = Path(__file__).resolve().parent / "models"
DEFAULT_MODEL = "saccade-mini"


class ModelError(SaccadeError):
    """A model that is missing or does not match its manifest."""


class InputInfo(msgspec.Struct, frozen=True):
    """`[input]`: the tensor's name, the frame's side in pixels, channels (copies of the frame)."""

    name: str
    size: int
    channels: int


class FrameInfo(msgspec.Struct, frozen=True):
    """`[frame]`: the frames that the encoder was trained on (see `FrameSpec`)."""

    kind: FrameKind
    counting: Counting
    clamp: int = 10


class EmbeddingInfo(msgspec.Struct, frozen=True):
    """`[embedding]`: the output's name, its dimension, its space, and the scale of its softmax."""

    name: str
    dimension: int
    space: str
    scale: float


class Manifest(msgspec.Struct, frozen=True):
    """What `model.toml` says; unknown keys are ignored, a missing or mistyped one is an error."""

    name: str
    version: int
    licence: str
    sha256: str
    labels_sha256: str
    input: InputInfo
    frame: FrameInfo
    embedding: EmbeddingInfo
    training: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder whose files match its manifest."""

    folder: Path
    manifest: Manifest

    @property
    def onnx_path(self) -> Path:
        """The encoder."""
        return self.folder / "model.onnx"

    def frame_spec(self, kind: FrameKind | None = None) -> FrameSpec:
        """The frames this encoder wants, with another normalisation where `kind` is given."""
        frame = self.manifest.frame
        return FrameSpec(
            kind or frame.kind, self.manifest.input.size, frame.counting, clamp=frame.clamp
        )

    def labels(self) -> LabelBank:
        """The model's own label bank."""
        bank = LabelBank.load(self.folder / "labels.safetensors")
        wanted = self.manifest.embedding
        if bank.space != wanted.space or bank.embeddings.shape[1] != wanted.dimension:
            raise ModelError(
                f"{self.folder / 'labels.safetensors'}: space {bank.space!r} of dimension "
                f"{bank.embeddings.shape[1]} is not the model's {wanted.space!r} of "
                f"{wanted.dimension}; make the bank again with this model"
            )
        return bank


def bundled_models() -> list[str]:
    """Names of the models that come with saccade."""
    return sorted(p.parent.name for p in BUNDLED.glob("*/model.toml"))


def load_model(name_or_path: str | Path = DEFAULT_MODEL) -> Model:
    """A bundled model by its name, or a model folder by its path; both files' sha256 are checked.

    Raises:
        ModelError: no such model, an unreadable manifest, a missing file or a wrong sha256.
    """
    folder = BUNDLED / str(name_or_path)
    if str(name_or_path) not in bundled_models():
        folder = Path(name_or_path)
    if not (folder / "model.toml").is_file():
        raise ModelError(
            f"model {str(name_or_path)!r}: neither a bundled model ({', '.join(bundled_models())}) "
            "nor a folder with a model.toml; give one of them"
        )
    manifest = _read_manifest(folder / "model.toml")
    _check_sha(folder / "model.onnx", manifest.sha256)
    _check_sha(folder / "labels.safetensors", manifest.labels_sha256)
    return Model(folder, manifest)


def _read_manifest(path: Path) -> Manifest:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: {error}; the manifest is damaged or of another version, restore it"
        ) from None


def _check_sha(path: Path, wanted: str) -> None:
    if not path.is_file():
        raise ModelError(f"{path}: missing; the model folder is incomplete, copy it again")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wanted:
        raise ModelError(
            f"{path}: sha256 {found[:12]}... is not the manifest's {wanted[:12]}...; the file was "
            "changed or damaged, copy the model folder again"
        )
