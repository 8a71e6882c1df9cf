"""Spaces that have a name are told by what a text tower says, and no other is taken for them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from saccade.engines.clip import known_spaces
from saccade.engines.clip.known_spaces import Mark, directions, known_space

SPACE = "clip-vit-b-32/openai"
MARKS = msgspec.toml.decode(known_spaces._FILE.read_bytes(), type=dict[str, Mark])


def lifted(seed=0):
    """Embeddings whose projections are those of the mark, and which are anything else otherwise."""
    mark = MARKS[SPACE]
    axes = directions(len(mark.projections[0]), mark.dimension)
    rows = np.array(mark.projections) @ np.linalg.pinv(axes).T
    noise = np.random.default_rng(seed).standard_normal(rows.shape)
    noise -= noise @ axes.T @ np.linalg.pinv(axes).T
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    rows += noise * np.sqrt(1 - np.square(rows).sum(1, keepdims=True))
    return rows.astype(np.float32)


def test_directions_never_change():
    axes = directions(2, 16)
    assert axes.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), 1)
    signs = "".join("+" if value > 0 else "-" for value in axes.ravel())
    assert signs == "-++++++-+---+-++--+-++++---+-++-"


def test_a_space_is_told_by_its_projections_at_any_length_and_in_half_precision():
    rows = lifted()
    assert known_space(512, lambda texts: rows) == SPACE
    assert known_space(512, lambda texts: (7 * rows).astype(np.float16).astype(np.float32)) == SPACE


def test_no_other_space_is_taken_for_it():
    rows = lifted()
    for other in (-rows, np.roll(rows, 1, axis=0), np.roll(rows, 1, axis=1)):
        assert known_space(512, lambda texts, other=other: other) is None
    near = rows + np.random.default_rng(1).standard_normal(rows.shape).astype(np.float32) * 0.01
    assert known_space(512, lambda texts: near) is None
    assert known_space(768, lambda texts: pytest.fail("of another size")) is None


def test_the_real_embeddings_of_the_texts_are_told(shared_data):
    with np.load(shared_data / "clip" / "vitb32_embeddings.npz") as file:
        names, rows = file["lvis_names"].tolist(), file["lvis_text"].astype(np.float32)
    assert known_space(512, lambda texts: rows[[names.index(t[2:]) for t in texts]]) == SPACE
    assert known_space(512, lambda texts: rows[[names.index(t[2:]) + 1 for t in texts]]) is None


def test_a_converted_clip_has_the_spaces_name(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="needs the extra: pip install -e '.[convert]'")
    pytest.importorskip("onnxscript", reason="needs the extra: pip install -e '.[convert]'")
    from tests.engines.clip.weights import TINY, random_state, weights_of
    from tests.text_models import MERGES

    from saccade.engines.clip import convert, load
    from saccade.engines.manifest import FrameInfo
    from saccade.engines.tokens import tokenizer_json

    arch = msgspec.structs.replace(TINY, vocabulary=512 + len(MERGES) + 2)
    asked = []

    def known(dimension, embed):
        asked.append((dimension, embed(["a cup"]).shape))
        return "clip-tiny/known"

    monkeypatch.setattr(load, "known_space", known)
    manifest = convert.convert(
        weights_of(arch, random_state(arch)), tmp_path / "m", name="m",
        tokenizer_json=tokenizer_json(MERGES), source="tests",
        revision="1", licence="MIT", frame=FrameInfo("paper", "encoder"),
    )  # fmt: skip
    assert asked == [(TINY.dimension, (1, TINY.dimension))]
    assert manifest.embedding.space == "clip-tiny/known"
    assert b"clip-tiny/known" in (tmp_path / "m" / "text.onnx").read_bytes()
