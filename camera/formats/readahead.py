"""Work on the next items while these are consumed: in order, bounded, and no thread left behind."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

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
        items: taken one by one, by whichever thread is free.
        threads: how many work at a time, the caller's among them: it does while the next result is
            not there. 1: none runs ahead, and no thread is started.
        depth: how many results wait, are worked on or are held by the caller; over `threads`.

    What `items` or a `work` raises comes after the results before it. An iterator that is closed
    waits for the works that run and begins no other.
    """
    if threads <= 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor  # slow to import, and not needed for one

    ahead = _Ahead(work, items, depth - 1)
    pool = ThreadPoolExecutor(threads - 1, "saccade-ahead")
    helpers: list[Future[None]] = []
    try:
        while True:
            helpers = [helper for helper in helpers if not helper.done()]
            helpers += [pool.submit(ahead.work) for _ in range(threads - 1 - len(helpers))]
            if not ahead.wait():
                break
            yield ahead.take()
    finally:
        ahead.ended = True
        pool.shutdown()
    if ahead.error is not None:
        raise ahead.error


@dataclass(slots=True)
class _Slot(Generic[_R]):
    """What comes of one work: one value or an error, once it is done."""

    values: list[_R]
    error: Exception | None = None
    done: bool = False


class _Ahead(Generic[_T, _R]):
    """What the threads of one `map_ahead` share.

    None of them ever sleeps but the caller's for its next result: one that finds nothing to do
    ends. So none is left where an iterator is neither used up nor closed.
    """

    def __init__(self, work: Callable[[_T], _R], items: Iterator[_T], room: int) -> None:
        self._work, self._items, self._room = work, items, room
        self._taking = threading.Lock()
        self._done = threading.Condition()
        self._waiting: deque[_Slot[_R]] = deque()  # in the order of the items
        self.ended = False
        self.error: Exception | None = None  # of the items

    def work(self) -> None:
        """Works until there is no more to do, or no room for what comes of it."""
        while self._step():
            pass

    def wait(self) -> bool:
        """Works until the next result is there; False where none follows."""
        while not self._waiting or not self._waiting[0].done:
            if self._step():
                continue
            if not self._waiting:
                return False
            first = self._waiting[0]
            with self._done:
                while not first.done:
                    self._done.wait()
        return True

    def take(self) -> _R:
        """The next result, which is held no longer, or what its work raised."""
        slot = self._waiting.popleft()
        if slot.error is not None:
            raise slot.error
        return slot.values.pop()

    def _step(self) -> bool:
        with self._taking:
            if self.ended or len(self._waiting) >= self._room:
                return False
            try:
                item = next(self._items)
            except StopIteration:
                self.ended = True
                return False
            except Exception as error:
                self.ended, self.error = True, error
                return False
            slot = _Slot[_R]([])
            self._waiting.append(slot)
        try:
            slot.values.append(self._work(item))
        except Exception as error:
            slot.error = error
        with self._done:
            slot.done = True
            self._done.notify()
        return True
