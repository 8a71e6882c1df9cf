"""Metrics of a training: a JSON object a line, TensorBoard where it is installed, a bar."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

NO_TENSORBOARD = "TensorBoard is not installed: metrics.jsonl alone; pip install tensorboard"


class Metrics:
    """Where figures go. Of several processes the first alone has one."""

    def __init__(self, folder: Path, step: int) -> None:
        """Goes on after `step`: lines of later steps, which a killed run left, are taken out."""
        self._path = folder / "metrics.jsonl"
        self._cut(step)
        self._file = self._path.open("a", encoding="utf-8")
        self._board: Any = None
        if importlib.util.find_spec("tensorboard") is None:
            print(NO_TENSORBOARD, file=sys.stderr)
        else:
            writer: Any = importlib.import_module("torch.utils.tensorboard").SummaryWriter
            self._board = writer(str(folder / "tensorboard"), purge_step=step + 1)

    def _cut(self, step: int) -> None:
        if not self._path.is_file():
            return
        kept = []
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            with contextlib.suppress(ValueError):  # the last line of a killed run
                if json.loads(line)["step"] <= step:
                    kept.append(line)
        part = self._path.with_name(f".{self._path.name}")
        part.write_text("".join(kept), encoding="utf-8")
        os.replace(part, self._path)  # noqa: PTH105

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """One line: the step, what the figures are of (`train`, `validation`), the figures."""
        # JSON has no infinity, which the gradient of a step in fp16 may be: msgspec writes null.
        line = msgspec.json.encode({"step": step, "kind": kind, **values}).decode()
        self._file.write(line + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Ends both files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


@contextlib.contextmanager
def bar(done: int, total: int, *, shown: bool) -> Iterator[Any]:
    """A bar of steps on stderr, where that is a terminal: call it with the loss after each."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        console=console,
        disable=not (shown and console.is_terminal),
    ) as progress:
        task = progress.add_task("training", total=total, completed=done)
        yield lambda loss: progress.update(task, advance=1, description=f"loss {loss:.4f}")
