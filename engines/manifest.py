"""The manifest of a model folder, `model.toml`: what its files are and what they take and give."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import msgspec

from saccade.camera.frames import Counting, FrameKind

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Scale = Annotated[float, msgspec.Meta(gt=0, le=sys.float_info.max)]  # so neither inf nor nan


class InputInfo(msgspec.Struct, frozen=True):
    """`[input]`: the tensor's name, the frame's side in pixels, channels (copies of the frame)."""

    name: str
    size: _Count
    channels: _Count


class FrameInfo(msgspec.Struct, frozen=True):
    """`[frame]`: the frames that the encoder was trained on (see `FrameSpec`)."""

    kind: FrameKind
    counting: Counting
    clamp: int = 10


class EmbeddingInfo(msgspec.Struct, frozen=True):
    """`[embedding]`: the output's name, its dimension, its space, and the scale of its softmax."""

    name: str
    dimension: _Count
    space: str
    scale: _Scale


class ImageInfo(msgspec.Struct, frozen=True):
    """`[image]`: the tower for photos, and what its caller does to one before.

    The photo is resized (bicubic, its short side to `size`), cropped in the centre, scaled to
    [0, 1] and normalised as (value - mean) / std, each by channel, red first.
    """

    file: str
    size: _Count
    mean: tuple[float, float, float]
    std: tuple[_Scale, _Scale, _Scale]


class TextInfo(msgspec.Struct, frozen=True):
    """`[text]`: the tower for words: tokens int64 [N, context] to embeddings of the same space.

    `template` is the prompt that a word is put into where nobody chose another: one `{}`.
    """

    file: str
    tokenizer: str
    context: _Count
    name: str = "tokens"
    output: str = "embedding"
    template: str = "a photo of a {}"


class Manifest(msgspec.Struct, frozen=True):
    """What `model.toml` says; unknown keys are ignored, a missing or mistyped one is an error.

    `sha256` is that of `model.onnx`, `labels_sha256` that of `labels.safetensors` (empty where the
    model has no bank of its own), and `files` gives those of all others by their names: the encoder
    at other precisions (see `encoder_file`), `image.onnx`, `text.onnx`, `tokenizer.json`, and
    `weights.safetensors` for torch, which `[architecture]` describes.
    """

    name: str
    version: int
    licence: str
    sha256: str
    input: InputInfo
    frame: FrameInfo
    embedding: EmbeddingInfo
    labels_sha256: str = ""
    source: str = ""
    revision: str = ""
    files: dict[str, str] = {}
    image: ImageInfo | None = None
    text: TextInfo | None = None
    architecture: dict[str, Any] = {}
    training: dict[str, Any] = {}


def encoder_file(precision: Precision, *, qdq: bool = False) -> str:
    """The encoder's file at a precision: `model.onnx`, `model.fp16.onnx`, `model.int8.onnx`.

    `qdq` takes for int8 the one of Q/DQ nodes, `model.int8-qdq.onnx`: TensorRT and OpenVINO make
    int8 of those alone, and ONNX Runtime is faster with its own operators.
    """
    if precision == "fp32":
        return "model.onnx"
    return (
        f"model.{precision}-qdq.onnx" if qdq and precision == "int8" else f"model.{precision}.onnx"
    )
