"""An XPUB socket that answers each new subscription with the last values that it kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import zmq

from saccade.stream.keys import ServerKeys
from saccade.stream.sockets import SEND_HWM, bind_xpub

_MAX_REQUESTS_PER_TICK = 1000
_MAX_KEPT = 1024  # topics, of 64 KiB at most; one publisher has three


class Outlet:
    """Sends without ever waiting: a slow subscriber loses the newest, when its queue is full.

    For one thread at a time: its owner has the lock.

    Attributes:
        address: where it is bound, with the port that was found when 0 was asked for.
        socket: the XPUB, to poll.
        peers: subscriptions to anything.
        sent: messages sent.
        refused: handshakes that failed, where there are keys.
    """

    def __init__(
        self,
        address: str,
        linger_ms: int,
        watched: Sequence[bytes] = (),
        keys: ServerKeys | None = None,
        insecure_no_auth: bool = False,
    ) -> None:
        """Binds at once; subscriptions that the topics `watched` match are counted.

        Raises:
            SaccadeError: see `bind_xpub`.
        """
        self._bound = bind_xpub(address, linger_ms, keys, insecure_no_auth)
        self.address, self.socket = self._bound.address, self._bound.socket
        self.peers = self.sent = 0
        self._users = 1
        self._watched = tuple(watched)
        self._subscriptions: Counter[bytes] = Counter()
        self._kept: dict[bytes, list[bytes]] = {}

    @property
    def refused(self) -> int:
        return self._bound.door.refused if self._bound.door else 0

    def share(self, watched: Sequence[bytes]) -> None:
        """Has one more user, with topics of its own: `close` closes once all users have."""
        self._users += 1
        self._watched += tuple(watched)

    def watching(self, topics: Sequence[bytes]) -> int:
        """Subscriptions that some of the watched topics match."""
        return sum(
            n
            for prefix, n in self._subscriptions.items()
            if any(topic.startswith(prefix) for topic in topics)
        )

    @property
    def full(self) -> bool:
        """Whether a subscriber's queue may have been full by now."""
        return self.sent >= SEND_HWM

    def send(self, parts: list[bytes]) -> None:
        """Sends a message to whoever subscribes to it."""
        self.socket.send_multipart(parts, zmq.DONTWAIT)
        self.sent += 1

    def keep(self, topic: bytes, parts: list[bytes]) -> None:
        """Has a message for later subscribers to its topic, in place of the one before."""
        if topic not in self._kept and len(self._kept) >= _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[topic] = parts

    def repeat(self, topic: bytes) -> None:
        """Sends what was kept of a topic once more."""
        if topic in self._kept:
            self.send(self._kept[topic])

    def answer(self) -> bool:
        """Reads new subscriptions and sends what they missed, once for all of them.

        Returns:
            Whether a subscription that the watched topics match came or went.
        """
        missed: set[bytes] = set()
        changed = False
        for _ in range(_MAX_REQUESTS_PER_TICK):
            try:
                request = self.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                break
            if len(request) == 1 and request[0][:1] in (b"\0", b"\1"):
                changed |= self._count(request[0])
                if request[0][0]:
                    missed.update(t for t in self._kept if t.startswith(request[0][1:]))
        for topic in missed:
            self.send(self._kept[topic])
        return changed

    def close(self) -> None:
        """Closes the socket; waits for what it lingers over."""
        self._users -= 1
        if not self._users:
            self._bound.close()

    def _count(self, request: bytes) -> bool:
        self.peers = max(0, self.peers + (1 if request[0] else -1))
        prefix = request[1:]
        # Only prefixes of our topics are kept, so that a stranger cannot fill the memory.
        if not any(topic.startswith(prefix) for topic in self._watched):
            return False
        if request[0]:
            self._subscriptions[prefix] += 1
        elif self._subscriptions[prefix] > 0:
            self._subscriptions[prefix] -= 1
        return True
