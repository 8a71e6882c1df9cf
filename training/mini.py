"""Trains saccade-mini: `python -m saccade.training.mini IMAGES.tar --work DIR`.

Simulates the frames once (cached in --work), trains, and leaves `checkpoint.pt` and `log.jsonl`
there; `saccade.training.mini_export` makes the model folder of them. Stopped, it goes on with the
epoch it was in. With `--device cuda` all frames lie in the GPU's memory.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from saccade.training.mini_augment import augment, mix
from saccade.training.mini_data import (
    ANY,
    SPEC,
    Conditions,
    Images,
    cached_frames,
    load_images,
    without,
)
from saccade.training.mini_measure import embed, evaluate, few_shot, unseen_names
from saccade.training.mini_model import Mini
from saccade.training.mini_recipe import Recipe
from saccade.training.mini_start import unfold
from saccade.training.mini_text import TextTargets, read_texts

TRAIN_SEED = 1
VALIDATION_SEED = 2
LONGER = Conditions(motion=2.0)
LOOK = 10  # epochs from one look at the validation frames to the next


class Frames:
    """The simulated frames of the training images, in the memory of the device that trains."""

    def __init__(
        self, images: Images, work: Path, variants: int, device: str = "cpu", longer: int = 0
    ) -> None:
        """`work` keeps the frames; a variant that it lacks is simulated when it is needed."""
        self.images, self._work, self._ready = images, work, 0
        self._ordinary = variants - longer
        shape = (variants, len(images.pixels), SPEC.size, SPEC.size)
        self._frames = torch.empty(shape, dtype=torch.uint8, device=device)

    def need(self, variants: int) -> None:
        """Makes sure of the first so many variants."""
        for k in range(self._ready, variants):
            drawn = (ANY, "frames") if k < self._ordinary else (LONGER, "longer")
            frames = cached_frames(self.images, TRAIN_SEED, k, self._work, *drawn)
            self._frames[k] = torch.from_numpy(np.array(frames))
        self._ready = max(self._ready, variants)

    def take(self, variants: Tensor, rows: Tensor) -> Tensor:
        """float32 [n, 1, 96, 96] of variants and rows int64 [n], on the device."""
        return self._frames[variants, rows].unsqueeze(1).float().div_(255)


class Trainer:
    """The network in training, its optimiser, the average of its weights, and where it stands."""

    def __init__(
        self,
        frames: Frames,
        recipe: Recipe,
        texts: TextTargets | None = None,
        device: str = "cpu",
        start: Path | None = None,
    ) -> None:
        torch.manual_seed(TRAIN_SEED)
        self.frames, self.recipe, self.device = frames, recipe, torch.device(device)
        images = frames.images
        self.steps = max(1, len(images.pixels) // recipe.batch)
        self.texts = None if texts is None else texts.to(self.device)
        # torch's stubs do not know the keyword alone.
        self.model = Mini(len(images.names)).to(self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if start is not None:
            self._start(start)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        other = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
        self._classes = torch.from_numpy(images.classes)
        # A class of 25 images counts nearly as much as one of 590: each is drawn by n^0.3.
        self._weights = (torch.bincount(self._classes).double() ** -0.7)[self._classes]
        self.epochs = 0

    def _start(self, folder: Path) -> None:
        """Takes over an exported model's weights, with the statistics of a few frames."""
        self.frames.need(1)
        rows = torch.arange(0, len(self.frames.images.pixels), 8)
        unfold(self.model, folder, self.frames.take(torch.zeros_like(rows), rows), self.texts)

    def epoch(self) -> float:
        """The next epoch; gives its mean loss. It depends on its number and the weights alone."""
        recipe, number = self.recipe, self.epochs
        torch.manual_seed(TRAIN_SEED * 1_000_003 + number)
        generator = torch.Generator(self.device).manual_seed(TRAIN_SEED * 1_000_003 + number)
        rows = torch.multinomial(self._weights, self.steps * recipe.batch, True)
        available = min(recipe.variants, 1 + number // recipe.grow)
        self.frames.need(available)
        variants = torch.randint(available, rows.shape)
        mixed = recipe.mixed if recipe.epochs - number > recipe.cool / 4 else 0.0
        size = recipe.size(number, SPEC.size)
        self.model.train()
        total = torch.zeros((), device=self.device)
        for step in range(self.steps):
            part = slice(step * recipe.batch, (step + 1) * recipe.batch)
            frames = self.frames.take(variants[part], rows[part])
            frames, other, own = mix(augment(frames, generator, size), mixed, generator)
            classes = self._classes[rows[part]].to(self.device)
            for group in self._optimiser.param_groups:
                group["lr"] = recipe.rate(number + step / self.steps)
            total += self._step(frames, classes, classes[other], own)
            self._follow(number * self.steps + step)
        self.epochs += 1
        return float(total) / self.steps

    def _step(self, frames: Tensor, classes: Tensor, others: Tensor, own: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.bfloat16):
            embedding = self.model.encoder(frames.contiguous(memory_format=torch.channels_last))
        logits = self.model.head(embedding)
        loss = torch.zeros((), device=self.device)
        for wanted, weight in ((classes, own), (others, 1 - own)):
            losses = F.cross_entropy(logits, wanted, label_smoothing=0.1, reduction="none")
            if self.texts is not None:
                losses = losses + self.recipe.text * self.texts.losses(embedding, wanted)
            loss = loss + (losses * weight).mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self._optimiser.step()
        return loss.detach()

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """The average follows: fast at first, then with the recipe's memory."""
        share = max(1 / self.recipe.average, 5 / (step + 5))
        for a, b in zip(self.average.parameters(), self.model.parameters(), strict=True):
            a.lerp_(b, share)
        for a, b in zip(self.average.buffers(), self.model.buffers(), strict=True):
            a.lerp_(b, share) if a.is_floating_point() else a.copy_(b)

    def save(self, path: Path, names: Sequence[str], figures: dict[str, float]) -> None:
        """Writes all that `resume` and the export need, whole or not at all."""
        state = {
            "model": self.average.state_dict(), "names": tuple(names), "epoch": self.epochs,
            "recipe": dataclasses.asdict(self.recipe),
            "figures": figures, "training": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }  # fmt: skip
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def resume(self, path: Path) -> None:
        """Goes on from what `save` wrote."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["training"])
        self.average.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.epochs = state["epoch"]


def train(
    trainer: Trainer,
    names: Sequence[str],
    held: NDArray[np.uint8],
    held_classes: NDArray[np.int64],
    work: Path,
) -> dict[str, float]:
    """Trains to the recipe's end, from `checkpoint.pt` in `work` if there is one; the figures.

    `held` are the validation frames, uint8 [M, 96, 96]: they are looked at, and choose nothing.
    """
    checkpoint = work / "checkpoint.pt"
    if checkpoint.is_file():
        trainer.resume(checkpoint)
    figures: dict[str, float] = {}
    while trainer.epochs < trainer.recipe.epochs:
        began, cpu = time.time(), time.process_time()
        loss = trainer.epoch()
        if math.isnan(loss):
            raise FloatingPointError(f"epoch {trainer.epochs}: the loss is not a number")
        seconds = {"seconds": time.time() - began, "cpu_seconds": time.process_time() - cpu}
        if trainer.epochs % LOOK == 0 or trainer.epochs == trainer.recipe.epochs:
            figures = evaluate(trainer.average, held, held_classes)
        line = {"epoch": trainer.epochs, "loss": loss, **seconds, **figures}
        with (work / "log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
        trainer.save(checkpoint, names, figures)
    return figures


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="tar of class/image.jpg (Caltech-101, gray)")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches and results")
    parser.add_argument("--texts", type=Path, help="npz of CLIP ViT-B/32's lvis_text, lvis_names")
    parser.add_argument("--start", type=Path, help="model folder to go on from")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--cool", type=int, default=30, help="epochs of a falling rate, the last")
    parser.add_argument("--rate", type=float, default=2e-3, help="the highest learning rate")
    parser.add_argument("--bfloat16", action="store_true", help="for a GPU, AMX or AVX-512 BF16")
    parser.add_argument("--variants", type=int, default=12, help="simulations of each image")
    parser.add_argument("--longer", type=int, default=0, help="of them with strokes twice as long")
    parser.add_argument("--unseen", type=int, default=0, help="classes left out, then shown by 5s")
    parser.add_argument("--record", type=Path, help="JSON file for what --unseen finds")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--grow", type=int, default=5, help="epochs from a variant to the next")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the CPU")
    options = parser.parse_args()
    if options.unseen and options.start:
        parser.error("--start: that model has seen all classes; leave it out with --unseen")
    if not 0 <= options.longer <= options.variants:
        parser.error(f"--longer {options.longer}: must be 0 to --variants ({options.variants})")
    torch.set_num_threads(options.threads)
    images, held = load_images(options.images)
    left_out = unseen_names(images.names, options.unseen)
    (images, unseen), (held, _) = without(images, left_out), without(held, left_out)
    held_frames = cached_frames(held, VALIDATION_SEED, 0, options.work)
    texts = read_texts(options.texts, images.names) if options.texts else None
    recipe = Recipe(
        options.epochs,
        options.variants,
        options.longer,
        options.grow,
        cool=options.cool,
        learning_rate=options.rate,
        bfloat16=options.bfloat16,
    )
    frames = Frames(images, options.work, recipe.variants, options.device, recipe.longer)
    trainer = Trainer(frames, recipe, texts, options.device, options.start)
    train(trainer, images.names, held_frames, held.classes, options.work)
    if unseen.names:
        shown = cached_frames(unseen, VALIDATION_SEED, 0, options.work, name="unseen")
        share = few_shot(embed(trainer.average.encoder, shown), unseen.classes)
        found = {"five_shot": round(share, 4), "classes": unseen.names, "images": len(shown)}
        text = json.dumps({**found, "recipe": dataclasses.asdict(recipe)}, indent=1)
        print(text)
        if options.record:
            options.record.write_text(text + "\n")


if __name__ == "__main__":
    main()
