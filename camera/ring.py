"""The ring between a camera and those who read it: bounded in bytes, the oldest lost first."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeVar

#: What a ring holds by default: 20 million events, 1.7 s of 12 Mev/s.
RING_BYTES = 256 << 20


class Arrival(Protocol):
    """What a ring holds: events as they came, such as a `LivePacket`."""

    @property
    def n_events(self) -> int: ...
    @property
    def ends_us(self) -> tuple[int, int]: ...
    @property
    def received_ns(self) -> int: ...
    @property
    def nbytes(self) -> int: ...


T = TypeVar("T", bound=Arrival)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that a reader did not get, for it was too slow; between two packets that it got.

    Attributes:
        from_us, to_us: first and last of their times, the sensor's clock.
        events: how many.
    """

    from_us: int
    to_us: int
    events: int

    def merged(self, later: Gap) -> Gap:
        """Both as one."""
        return Gap(
            min(self.from_us, later.from_us),
            max(self.to_us, later.to_us),
            self.events + later.events,
        )


class Ring(Generic[T]):
    """Packets of one source, kept until each reader has taken them; thread-safe.

    One thread puts, each reader takes on a thread of its own. `put` never waits: when the ring is
    full, its older half is dropped, and every reader that has not taken a packet of it counts the
    events and is given a `Gap` in their place. Half of the ring, for a reader that lags behind for
    good is to get whole windows without a gap between, not every other packet.
    """

    def __init__(self, max_bytes: int = RING_BYTES) -> None:
        """At most `max_bytes` of events; the newest packet stays whatever its size.

        Attributes:
            max_bytes: the bound.
        """
        assert max_bytes > 0
        self.max_bytes = max_bytes
        self._items: deque[T] = deque()
        self._first = 0  # number of the oldest packet held
        self._bytes = 0
        self._readers: list[Reader[T]] = []
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def reader(self) -> Reader[T]:
        """A new reader, of the packets from now on."""
        with self._changed:
            reader = Reader(self, self._first + len(self._items))
            self._readers.append(reader)
            return reader

    def put(self, item: T) -> None:
        """Appends a packet; where nobody reads, it is gone."""
        with self._changed:
            self._items.append(item)
            self._bytes += item.nbytes
            while self._bytes > self.max_bytes and len(self._items) > 1:
                self._drop_half()
            self._forget_taken()
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more comes; readers get what is held, then the error where there is one."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    @property
    def is_read(self) -> bool:
        """Whether there is a reader."""
        return bool(self._readers)

    def _drop_half(self) -> None:
        while self._bytes > self.max_bytes // 2 and len(self._items) > 1:
            item = self._pop()
            for reader in self._readers:
                reader.pass_over(item, self._first)

    def _forget_taken(self) -> None:
        needed = min(
            (reader.at for reader in self._readers), default=self._first + len(self._items)
        )
        while self._first < needed and self._items:
            self._pop()

    def _pop(self) -> T:
        item = self._items.popleft()
        self._first += 1
        self._bytes -= item.nbytes
        return item

    # For readers, all of them under the lock.

    def take(self, reader: Reader[T], timeout_s: float) -> T | Gap | None:
        """See `Reader.take`."""
        with self._changed:
            if not self._ready(reader):
                self._changed.wait(timeout_s)
            if reader.ended:
                return None
            gap = reader.take_gap()
            if gap is not None:
                return gap
            if reader.at >= reader.until:
                reader.ended = True
                return None
            at = reader.at - self._first
            if at < len(self._items):
                item = self._items[at]
                reader.at += 1
                self._forget_taken()
                return item
            if self._ended:
                reader.ended = True
                if self._error is not None:
                    raise self._error
        return None

    def _ready(self, reader: Reader[T]) -> bool:
        more = reader.at < self._first + len(self._items)
        return more or self._ended or reader.ended or reader.at >= reader.until

    def waiting(self, reader: Reader[T]) -> Sequence[T]:
        """The packets that wait for a reader now."""
        with self._changed:
            return list(islice(self._items, reader.at - self._first, None))

    def stop(self, reader: Reader[T]) -> None:
        """See `Reader.stop`."""
        with self._changed:
            reader.until = self._first + len(self._items)
            self._changed.notify_all()

    def skip(self, reader: Reader[T]) -> None:
        """See `Reader.skip`."""
        with self._changed:
            for item in self.waiting(reader)[:-1]:
                reader.pass_over(item, reader.at + 1)
            self._forget_taken()

    def leave(self, reader: Reader[T]) -> None:
        """See `Reader.close`."""
        with self._changed:
            if reader not in self._readers:
                return
            for item in self.waiting(reader):
                reader.pass_over(item, reader.at + 1)
            self._readers.remove(reader)
            reader.ended = True
            self._forget_taken()
            self._changed.notify_all()


class Reader(Generic[T]):
    """One who takes from a ring, on one thread.

    Attributes:
        lost: events so far that it was too slow for.
        ended: whether it has taken all that there will be.
        busy_since: `time.monotonic()` when it took what it works on now; 0.0 while it waits.
    """

    def __init__(self, ring: Ring[T], at: int) -> None:
        """Use `Ring.reader`."""
        self.at = at  # number of the packet to be taken next
        self.until = sys.maxsize  # number of the packet that it does not take any more
        self.lost = 0
        self.ended = False
        self.busy_since = 0.0
        self._gap: Gap | None = None
        self._ring = ring

    def take(self, timeout_s: float) -> T | Gap | None:
        """The next packet, or the gap before it; None where nothing came in time, or `ended`.

        Raises what ended the source, after all that came before.
        """
        self.busy_since = 0.0
        item = self._ring.take(self, timeout_s)
        if item is not None:
            self.busy_since = time.monotonic()
        return item

    def stop(self) -> None:
        """Takes what waits now, and is then `ended`; from any thread."""
        self._ring.stop(self)

    def skip(self) -> None:
        """Loses all that waits but the newest packet; the gap comes before that."""
        self._ring.skip(self)

    def close(self) -> None:
        """Takes nothing more: what waits is lost, and counted. Twice is once."""
        self._ring.leave(self)

    @property
    def backlog(self) -> int:
        """Packets that wait for it now."""
        return len(self._ring.waiting(self))

    @property
    def nbytes(self) -> int:
        """Bytes of the packets that wait for it now."""
        return sum(item.nbytes for item in self._ring.waiting(self))

    @property
    def delay_ns(self) -> int:
        """How long ago the oldest packet that waits for it arrived; 0 where none waits."""
        waiting = self._ring.waiting(self)
        return max(0, time.monotonic_ns() - waiting[0].received_ns) if waiting else 0

    # For the ring.

    def pass_over(self, item: T, first: int) -> None:
        """A packet is dropped, and the oldest that is held now is number `first`."""
        if self.at >= first:
            return  # it was taken before
        wanted, self.at = self.at < self.until, first
        if not (wanted and item.n_events):
            return
        gap = Gap(min(item.ends_us), max(item.ends_us), item.n_events)
        self.lost += item.n_events
        self._gap = gap if self._gap is None else self._gap.merged(gap)

    def take_gap(self) -> Gap | None:
        """The gap before the packet that comes next."""
        gap, self._gap = self._gap, None
        return gap
