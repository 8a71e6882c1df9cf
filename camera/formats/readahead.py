"""Work on the next items while these are consumed: in order, bounded, and no thread left behind."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

_T = TypeVar("_T")
_R = TypeVar("_R")


def default_threads() -> int:
    """Two where this process may use two processors, otherwise one."""
    usable = getattr(os, "sched_getaffinity", None)  # fewer in a container than the machine has
    return min(2, len(usable(0)) if usable else os.cpu_count() or 1)


def map_ahead(
    work: Callable[[_T], _R], items: Iterator[_T], threads: int, depth: int
) -> Generator[_R]:
    """`work` of each item, in the order of the items.

    Args:
        items: taken on the caller's thread, at most `depth` before their results are.
        threads: how many works run at a time; 1: none runs ahead, and no thread is started.
        depth: how many results wait or are worked on, besides the one that the caller holds.

    What `items` or a `work` raises comes after the results before it. An iterator that is closed
    waits for the works that run and drops those that do not.
    """
    if threads <= 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads, "saccade-ahead")
    waiting: deque[Future[_R]] = deque()
    damage: Exception | None = None
    more = True
    try:
        while True:
            while more and len(waiting) < depth:
                try:
                    waiting.append(pool.submit(work, next(items)))
                except StopIteration:
                    more = False
                except Exception as error:  # raised below, when its turn comes
                    more, damage = False, error
            if not waiting:
                break
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if damage is not None:
        raise damage
