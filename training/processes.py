"""One process, or several of torchrun's, each with a GPU where there are any."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

#: How long the others wait for one of them, which may be validating.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Processes:
    """Where this process stands among `count`, and what it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all processes in their order: [N, ...] -> [N * count, ...].

        A loss over these is the same in all processes. So the gradient that comes back is that of
        this process's rows, times `count`: DistributedDataParallel takes the mean over processes,
        and the mean of that is the gradient of the one loss.
        """
        if self.count == 1:
            return rows
        found: Tensor = _Gather.apply(rows, self.rank, self.count)  # pyright: ignore
        return found

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            distributed.barrier()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, rank: int, count: int) -> Tensor:  # pyright: ignore
        ctx.rank, ctx.count, ctx.rows = rank, count, len(rows)
        parts = [torch.empty_like(rows) for _ in range(count)]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        first = ctx.rank * ctx.rows
        return gradient[first : first + ctx.rows] * ctx.count, None, None


@contextlib.contextmanager
def processes() -> Iterator[Processes]:
    """This process among those that torchrun started; the only one without it."""
    cuda = torch.cuda.is_available()
    count = int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cpu")
    if cuda:
        # The same sums on every run: see cuBLAS's "reproducibility".
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    if count == 1:
        yield Processes(0, 1, device)
        return
    distributed.init_process_group(
        "nccl" if cuda else "gloo", timeout=_PATIENCE, device_id=device if cuda else None
    )
    try:
        yield Processes(distributed.get_rank(), count, device)
    finally:
        distributed.destroy_process_group()
