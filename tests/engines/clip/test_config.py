"""Architectures are read off names and shapes alone; no torch is needed."""

from __future__ import annotations

import msgspec
import pytest

from saccade.engines.clip.config import Architecture, CheckpointError, Transformer, infer

BASE = Architecture(
    size=224,
    patch=32,
    vision=Transformer(768, 12, 12, 3072),
    context=77,
    vocabulary=49408,
    text=Transformer(512, 12, 8, 2048),
    dimension=512,
    activation="quick_gelu",
)
LARGE = msgspec.structs.replace(
    BASE,
    patch=14,
    vision=Transformer(1024, 24, 16, 4096),
    text=Transformer(768, 12, 12, 3072),
    dimension=768,
)


@pytest.mark.parametrize(
    ("arch", "name"),
    [
        (BASE, "vit-b-32"),
        (msgspec.structs.replace(BASE, patch=16, activation="gelu"), "vit-b-16"),
        (LARGE, "vit-l-14"),
        (msgspec.structs.replace(LARGE, size=336), "vit-l-14-336"),
    ],
)
def test_shapes_tell_the_architecture(arch, name):
    shapes = {**arch.vision_shapes(), **arch.text_shapes()}
    assert infer(shapes, arch.activation) == arch
    assert arch.name == name
    assert len(shapes) == 12 * (arch.vision.layers + arch.text.layers) + 13


def test_heads_that_no_shape_shows_must_be_given():
    arch = msgspec.structs.replace(BASE, vision=Transformer(720, 12, 9, 2880))
    shapes = {**arch.vision_shapes(), **arch.text_shapes()}
    assert infer(shapes, "quick_gelu", (9, 8)) == arch
    for heads in (None, (7, 8)):
        with pytest.raises(CheckpointError, match="720 wide .* names the heads"):
            infer(shapes, "quick_gelu", heads)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("visual.proj", (768,)),
        ("positional_embedding", (0, 512)),
        ("visual.conv1.weight", (768, 3, 16, 32)),
        ("visual.positional_embedding", (49, 768)),
    ],
)
def test_shapes_that_do_not_fit_are_named(name, shape):
    shapes = {**BASE.vision_shapes(), **BASE.text_shapes(), name: shape}
    with pytest.raises(CheckpointError, match=name):
        infer(shapes, "quick_gelu")
