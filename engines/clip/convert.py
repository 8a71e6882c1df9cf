"""A CLIP's weights to a model folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.frames import FrameSpec
from saccade.camera.toml import to_toml
from saccade.engines.clip.checkpoints import Weights
from saccade.engines.clip.config import MEAN, STD, Architecture, Normalise
from saccade.engines.clip.export import check_file, reference, write_half, write_onnx
from saccade.engines.clip.load import text_tower, vision_tower, with_known_space
from saccade.engines.clip.quantise import write_int8, write_qdq
from saccade.engines.clip.vit import take_gray
from saccade.engines.manifest import (
    PRECISIONS,
    EmbeddingInfo,
    FrameInfo,
    ImageInfo,
    InputInfo,
    Manifest,
    Precision,
    TextInfo,
    encoder_file,
)
from saccade.engines.probes import probe_frames

Report = Callable[[str], None]

_FRAME = ("frame", "embedding")
_TOKENS = ("tokens", "embedding")
#: Inputs that a file is compared with torch on: not the two of the export.
_PROBES = 8
#: Frames that activations get their scales of; and the seed that makes them others.
_CALIBRATION, _CALIBRATION_SEED = 32, 1


@dataclass(frozen=True)
class _Export:
    """One tower on its way to files: what it gives, and on which inputs."""

    tower: nn.Module
    inputs: Tensor
    wanted: NDArray[np.float32]
    space: str


def convert(
    weights: Weights,
    folder: Path,
    *,
    name: str,
    source: str,
    revision: str,
    licence: str,
    frame: FrameInfo,
    normalise: Normalise = "none",
    precisions: Collection[Precision] = PRECISIONS,
    tokenizer_json: bytes | None = None,
    training: Mapping[str, object] | None = None,
    report: Report = lambda _: None,
) -> Manifest:
    """Writes the model folder of a CLIP; it appears complete or not at all.

    Args:
        weights: of all towers.
        folder: the folder to make; its parent exists.
        name, source, revision, licence: for the manifest.
        frame: the frames that the event tower was trained on.
        normalise: "clip" where the event tower takes event frames as it took photos: less CLIP's
            mean, over its std. Both go into its first layer, here and for torch.
        precisions: of the event tower; fp32 is always written.
        tokenizer_json: of the `tokenizers` library; without it there is no text tower.
        training: how it was trained, for the manifest: values that TOML has.
        report: gets a line for each file: its size, and its cosine to torch.

    Raises:
        SaccadeError: the folder is there already or cannot be written, or a file's embeddings are
            not torch's.
    """
    if folder.exists():
        raise SaccadeError(printable(f"{folder}: is there already; remove it first"))
    weights = with_known_space(weights, tokenizer_json)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as work:
            made = Path(work) / "model"
            made.mkdir()
            _write_weights(weights, made)
            _write_encoder(weights, made, frame, normalise, precisions, report)
            image = _write_image(weights, made, report)
            text = _write_text(weights, made, tokenizer_json, report)
            # safetensors makes its file for its owner alone.
            shutil.copymode(made / "model.onnx", made / "weights.safetensors")
            sums = {file.name: _sha256(file) for file in sorted(made.iterdir())}
            manifest = Manifest(
                name=name,
                version=1,
                licence=printable(licence),
                sha256=sums.pop("model.onnx"),
                input=InputInfo("frame", weights.arch.size, 1),
                frame=frame,
                embedding=EmbeddingInfo(
                    "embedding", weights.arch.dimension, weights.space, weights.scale
                ),
                source=printable(source),
                revision=printable(revision),
                files=sums,
                image=image,
                text=text,
                architecture=_architecture(weights.arch, normalise),
                training=dict(training or {}),
            )
            table = to_toml(msgspec.to_builtins(manifest))
            (made / "model.toml").write_text(table, encoding="utf-8")
            os.rename(made, folder)  # noqa: PTH104 - unlike Path.rename's, its error names both
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise SaccadeError(
            printable(f"{folder}: cannot be written ({reason or error}); nothing of it was kept")
        ) from None
    return manifest


def _architecture(arch: Architecture, normalise: Normalise) -> dict[str, object]:
    return {"family": "clip", "normalise": normalise, **msgspec.to_builtins(arch)}


def _write_weights(weights: Weights, folder: Path) -> None:
    scale = torch.tensor(weights.scale).log()
    state = {**weights.event, **weights.text, "logit_scale": scale}
    # Tensors of a checkpoint may share memory, which safetensors does not write.
    safetensors.torch.save_file(
        {n: t.clone() for n, t in state.items()}, folder / "weights.safetensors"
    )


def _write_encoder(
    weights: Weights,
    folder: Path,
    frame: FrameInfo,
    normalise: Normalise,
    precisions: Collection[Precision],
    report: Report,
) -> None:
    arch = weights.arch
    spec = FrameSpec(frame.kind, arch.size, frame.counting, clamp=frame.clamp)
    frames = torch.from_numpy(probe_frames(spec, _PROBES, 1))
    tower = vision_tower(arch, weights.event, normalise)
    take_gray(tower)
    tower.requires_grad_(False)
    export = _Export(tower, frames, reference(tower, frames), weights.space)
    path = folder / encoder_file("fp32")
    _write_fp32(export, path, _FRAME, report)
    if "fp16" in precisions:
        half = folder / encoder_file("fp16")
        write_half(tower, frames[:2], half, _FRAME, weights.space)
        _say(report, half, check_file(half, frames, export.wanted, "fp16"))
    if "int8" in precisions:
        small = folder / encoder_file("int8")
        found, kept = write_int8(
            tower, small, _FRAME, arch.vision, frames, export.wanted, weights.space
        )
        _say(report, small, found, f", {kept} in float32" if kept else "")
        static = folder / encoder_file("int8", qdq=True)
        others = torch.from_numpy(probe_frames(spec, _CALIBRATION, 1, _CALIBRATION_SEED))
        found, kept = write_qdq(path, static, arch.vision, others, frames, export.wanted)
        _say(report, static, found, f", {kept} in float32" if kept else "")


def _write_image(weights: Weights, folder: Path, report: Report) -> ImageInfo:
    """`image.onnx`: photos have colours, which the event tower's file does not take."""
    size = weights.arch.size
    tower = vision_tower(weights.arch, weights.event if weights.image is None else weights.image)
    photos = torch.randn(_PROBES, 3, size, size, generator=torch.Generator().manual_seed(0))
    export = _Export(tower, photos, reference(tower, photos), weights.space)
    _write_fp32(export, folder / "image.onnx", _FRAME, report)
    return ImageInfo("image.onnx", size, MEAN, STD)


