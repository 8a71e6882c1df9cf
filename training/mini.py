"""Trains saccade-mini: `python -m saccade.training.mini IMAGES.tar --work DIR`.

Simulates the frames once (cached in --work), trains, and leaves `checkpoint.pt` and `log.jsonl`
there; `saccade.training.mini_export` makes the model folder of them.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from saccade.training.mini_data import Images, load_images, simulate_frames
from saccade.training.mini_model import LabelHead, MiniEncoder

TRAIN_SEED = 1
VALIDATION_SEED = 2
SMALL = 64


class Mini(torch.nn.Module):
    """Encoder and label bank, trained together."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encoder = MiniEncoder()
        self.head = LabelHead(classes)

    def forward(self, frame: Tensor) -> Tensor:
        """float32 [N, 1, 96, 96] -> logits [N, classes]."""
        return self.head(self.encoder(frame))


def augment(frames: Tensor, generator: torch.Generator, size: int = 96) -> Tensor:
    """Random flip, affine, contrast, cut-out, noise; float32 [N, 1, h, w] -> [N, 1, size, size]."""
    n = len(frames)
    if size < frames.shape[-1]:
        frames = F.interpolate(frames, (size, size), mode="bilinear", antialias=True)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    angle, zoom = uniform(-0.12, 0.12), uniform(0.85, 1.15)
    stretch = uniform(0.9, 1.1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = flip * zoom * stretch * angle.cos()
    theta[:, 0, 1] = -zoom * angle.sin()
    theta[:, 1, 0] = flip * zoom * angle.sin()
    theta[:, 1, 1] = zoom * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = uniform(-0.1, 0.1), uniform(-0.1, 0.1)
    grid = F.affine_grid(theta, [n, 1, size, size], align_corners=False)
    frames = F.grid_sample(frames, grid, align_corners=False)
    frames = frames.clamp_min(1e-6) ** uniform(0.6, 1.5).view(n, 1, 1, 1)
    side = size // 4
    rows, columns = torch.arange(size).view(1, -1, 1), torch.arange(size).view(1, 1, -1)
    top, left = (uniform(-2.5 * side, size).view(n, 1, 1) for _ in range(2))
    hidden = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    frames = frames.masked_fill(hidden.unsqueeze(1), 0.0)
    noise = torch.rand(frames.shape, generator=generator) * uniform(0, 0.1).view(n, 1, 1, 1)
    return frames + noise


def _as_frames(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).unsqueeze(1).float().div_(255)


@torch.inference_mode()
def evaluate(model: torch.nn.Module, frames: NDArray[np.uint8], classes: NDArray[np.int64]):
    """top1, mean over classes and top5 (shares) of frames uint8 [N, 96, 96]."""
    model.eval()
    logits = torch.cat([model(_as_frames(frames[i : i + 256])) for i in range(0, len(frames), 256)])
    best = logits.topk(min(5, logits.shape[1])).indices.numpy()
    hit = best[:, 0] == classes
    return {
        "top1": float(hit.mean()),
        "mean_class": float(np.mean([hit[classes == c].mean() for c in np.unique(classes)])),
        "top5": float((best == classes[:, None]).any(1).mean()),
    }


def cached_frames(images: Images, variants: int, seed: int, cache: Path) -> NDArray[np.uint8]:
    """Simulated frames uint8 [variants, N, 96, 96], from `cache` where they lie there."""
    if not cache.is_file():
        np.save(cache, simulate_frames(images, variants, seed))
    return np.load(cache)


@dataclass(frozen=True)
class Recipe:
    """How saccade-mini is trained.

    Attributes:
        epochs: of N draws each, N being the number of training images.
        small_epochs: how many of them, from the first, see frames of `SMALL` pixels: over twice as
            fast, and the last ones at full size make up for it.
        batch: frames a step.
        learning_rate: the peak of the one cycle.
        bfloat16: convolve in bfloat16. Twice as fast on a CPU with AMX or AVX-512 BF16; many times
            slower on one without.
    """

    epochs: int
    small_epochs: int = 0
    batch: int = 96
    learning_rate: float = 2e-3
    bfloat16: bool = False


def train(
    frames: NDArray[np.uint8],
    images: Images,
    held: NDArray[np.uint8],
    held_classes: NDArray[np.int64],
    work: Path,
    recipe: Recipe,
) -> dict[str, float]:
    """Trains on frames uint8 [V, N, 96, 96]; leaves the averaged weights and the log in `work`.

    Classes are drawn with probability n^0.3 of their n images, so that a class of 25 counts
    nearly as much as one of 590.
    """
    torch.manual_seed(TRAIN_SEED)
    generator = torch.Generator().manual_seed(TRAIN_SEED)
    trainer = _Trainer(Mini(len(images.names)), recipe, frames.shape[1] // recipe.batch, generator)
    per_class = np.bincount(images.classes).astype(np.float64)
    weights = torch.from_numpy((per_class**-0.7)[images.classes])
    figures: dict[str, float] = {}
    for epoch in range(recipe.epochs):
        began = time.time()
        draws = trainer.steps * recipe.batch
        rows = torch.multinomial(weights, draws, True, generator=generator).numpy()
        variant = torch.randint(len(frames), (draws,), generator=generator).numpy()
        loss = trainer.epoch(epoch, frames, variant, rows, images.classes)
        figures = evaluate(trainer.average, held, held_classes)
        line = {"epoch": epoch, "loss": loss, "seconds": time.time() - began, **figures}
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
        torch.save(
            {"model": trainer.average.state_dict(), "names": images.names, "epoch": epoch + 1,
             "variants": len(frames), "recipe": dataclasses.asdict(recipe), "figures": figures},
            work / "checkpoint.pt",
        )  # fmt: skip
    return figures


class _Trainer:
    """The network in training, its optimiser, and the exponential average of its weights."""

    def __init__(self, model: Mini, recipe: Recipe, steps: int, generator: torch.Generator) -> None:
        # torch's stubs do not know the keyword alone.
        self.model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.average = copy.deepcopy(self.model)
        self.recipe, self.steps, self._generator = recipe, steps, generator
        decayed = [p for p in model.parameters() if p.ndim > 1]
        other = [p for p in model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            recipe.learning_rate,
            total_steps=recipe.epochs * steps,
            pct_start=0.12,
        )

    def epoch(
        self,
        number: int,
        frames: NDArray[np.uint8],
        variant: NDArray[np.int64],
        rows: NDArray[np.int64],
        classes: NDArray[np.int64],
    ) -> float:
        """One pass over the drawn frames, `frames[variant, rows]`; gives the mean loss."""
        self.model.train()
        size = SMALL if number < self.recipe.small_epochs else frames.shape[-1]
        total = 0.0
        for step in range(self.steps):
            part = slice(step * self.recipe.batch, (step + 1) * self.recipe.batch)
            x = augment(_as_frames(frames[variant[part], rows[part]]), self._generator, size)
            total += self._step(x, torch.from_numpy(classes[rows[part]]))
            _follow(self.average, self.model, min(0.998, 0.9 + number / 200 + step / 1e4))
        return total / self.steps

    def _step(self, x: Tensor, y: Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            logits = self.model(x.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), y, label_smoothing=0.1)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self._optimiser.step()
        self._schedule.step()
        return float(loss.detach())


@torch.no_grad()
def _follow(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    for a, b in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if a.is_floating_point():
            a.lerp_(b, 1 - decay)
        else:
            a.copy_(b)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="tar of class/image.jpg (Caltech-101, gray)")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches and results")
    parser.add_argument("--epochs", type=int, default=70)
    parser.add_argument("--small-epochs", type=int, default=45, help=f"of {SMALL} px, come first")
    parser.add_argument("--bfloat16", action="store_true", help="for a CPU that has it (AMX)")
    parser.add_argument("--variants", type=int, default=8, help="simulations of each image")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    images, held = load_images(options.images)
    cache = options.work / f"train_{options.variants}.npy"
    frames = cached_frames(images, options.variants, TRAIN_SEED, cache)
    held_frames = cached_frames(held, 1, VALIDATION_SEED, options.work / "validation.npy")[0]
    recipe = Recipe(options.epochs, options.small_epochs, bfloat16=options.bfloat16)
    train(frames, images, held_frames, held.classes, options.work, recipe)


if __name__ == "__main__":
    main()
