"""What a CLIP of OpenAI's kind looks like: its two transformers, and its tensors with their shapes.

Nothing here needs torch: a state dict's architecture is read off its names and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from saccade.camera.errors import SaccadeError

Activation = Literal["quick_gelu", "gelu"]
Normalise = Literal["none", "clip"]
Shapes = Mapping[str, Sequence[int]]

#: What CLIP subtracts from a photo in [0, 1], and divides by: red, green, blue.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)

_CONV = "visual.conv1.weight"
_TOKENS = "token_embedding.weight"
_SIZES = {768: "b", 1024: "l", 1280: "h", 1408: "g", 1664: "bigg"}


class CheckpointError(SaccadeError):
    """Weights that are no CLIP that we know, or not all of it."""


class Transformer(msgspec.Struct, frozen=True):
    """Pre-norm blocks: `width` numbers a token, `hidden` inside of the perceptron."""

    width: int
    layers: int
    heads: int
    hidden: int


class Architecture(msgspec.Struct, frozen=True):
    """A vision transformer and a text transformer whose embeddings have one `dimension`.

    Attributes:
        size: side of a frame, pixels.
        patch: side of a patch, pixels.
        context: tokens of a text.
        vocabulary: how many tokens there are.
        activation: of the perceptrons: `quick_gelu` (OpenAI's) or `gelu` (most of open_clip's).
    """

    size: int
    patch: int
    vision: Transformer
    context: int
    vocabulary: int
    text: Transformer
    dimension: int
    activation: Activation

    @property
    def name(self) -> str:
        """Such as `vit-b-32`, or `vit-l-14-336` where the frames are not of 224 pixels."""
        size = _SIZES.get(self.vision.width, f"{self.vision.width}x{self.vision.layers}")
        name = f"vit-{size}-{self.patch}"
        return name if self.size == 224 else f"{name}-{self.size}"

    def vision_shapes(self) -> dict[str, tuple[int, ...]]:
        """The image tower's tensors, by OpenAI's names."""
        width, patches = self.vision.width, (self.size // self.patch) ** 2
        shapes = {
            "conv1.weight": (width, 3, self.patch, self.patch),
            "class_embedding": (width,),
            "positional_embedding": (patches + 1, width),
            "proj": (width, self.dimension),
            **_norm("ln_pre", width),
            **_norm("ln_post", width),
            **_blocks(self.vision),
        }
        return {f"visual.{name}": shape for name, shape in shapes.items()}

    def text_shapes(self) -> dict[str, tuple[int, ...]]:
        """The text tower's tensors, by OpenAI's names."""
        width = self.text.width
        return {
            _TOKENS: (self.vocabulary, width),
            "positional_embedding": (self.context, width),
            "text_projection": (width, self.dimension),
            **_norm("ln_final", width),
            **_blocks(self.text),
        }


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _blocks(transformer: Transformer) -> dict[str, tuple[int, ...]]:
    width, hidden = transformer.width, transformer.hidden
    block = {
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "mlp.c_fc.weight": (hidden, width),
        "mlp.c_fc.bias": (hidden,),
        "mlp.c_proj.weight": (width, hidden),
        "mlp.c_proj.bias": (width,),
        **_norm("ln_1", width),
        **_norm("ln_2", width),
    }
    return {
        f"transformer.resblocks.{layer}.{name}": shape
        for layer in range(transformer.layers)
        for name, shape in block.items()
    }


def infer(
    shapes: Shapes,
    activation: Activation,
    heads: tuple[int, int] | None = None,
) -> Architecture:
    """The architecture of a state dict in OpenAI's names.

    `heads` are those of the vision and the text transformer; no tensor shows them, and a CLIP of
    OpenAI's has one for each 64 of its width.

    Raises:
        CheckpointError: it is no vision transformer with a text transformer, or its tensors are
            not what its first ones imply; the message names some.
    """
    if "visual.layer1.0.conv1.weight" in shapes:
        raise CheckpointError("a CLIP with a ResNet; give one with a vision transformer (ViT)")
    _need(shapes, {_CONV: 4, "visual.positional_embedding": 2, "visual.proj": 2})
    _need(shapes, {_TOKENS: 2, "positional_embedding": 2})
    vision = _transformer(shapes, "visual.", shapes[_CONV][0], heads and heads[0])
    text = _transformer(shapes, "", shapes[_TOKENS][1], heads and heads[1])
    patch = shapes[_CONV][-1]
    side = round((shapes["visual.positional_embedding"][0] - 1) ** 0.5)
    architecture = Architecture(
        size=side * patch,
        patch=patch,
        vision=vision,
        context=shapes["positional_embedding"][0],
        vocabulary=shapes[_TOKENS][0],
        text=text,
        dimension=shapes["visual.proj"][1],
        activation=activation,
    )
    check(shapes, {**architecture.vision_shapes(), **architecture.text_shapes()})
    return architecture


def _need(shapes: Shapes, axes: dict[str, int]) -> None:
    for name, count in axes.items():
        if name not in shapes:
            raise CheckpointError(f"no tensor {name}; give a CLIP with a vision transformer")
        if len(shapes[name]) != count or not all(shapes[name]):
            raise CheckpointError(f"{name} is {list(shapes[name])}, not of {count} axes")


def _transformer(shapes: Shapes, prefix: str, width: int, heads: int | None) -> Transformer:
    start, end = f"{prefix}transformer.resblocks.", ".attn.in_proj_weight"
    layers = sum(name.startswith(start) and name.endswith(end) for name in shapes)
    if not layers:
        raise CheckpointError(f"no transformer under {start}*; give a whole CLIP checkpoint")
    heads = heads or width // 64
    if not heads or width % heads:
        raise CheckpointError(
            f"a transformer {width} wide has no {heads or 'whole number of'} heads of 64; give the "
            "checkpoint with its config.json or open_clip_config.json, which names the heads"
        )
    hidden = shapes.get(f"{start}0.mlp.c_fc.weight", (4 * width,))[0]
    return Transformer(width, layers, heads, hidden)


def check(shapes: Shapes, wanted: Shapes) -> None:
    """Raises a CheckpointError that names the first tensors missing, mis-shaped or unexpected."""
    missing = [name for name in wanted if name not in shapes]
    wrong = [
        f"{name} {list(shapes[name])}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in shapes and tuple(shapes[name]) != tuple(shape)
    ]
    more = [name for name in shapes if name not in wanted]
    found = {"missing": missing, "mis-shaped": wrong, "unexpected": more}
    parts = [f"{len(names)} {what} ({_first(names)})" for what, names in found.items() if names]
    if parts:
        raise CheckpointError(
            f"tensors {'; '.join(parts)}; the checkpoint is damaged or of another network"
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
