"""How good saccade-mini is: on labels, and on classes it never saw, of which it is shown a few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def as_frames(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, h, w] -> float32 [N, 1, h, w] in [0, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)).unsqueeze(1) / 255


@torch.inference_mode()
def evaluate(
    model: torch.nn.Module, frames: NDArray[np.uint8], classes: NDArray[np.int64]
) -> dict[str, float]:
    """top1, mean over classes and top5 (shares) of frames uint8 [N, 96, 96]."""
    model.eval()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    parts = (as_frames(frames[i : i + 256]) for i in range(0, len(frames), 256))
    logits = torch.cat([model(part.to(device)).cpu() for part in parts])
    best = logits.topk(min(5, logits.shape[1])).indices.numpy()
    hit = best[:, 0] == classes
    return {
        "top1": float(hit.mean()),
        "mean_class": float(np.mean([hit[classes == c].mean() for c in np.unique(classes)])),
        "top5": float((best == classes[:, None]).any(1).mean()),
    }


def unseen_names(names: Sequence[str], count: int = 20) -> tuple[str, ...]:
    """So many of the names, spread evenly over their order."""
    return tuple(names[len(names) * (2 * k + 1) // (2 * count)] for k in range(count))


@torch.inference_mode()
def embed(encoder: torch.nn.Module, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 [N, 512] of frames uint8 [N, 96, 96]."""
    encoder.eval()
    device = next(encoder.parameters()).device
    parts = (as_frames(frames[k : k + 256]) for k in range(0, len(frames), 256))
    return torch.cat([encoder(part.to(device)).cpu() for part in parts]).numpy()


def few_shot(
    embeddings: NDArray[np.float32],
    classes: NDArray[np.int64],
    shots: int = 5,
    draws: int = 20,
    seed: int = 0,
) -> float:
    """Share labelled right by the nearest mean of so many examples of each class.

    The mean over `draws` choices of the examples; all others are labelled, and each class counts
    alike. `embeddings` are float32 [N, D], L2-normalised.
    """
    rng = np.random.default_rng(seed)
    numbers = np.unique(classes)
    found: list[float] = []
    for _ in range(draws):
        shown = [rng.permutation(np.flatnonzero(classes == c))[:shots] for c in numbers]
        means = np.stack([embeddings[rows].mean(0) for rows in shown])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        rest = np.setdiff1d(np.arange(len(classes)), np.concatenate(shown))
        hit = numbers[(embeddings[rest] @ means.T).argmax(1)] == classes[rest]
        found.append(float(np.mean([hit[classes[rest] == c].mean() for c in numbers])))
    return float(np.mean(found))