def _write_text(
    weights: Weights, folder: Path, tokenizer_json: bytes | None, report: Report
) -> TextInfo | None:
    if tokenizer_json is None:
        return None
    (folder / "tokenizer.json").write_bytes(tokenizer_json)
    arch = weights.arch
    tower = text_tower(arch, weights.text)
    tokens = _probe_tokens(arch)
    export = _Export(tower, tokens, reference(tower, tokens), weights.space)
    _write_fp32(export, folder / "text.onnx", _TOKENS, report)
    return TextInfo("text.onnx", "tokenizer.json", arch.context)


def _probe_tokens(arch: Architecture) -> Tensor:
    """int64 [N, context]: start, words of all lengths, the end (the last number), zeros."""
    rng = np.random.default_rng(0)
    tokens = np.zeros((_PROBES, arch.context), np.int64)
    for row, end in zip(tokens, np.linspace(1, arch.context - 1, _PROBES).astype(int), strict=True):
        row[:end] = rng.integers(1, arch.vocabulary - 2, end)
        row[0], row[end] = arch.vocabulary - 2, arch.vocabulary - 1
    return torch.from_numpy(tokens)


def _write_fp32(export: _Export, path: Path, names: tuple[str, str], report: Report) -> None:
    write_onnx(export.tower, export.inputs[:2], path, names, export.space)
    _say(report, path, check_file(path, export.inputs, export.wanted, "fp32"))


def _say(report: Report, path: Path, found: float, more: str = "") -> None:
    megabytes = path.stat().st_size / 1e6
    report(f"{path.name}: {megabytes:.1f} MB, cosine {found:.5f} to torch{more}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
