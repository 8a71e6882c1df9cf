"""What a publisher sends, as messages: all of them with the gaps counted, or only the newest."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Literal

import zmq

from saccade.camera.errors import SaccadeError
from saccade.stream.addresses import DEFAULT_ADDRESS
from saccade.stream.keys import ClientKeys
from saccade.stream.sockets import check_process, connect
from saccade.stream.wire import MAX_BLOB_BYTES, Message, StatusHeader, WireError, decode

_POLL_MS = 50  # close() from another thread waits for this long at most
# Topics are made by publishers: a stranger who invents them must not fill the memory.
_MAX_TOPICS = 1024
_MAX_TOPIC_BYTES = 256


class Subscriber:
    """Messages from a publisher, now or when it appears; it reconnects by itself.

    In "queue" mode every message is kept (10 000 of them) until it is asked for. In "mailbox"
    mode a thread of its own drains the socket and only the newest of each topic is kept. Garbage
    is counted in `malformed` and never raised; a publisher whose keys are not ours is, where it
    says so. Iterating ends after `timeout_s` without a
    message, when it was closed, or, with `until_end`, when a stream that it reads has ended; a
    publisher that was killed says no end, so give `timeout_s` too where that matters. Labels lost
    at the end of a burst are counted when the next status says how many there were. The
    queue mode belongs to one thread at a time (another may close it), and renews its
    subscriptions after a reconnection only while it waits: libzmq does that in the caller's thread.

    Attributes:
        topics: prefixes such as "label/", "latest/label/" or "label/cam/"; "" is everything.
        malformed: messages that were not saccade/1.
        skipped: messages that a newer one replaced before they were read (mailbox).
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        topics: Sequence[str] = ("label/",),
        mode: Literal["queue", "mailbox"] = "queue",
        timeout_s: float | None = None,
        until_end: bool = False,
        keys: ClientKeys | None = None,
    ) -> None:
        """Connects in the background: there need not be a publisher yet.

        Args:
            keys: ours and the publisher's, where it has keys.

        Raises:
            SaccadeError: an address that cannot be connected to, an unknown mode, a long topic.
        """
        if mode not in ("queue", "mailbox"):
            raise SaccadeError(f"mode {mode!r}: use 'queue' (all) or 'mailbox' (the newest)")
        self.topics = (topics,) if isinstance(topics, str) else tuple(dict.fromkeys(topics))
        if any(len(topic.encode()) > _MAX_TOPIC_BYTES for topic in self.topics):
            raise SaccadeError(
                f"a topic of more than {_MAX_TOPIC_BYTES} bytes; give a shorter prefix"
            )
        self.timeout_s, self.malformed, self.skipped = timeout_s, 0, 0
        self._mode, self._until_end, self._pid = mode, until_end, os.getpid()
        self._ended = self._closed = False
        self._last: dict[str, tuple[str, int]] = {}  # topic -> run and seq
        self._gaps: Counter[str] = Counter()
        self._newest: dict[str, Message] = {}
        self._changed = threading.Condition()
        self._reading = threading.RLock()  # held while a thread is in the socket (queue mode)
        # Not asked for, a status is for us alone: how many labels there were, and the end.
        asked = tuple(dict.fromkeys((*self.topics, "status/")))
        self._connected = connect(
            zmq.SUB, address, max_part_bytes=MAX_BLOB_BYTES, keys=keys, topics=asked
        )
        self._socket = self._connected.socket
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if mode == "mailbox":
            self._thread = threading.Thread(target=self._drain, name="saccade-mailbox", daemon=True)
            self._thread.start()

    @property
    def gaps(self) -> int:
        """How many messages are missing in all: jumps of `seq` within a run, and labels that a
        status counts but that did not come before it."""
        return sum(self.gaps_by_topic.values())

    @property
    def gaps_by_topic(self) -> dict[str, int]:
        """How many messages are missing in each topic that has a gap."""
        with self._changed:
            return dict(self._gaps)

    @property
    def ended(self) -> bool:
        """Whether a status "ended" was seen (only with `until_end`)."""
        return self._ended

    def receive(self, timeout_s: float | None = None) -> Message | None:
        """The next message; in mailbox mode the newest of the topic that waited longest.

        Args:
            timeout_s: how long to wait; None means the subscriber's own `timeout_s`.

        Returns:
            None when the time ran out, the stream has ended or the subscriber is closed.

        Raises:
            SaccadeError: the publisher wants keys, has none, or ours is not on its list.
        """
        check_process(self._pid, "a Subscriber")
        wait_s = self.timeout_s if timeout_s is None else timeout_s
        if self._mode == "queue":
            return self._next(wait_s)
        with self._changed:
            self._wait_for_mail(wait_s)
            if not self._newest:
                return None
            return self._newest.pop(next(iter(self._newest)))

    def latest(self, timeout_s: float | None = None) -> dict[str, Message]:
        """What is new since the last call: the newest message of each topic (mailbox mode).

        Waits for one as `receive` does; empty where that gives None.

        Raises:
            SaccadeError: the subscriber is in queue mode.
        """
        check_process(self._pid, "a Subscriber")
        if self._mode != "mailbox":
            raise SaccadeError("latest() of a queue; open the Subscriber with mode='mailbox'")
        with self._changed:
            self._wait_for_mail(self.timeout_s if timeout_s is None else timeout_s)
            newest, self._newest = self._newest, {}
        return newest

    def __iter__(self) -> Iterator[Message]:
        while (message := self.receive()) is not None:
            yield message

    def close(self) -> None:
        """Disconnects; twice is once."""
        if self._closed or os.getpid() != self._pid:
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        with self._reading:  # sockets are not thread-safe: the reader leaves first
            self._connected.close()

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _next(self, timeout_s: float | None) -> Message | None:
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        with self._reading:
            while not self._ended and not self._closed:
                try:
                    parts = self._socket.recv_multipart(zmq.DONTWAIT)
                except zmq.Again:
                    parts = None
                if parts is not None and (message := self._accept(parts)) is not None:
                    return message
                # Asked after messages too: those not for the user must not prolong the wait.
                left_ms = (deadline - time.monotonic()) * 1000
                if left_ms <= 0:
                    return None
                if parts is None:
                    self._connected.check()
                    self._socket.poll(max(1, int(min(left_ms, _POLL_MS))))
        return None

    def _drain(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(_POLL_MS):
                if self._connected.greeting.refused is not None:
                    with self._changed:
                        self._changed.notify_all()
                continue
            parts = self._socket.recv_multipart(zmq.DONTWAIT)
            with self._changed:
                message = self._accept(parts)
                if message is not None:
                    self._put(message)
                self._changed.notify_all()

    def _put(self, message: Message) -> None:
        replaced = self._newest.pop(message.topic, None) is not None
        if len(self._newest) >= _MAX_TOPICS:
            self._newest.pop(next(iter(self._newest)))
            replaced = True
        self.skipped += replaced
        self._newest[message.topic] = message

    def _wait_for_mail(self, timeout_s: float | None) -> None:
        refused = self._connected.greeting
        self._changed.wait_for(
            lambda: self._newest or self._ended or self._closed or refused.refused, timeout_s
        )
        if not self._newest and not self._closed:
            self._connected.check()

    def _accept(self, parts: Sequence[bytes]) -> Message | None:
        """A message for the user, or None: garbage, a repetition, or a status for us alone."""
        try:
            message = decode(parts)
        except WireError:
            self.malformed += 1
            return None
        if isinstance(message.header, StatusHeader):
            self._heed(message.header)
        wanted = message.topic.startswith(self.topics)
        return message if wanted and self._is_new(message) else None

    def _heed(self, status: StatusHeader) -> None:
        """Counts the labels sent before a status that never came, and notes a stream's end.

        A publisher's messages keep their order: what is not here before the status will not come.
        A repeated status is older than what is here, and counts nothing.
        """
        if self._until_end and status.state == "ended":
            self._ended |= any(_reads(topic, status.stream) for topic in self.topics)
        for topic in (f"label/{status.stream}/", f"latest/label/{status.stream}/"):
            run, seq = self._last.get(topic, ("", 0))
            if run == status.run and status.labels > seq + 1:
                self._gaps[topic] += status.labels - 1 - seq
                self._last[topic] = (run, status.labels - 1)

    def _is_new(self, message: Message) -> bool:
        """Follows `seq`: a jump is a gap; what is not above the last is a cached repetition."""
        topic, run, seq = message.topic, message.header.run, message.header.seq
        last_run, last_seq = self._last.get(topic, ("", 0))
        if run == last_run and seq <= last_seq:
            return False
        if run == last_run and seq > last_seq + 1:
            self._gaps[topic] += seq - last_seq - 1
        if topic not in self._last and len(self._last) >= _MAX_TOPICS:
            forgotten = next(iter(self._last))
            del self._last[forgotten]
            self._gaps.pop(forgotten, None)
        self._last[topic] = (run, seq)
        return True


def _reads(topic: str, stream: str) -> bool:
    """Whether a subscription to the prefix `topic` can bring messages of `stream`."""
    kind, slash, rest = topic.removeprefix("latest/").partition("/")
    return not slash or not kind or f"{stream}/".startswith(rest)
