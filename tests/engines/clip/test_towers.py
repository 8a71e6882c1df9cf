"""CLIP's towers against their plain twins; attention maps; photos' normalisation folded in."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[convert]'")
msgspec = pytest.importorskip("msgspec")

from tests.engines.clip.weights import TINY, random_state  # noqa: E402
from tests.reference import clip as plain  # noqa: E402

from saccade.engines.clip.blocks import LayerNorm, halve  # noqa: E402
from saccade.engines.clip.config import MEAN, STD  # noqa: E402
from saccade.engines.clip.load import text_tower, vision_tower  # noqa: E402


def towers(arch, seed=0):
    """Both towers, and their state as the plain twin takes it."""
    state = random_state(arch, seed)
    state.pop("logit_scale")
    event = {n: t for n, t in state.items() if n.startswith("visual.")}
    text = {n: t for n, t in state.items() if n not in event}
    numbers = {n: t.numpy().astype(np.float64) for n, t in state.items()}
    return vision_tower(arch, event), text_tower(arch, text), numbers


def some_frames(n=2, seed=1):
    return torch.rand(n, 3, TINY.size, TINY.size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_both_towers_are_the_plain_ones(activation):
    arch = msgspec.structs.replace(TINY, activation=activation)
    vision, text, state = towers(arch)
    frames = some_frames()
    wanted = [plain.vision(state, f, 2, activation) for f in frames.double().numpy()]
    np.testing.assert_allclose(vision(frames).numpy(), wanted, atol=1e-5)
    tokens = [[58, 3, 4, 59] + [0] * 8, [58, *range(1, 11), 59]]
    wanted = [plain.text(state, row, 1, activation) for row in tokens]
    np.testing.assert_allclose(text(torch.tensor(tokens)).numpy(), wanted, atol=1e-5)
    assert np.dot(*wanted) < 0.99


def test_the_state_dict_is_openais():
    vision, text, state = towers(TINY)
    names = {f"visual.{name}" for name in vision.state_dict()} | set(text.state_dict())
    assert names == set(state)


def test_asking_for_attention_changes_nothing_and_gives_gradients():
    vision = towers(TINY)[0]
    frames, maps = some_frames().requires_grad_(), []
    features = vision.features(frames, maps)
    torch.testing.assert_close(features, vision.features(frames), atol=1e-5, rtol=1e-5)
    assert [tuple(m.shape) for m in maps] == [(2, 2, 17, 17)] * 2
    torch.testing.assert_close(maps[0].sum(-1), torch.ones(2, 2, 17))
    gradients = torch.autograd.grad(features[:, 0].sum(), maps)
    assert all(bool((g != 0).any()) for g in gradients)
    assert not bool(gradients[1][:, :, 1:].any())  # the last block's patches lead nowhere


def test_clips_normalisation_vanishes_in_the_first_layer():
    state = random_state(TINY)
    event = {n: t for n, t in state.items() if n.startswith("visual.")}
    frames = some_frames()
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    wanted = vision_tower(TINY, event)((frames - mean) / std)
    found = vision_tower(TINY, event, "clip")(frames)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_a_halved_tower_keeps_its_norms_and_its_embedding():
    vision = towers(TINY)[0]
    frames = some_frames()
    wanted = vision(frames)
    found = halve(vision)(frames.half())
    assert found.dtype == torch.float16
    assert {m.weight.dtype for m in vision.modules() if isinstance(m, LayerNorm)} == {torch.float32}
    assert float((found.float() * wanted).sum(1).min()) > 0.999
