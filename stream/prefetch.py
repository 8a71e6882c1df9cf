"""The one threading primitive: a stage runs ahead on its own thread behind a bounded queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Pulls `items` on a thread of its own and hands them on in order, the end and errors included.

    At most `size` items and `max_bytes` bytes wait. When the queue is full, the stage waits
    (back-pressure), or, where `on_drop` is given, the oldest item that waits is dropped and handed
    to `on_drop`, a `hollow` one before others; so is one that is `stale` while a newer one waits.
    An item larger than `max_bytes` waits alone, so a bound can never deadlock.

    Attributes:
        busy_since: `time.monotonic()` when the consumer took what it works on now; 0.0 while it
            waits for an item.
    """

    def __init__(
        self,
        items: Iterable[T],
        size: int,
        *,
        name: str,
        on_drop: Callable[[T], None] | None = None,
        max_bytes: int = 0,
        nbytes: Callable[[T], int] = lambda _: 0,
        stale: Callable[[T], bool] = lambda _: False,
        hollow: Callable[[T], bool] = lambda _: False,
    ) -> None:
        """Starts pulling at once; `max_bytes` 0 bounds the number of items alone."""
        assert size > 0
        self._items = iter(items)
        self._size = size
        self._on_drop = on_drop
        self._max_bytes = max_bytes
        self._nbytes = nbytes
        self._stale, self._hollow = stale, hollow
        self._queue: deque[T] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._ended = False
        self._closed = False
        self.busy_since = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._pull, name=f"saccade-{name}", daemon=True)
        self._thread.start()

    def _pull(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as error:  # carried to the consumer, whatever it is
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _full(self, nbytes: int) -> bool:
        too_big = 0 < self._max_bytes < self._bytes + nbytes
        return bool(self._queue) and (len(self._queue) >= self._size or too_big)

    def _put(self, item: T) -> bool:
        nbytes = self._nbytes(item)
        with self._changed:
            while self._full(nbytes) and not self._closed:
                if self._on_drop is None:
                    self._changed.wait()
                else:  # counted before the newer item is seen
                    self._on_drop(self._pop(self._least()))
            if self._closed:
                return False
            self._queue.append(item)
            self._bytes += nbytes
            self._drop_stale()
            self._changed.notify_all()
        return True

    def _drop_stale(self) -> None:
        while self._on_drop and len(self._queue) > 1 and self._stale(self._queue[0]):
            self._on_drop(self._pop())

    def _least(self) -> int:
        """Which of those that wait is dropped first."""
        return next((k for k, item in enumerate(self._queue) if self._hollow(item)), 0)

    def _pop(self, at: int = 0) -> T:
        item = self._queue[at]
        del self._queue[at]
        self._bytes -= self._nbytes(item)
        return item

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        self.busy_since = 0.0
        with self._changed:
            while not self._queue and not self._ended and not self._closed:
                self._changed.wait()
            if self._queue and not self._closed:
                self._drop_stale()
                item = self._pop()
                self._changed.notify_all()
                self.busy_since = time.monotonic()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def more(self, most: int) -> list[T]:
        """Up to `most` further items that wait already; those dropped for their age are not."""
        with self._changed:
            self._drop_stale()
            items = [] if self._closed else [self._pop() for _ in range(min(most, self.backlog))]
            self._changed.notify_all()
        return items

    @property
    def backlog(self) -> int:
        """Items that wait now."""
        return len(self._queue)

    @property
    def nbytes(self) -> int:
        """Bytes of the items that wait now."""
        return self._bytes

    def cancel(self) -> None:
        """Ends both sides: the stage stops at its next item, the consumer sees the end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def close(self, timeout_s: float | None = None) -> bool:
        """Cancels, and waits for the thread; whether it has ended in time."""
        self.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        self._queue.clear()
        return not self._thread.is_alive()
