"""The loop: batches to losses to weights, the same bits whether it was interrupted or not."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from saccade.camera.errors import SaccadeError
from saccade.engines.clip.vit import VisionTower
from saccade.training.checkpoints import (
    State,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
    stamp_of,
)
from saccade.training.config import Config, ConfigError, Objective
from saccade.training.datasets.loader import Batch, Order, test_batches, training_batches
from saccade.training.datasets.samples import Samples
from saccade.training.losses import Features, terms, total
from saccade.training.metrics import Metrics, bar
from saccade.training.processes import Processes
from saccade.training.schedule import Schedule, follow, peak_rate
from saccade.training.scores import Scores

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Task:
    """What is trained on what.

    Attributes:
        objective, config: as the user has them.
        encoder: what learns: float [N, 1, size, size] -> float [N, D], not normalised.
        image: the frozen image tower; None where no loss needs it.
        prompts: f_T of the training's classes, float32 [C, D].
        samples: of the training.
        held: of the validation, and the prompts of its classes; None without one.
    """

    objective: Objective
    config: Config
    encoder: nn.Module
    image: VisionTower | None
    prompts: Tensor
    samples: Samples
    held: tuple[Samples, Tensor] | None


class Trainer:
    """A training in one process, alone or beside others; `folder` holds what it leaves."""

    def __init__(self, task: Task, folder: Path, processes: Processes) -> None:
        config = task.config.train
        device = processes.device
        if config.precision == "fp16" and device.type != "cuda":
            raise ConfigError("train.precision fp16: needs a GPU; bf16 and fp32 run on a CPU")
        self.task, self.folder, self._processes = task, folder, processes
        self._order = Order(
            len(task.samples),
            config.batch,
            seed=config.seed,
            rank=processes.rank,
            processes=processes.count,
        )
        if not self._order.steps:
            wanted = f"{config.batch} for each of {processes.count} processes"
            raise ConfigError(
                f"train.batch: {len(task.samples)} samples fill no step of {wanted}; lower it"
            )
        self.steps = config.epochs * self._order.steps
        self._schedule = Schedule(
            peak_rate(config.base_lr, processes.count, config.batch),
            round(config.warmup_epochs * self._order.steps),
            self.steps,
        )
        encoder = task.encoder.to(device)
        self.state = State(
            encoder,
            copy.deepcopy(encoder).eval() if config.ema else None,
            torch.optim.AdamW(
                encoder.parameters(),
                lr=self._schedule.peak,
                betas=(config.beta1, config.beta2),
                weight_decay=config.weight_decay,
            ),
            torch.amp.GradScaler(device.type, enabled=config.precision == "fp16"),  # pyright: ignore[reportPrivateImportUsage]
        )
        self._image = None if task.image is None else task.image.to(device)
        self._prompts = task.prompts.to(device)
        self._held: Iterable[Batch] | None = None
        self._model: nn.Module = encoder
        if processes.count > 1:
            ids = [device] if device.type == "cuda" else None
            self._model = nn.parallel.DistributedDataParallel(encoder, device_ids=ids)
        self.step = 0

    @property
    def encoder(self) -> nn.Module:
        """What is validated and exported: the averaged weights where there are some."""
        return self.state.encoder if self.state.average is None else self.state.average

    def resume(self) -> None:
        """Goes on from the newest checkpoint; begins where there is none.

        Raises:
            ConfigError: it is damaged, or of another training.
        """
        found = list_checkpoints(self.folder / "checkpoints")
        if found:
            self.step = load_checkpoint(found[-1], self.state, self._stamp())

    def _stamp(self):
        classes = self.task.samples.listing.classes.sha256
        return stamp_of(
            self.step, self.task.objective, self.task.config, self._processes.count, classes
        )

    def run(self) -> dict[str, float]:
        """Trains to the end; gives the last figures of the validation ({} without one).

        Raises:
            SaccadeError: a sample cannot be read, the loss is no number any more, or a checkpoint
                cannot be written.
        """
        if self.step == self.steps:  # only the export was missing
            return self._validate()
        figures: dict[str, float] = {}
        metrics = Metrics(self.folder, self.step) if self._processes.first else None
        loader = training_batches(self.task.samples, self._order, self.task.config.train.workers)
        try:
            with bar(self.step, self.steps, shown=self._processes.first) as advance:
                while self.step < self.steps:
                    self._order.epoch, self._order.first_step = divmod(self.step, self._order.steps)
                    began = time.perf_counter()
                    for batch in loader:
                        values = self._train_on(batch)
                        samples = len(batch.labels) * self._processes.count
                        values["samples_s"] = samples / (time.perf_counter() - began)
                        if metrics is not None:
                            metrics.write(self.step, "train", values)
                        if self.step % self._order.steps == 0:
                            figures = self._end_epoch(metrics) or figures
                        self._save_if_due()
                        advance(values["loss"])
                        began = time.perf_counter()
        finally:
            if metrics is not None:
                metrics.close()
        return figures

    def _train_on(self, batch: Batch) -> dict[str, float]:
        """One step; gives its figures."""
        rate = self._schedule.rate(self.step)
        values = self.make_step(batch.to(self._processes.device), rate)
        self.step += 1
        return {**values, "lr": rate}

    def _save_if_due(self) -> None:
        """A checkpoint, once the figures of its step are written: none is lost with a kill."""
        due = self.step % self.task.config.train.checkpoint_steps == 0
        if self._processes.first and (due or self.step % self._order.steps == 0):
            save_checkpoint(self.folder / "checkpoints", self.state, self._stamp())

    def make_step(self, batch: Batch, rate: float) -> dict[str, float]:
        """Moves the weights by one batch of this process, at a learning rate.

        Gives each loss, their weighted sum `loss`, and the norm of its gradient.

        Raises:
            SaccadeError: the sum is no number.
        """
        state = self.state
        values = self.accumulate(batch)
        if not math.isfinite(values["loss"]):
            what = f"step {self.step + 1}: the loss is {values['loss']}"
            raise SaccadeError(f"{what}; lower train.base_lr, or train in fp32, then --resume")
        state.scaler.unscale_(state.optimiser)
        gradients = [p.grad for p in state.encoder.parameters() if p.grad is not None]
        values["grad_norm"] = float(torch.nn.utils.get_total_norm(gradients))
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        state.scaler.step(state.optimiser)
        state.scaler.update()
        if state.average is not None:
            follow(state.average, state.encoder, self.task.config.train.ema, self.step)
        return values

    def accumulate(self, batch: Batch) -> dict[str, float]:
        """Puts the gradient of the losses into the encoder; gives them, and their sum `loss`."""
        self.state.optimiser.zero_grad(set_to_none=True)
        self.state.encoder.train()
        parts = self.task.config.train.accumulate
        values: dict[str, float] = {}
        for number, part in enumerate(batch.split(parts)):
            with self._unsynchronised(number + 1 < parts):
                found = terms(self._features(part), self.task.config.loss)
                loss = total(found, self.task.config.loss)
                self.state.scaler.scale(loss / parts).backward()
            for name, term in {**found, "loss": loss}.items():
                values[name] = values.get(name, 0.0) + float(term.detach()) / parts
        return values

    @contextlib.contextmanager
    def _unsynchronised(self, on: bool) -> Iterator[None]:
        """Processes add up their gradients once a step, with the last part."""
        if on and isinstance(self._model, nn.parallel.DistributedDataParallel):
            with self._model.no_sync():
                yield
        else:
            yield

    def _autocast(self) -> torch.autocast:
        precision = self.task.config.train.precision
        return torch.autocast(
            self._processes.device.type, _DTYPES[precision], enabled=precision != "fp32"
        )

    def _features(self, batch: Batch) -> Features:
        """The towers' features of a part, of all processes, in float32."""
        v = None
        with self._autocast():
            e = self._model(batch.frames)
            if self._image is not None and batch.photos is not None:
                with torch.no_grad():
                    v = self._image.features(batch.photos)
        gather = self._processes.gather
        v = None if v is None else gather(v.float())
        return Features(gather(e.float()), v, self._prompts, gather(batch.labels))

    def _end_epoch(self, metrics: Metrics | None) -> dict[str, float]:
        epoch = self.step // self._order.steps
        last = self.step == self.steps
        if not (last or epoch % self.task.config.train.validate_epochs == 0):
            return {}
        figures = self._validate()
        if metrics is not None and figures:
            metrics.write(self.step, "validation", figures)
        return figures

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Figures of the held samples against all prompts, by the first process alone."""
        if self.task.held is not None and self._processes.first:
            samples, prompts = self.task.held
            scores = Scores(prompts.to(self._processes.device))
            encoder = self.encoder.eval()
            train = self.task.config.train
            if self._held is None:  # once: its workers take seconds to start
                self._held = test_batches(samples, train.batch, train.workers)
            for batch in self._held:
                held = batch.to(self._processes.device)
                with self._autocast():
                    features = encoder(held.frames)
                scores.add(features.float(), held.labels)
            figures = scores.figures()
        else:
            figures = {}
        self._processes.wait()
        return figures
