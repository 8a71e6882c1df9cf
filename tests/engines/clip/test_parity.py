"""Ours against other definitions of CLIP on random weights of the real shapes: the extra `parity`.

Not part of the usual run: `pip install -e '.[convert,parity]'` brings it in, with gigabytes.
"""

from __future__ import annotations

import importlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[convert]'")

from saccade.engines.clip.checkpoints import read_weights  # noqa: E402
from saccade.engines.clip.load import text_tower, vision_tower  # noqa: E402

#: Name in open_clip, and of the vision tower: patch, width, layers, heads; width and heads of text.
SHAPES = {
    "ViT-B-32": (32, 768, 12, 12, 512, 8),
    "ViT-B-16": (16, 768, 12, 12, 512, 8),
    "ViT-L-14": (14, 1024, 24, 16, 768, 12),
}


def imported(name):
    try:
        return importlib.import_module(name)
    except Exception as error:  # a torchvision of another torch raises what it likes
        pytest.skip(f"{name} does not import ({error}); it is in the extra `parity`")


def inputs():
    """Frames as CLIP gets photos, and tokens of texts of several lengths."""
    source = torch.Generator().manual_seed(0)
    frames = torch.randn(3, 3, 224, 224, generator=source)
    tokens = torch.zeros(3, 77, dtype=torch.int64)
    for row, end in zip(tokens, (2, 9, 76), strict=True):
        row[:end] = torch.randint(1, 49000, (end,), generator=source)
        row[0], row[end] = 49406, 49407
    return frames, tokens


@torch.inference_mode()
def compare(path, activation, frames, tokens, image, text):
    """Theirs, L2-normalised, against ours from the file that they wrote."""
    weights = read_weights(path, activation)
    ours = vision_tower(weights.arch, weights.event)(frames).numpy()
    np.testing.assert_allclose(ours, image.numpy(), atol=1e-5)
    ours = text_tower(weights.arch, weights.text)(tokens).numpy()
    np.testing.assert_allclose(ours, text.numpy(), atol=1e-5)
    return weights


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["", "-quickgelu"])
@pytest.mark.parametrize("name", SHAPES)
def test_open_clips_embeddings_are_ours(tmp_path, name, suffix):
    open_clip = imported("open_clip")
    torch.manual_seed(0)
    model = open_clip.create_model(name + suffix).eval()
    frames, tokens = inputs()
    with torch.inference_mode():
        image = model.encode_image(frames, normalize=True)
        text = model.encode_text(tokens, normalize=True)
    path = tmp_path / "checkpoint.pt"
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"epoch": 3, "name": name, "state_dict": state}, path)
    del model
    activation = "quick_gelu" if suffix else "gelu"
    weights = compare(path, activation, frames, tokens, image, text)
    assert weights.arch.name == name.lower()
    assert weights.scale == pytest.approx(1 / 0.07)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("name", SHAPES)
def test_hugging_faces_embeddings_are_ours(tmp_path, name, activation):
    transformers = imported("transformers")
    patch, width, layers, heads, text_width, text_heads = SHAPES[name]
    shared = {"hidden_act": activation, "projection_dim": text_width}
    config = transformers.CLIPConfig(
        projection_dim=text_width,
        vision_config={
            **shared, "hidden_size": width, "intermediate_size": 4 * width, "patch_size": patch,
            "num_hidden_layers": layers, "num_attention_heads": heads,
        },
        text_config={
            **shared, "hidden_size": text_width, "intermediate_size": 4 * text_width,
            "num_attention_heads": text_heads, "eos_token_id": 49407, "bos_token_id": 49406,
        },
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.mul_(3)  # theirs start so small that every embedding is nearly the same
    frames, tokens = inputs()
    with torch.inference_mode():
        found = model(pixel_values=frames, input_ids=tokens)
    model.save_pretrained(tmp_path)
    del model
    compare(tmp_path, None, frames, tokens, found.image_embeds, found.text_embeds)
