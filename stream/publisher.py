"""Labels, embeddings and status to whoever subscribes. Publishing never waits for a subscriber."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.stream.addresses import DEFAULT_ADDRESS
from saccade.stream.keys import ServerKeys
from saccade.stream.outlet import Outlet
from saccade.stream.sockets import check_process
from saccade.stream.wire import (
    AnyHeader,
    EmbeddingHeader,
    LabelHeader,
    StatusHeader,
    VocabularyHeader,
    check_stream,
    encode,
    encode_latest,
    new_run_id,
)

_LOG = logging.getLogger(__name__)
_TICK_S = 0.02
_STATUS_S = 1.0
_END_PAUSE_S = 0.05  # between two repetitions of the last status


class Publisher:
    """One stream on one address: an XPUB socket, its sequence numbers and its heartbeat.

    A slow subscriber loses the newest messages (its queue holds 1000) and sees the gap in `seq`;
    it never slows the publisher or another subscriber. Each new subscription is answered with
    the last status, vocabulary and latest/label. All methods may be called from any thread of
    the process that opened it.

    Attributes:
        address: where it is bound, with the port that was found when 0 was asked for.
        stream: the stream's name in every topic.
        run: the ULID of this run.
        status: called once a second from a thread of its own for the heartbeat; may be replaced.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        stream: str = "cam",
        run: str | None = None,
        status: Callable[[], StatusHeader] | None = None,
        linger_ms: int = 1000,
        keys: ServerKeys | None = None,
        insecure_no_auth: bool = False,
        beside: Publisher | None = None,
    ) -> None:
        """Binds at once and starts the heartbeat.

        Args:
            linger_ms: how long close() waits for subscribers to take what was sent, and again as
                long for the last status to reach one whose queue is full (ms).
            keys: our own and those of who may subscribe; off loopback they are needed.
            insecure_no_auth: anyone who reaches the address may subscribe, and read along.
            beside: an open publisher of another stream, whose address, and who may come to it, are
                this one's too; the address is let go when both are closed.

        Raises:
            SaccadeError: a bad address or stream name, a port in use, a bind off
                loopback without keys.
        """
        check_stream(stream)
        self._topics = (f"label/{stream}/".encode(), f"latest/label/{stream}/".encode())
        self._lock = beside._lock if beside else threading.RLock()
        self._changed = beside._changed if beside else threading.Condition(self._lock)
        if beside is None:
            self._outlet = Outlet(address, linger_ms, self._topics, keys, insecure_no_auth)
        else:
            self._outlet = beside._share(stream, self._topics)
        self.address = self._outlet.address
        self.stream, self.run = stream, run or new_run_id()
        self.status: Callable[[], StatusHeader] = status or self._own_status
        self._linger_ms, self._pid = linger_ms, os.getpid()
        self._beside: list[str] = beside._beside if beside else [stream]  # all streams there
        self._seq: Counter[str] = Counter()
        self._closing = self._closed = self._status_failed = False
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="saccade-publisher", daemon=True)
        self._thread.start()

    def publish_label(self, header: LabelHeader) -> int:
        """Sends one slice's labels on `label/` and `latest/label/`; the answer is its seq.

        `stream`, `run`, `seq` and `published_ns` are written here.

        Raises:
            SaccadeError: closed, used after a fork, or a header that the wire cannot carry.
        """
        return self._publish(header)

    def publish_embedding(self, header: EmbeddingHeader, embedding: NDArray[Any]) -> int:
        """Sends float32 [N, D] (or [D]) on `embedding/`; the answer is its seq.

        Raises:
            SaccadeError: closed, used after a fork, or above 16 MiB.
        """
        return self._publish(header, {"embedding": np.asarray(embedding, "<f4")})

    def publish_vocabulary(self, header: VocabularyHeader) -> int:
        """Sends the vocabulary now, and to every later subscriber; the answer is its seq.

        Raises:
            SaccadeError: closed, used after a fork, or labels of more than 64 KiB.
        """
        return self._publish(header)

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are that this stream's labels match."""
        check_process(self._pid, "a Publisher")
        with self._lock:
            if not self._closed:
                self._answer_requests()
            return self._outlet.watching(self._topics) if not self._closed else 0

    @property
    def refused(self) -> int:
        """How many connections were refused, where there are keys."""
        return self._outlet.refused

    def wait_for_subscriber(self, timeout_s: float | None = None, count: int = 1) -> bool:
        """Waits until `count` subscriptions match this stream's labels (None: for ever).

        A short recording is over before a subscriber that is starting has connected: wait first.
        A subscription to "" counts too, and libzmq makes one up for a peer that speaks ZMTP 1.

        Returns:
            False when the time ran out or the publisher was closed.
        """
        check_process(self._pid, "a Publisher")
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self.subscribers >= count, timeout_s)
            return not self._closed and self.subscribers >= count

    def close(self) -> None:
        """Sends a last status with state "ended" and closes; twice is once.

        Waits at most twice `linger_ms` for subscribers that have not yet taken what was sent.
        """
        if os.getpid() != self._pid:
            return  # a forked child: the sockets are the parent's
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * _STATUS_S)
        with self._lock:
            if self._closing:
                return  # another thread was faster, or the status callback closes within close()
            self._closing = True
            try:
                self._end()
            finally:
                self._closed = True
                self._changed.notify_all()
            self._outlet.close()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _share(self, stream: str, topics: tuple[bytes, ...]) -> Outlet:
        check_process(self._pid, "a Publisher")
        with self._lock:
            if self._closed:
                raise SaccadeError(f"the publisher on {self.address} is closed; open another one")
            if stream in self._beside:
                raise SaccadeError(f"stream {stream!r}: {self.address} has it; give another name")
            self._beside.append(stream)
            self._outlet.share(topics)
        return self._outlet

    def _publish(self, header: AnyHeader, blobs: Mapping[str, NDArray[Any]] | None = None) -> int:
        check_process(self._pid, "a Publisher")
        with self._lock:
            if self._closed:
                raise SaccadeError(f"the publisher on {self.address} is closed; open another one")
            seq = self._seq[header.type]
            stamp: dict[str, Any] = {"stream": self.stream, "run": self.run, "seq": seq}
            if header.type == "status":
                stamp["labels"] = self._seq["label"]
            stamped: AnyHeader = msgspec.structs.replace(
                header, published_ns=time.monotonic_ns(), **stamp
            )
            parts = encode(stamped, blobs)
            self._seq[header.type] += 1
            self._outlet.send(parts)
            if header.type == "label":
                latest = [encode_latest(parts)]
                self._outlet.keep(b"latest/" + parts[0], latest)
                self._outlet.send(latest)
            elif header.type != "embedding":
                self._outlet.keep(parts[0], parts)
        return seq

    def _end(self) -> None:
        """Sends the last status, repeatedly where a full queue may have dropped it.

        XPUB says nothing of a drop, and XPUB_NODROP does not see a queue that is already full. A
        repetition has the same seq: who has it ignores it. When all have left, all have it.
        """
        # A heartbeat that outlived its join is stuck in the user's callback: do not call it here.
        status = self._own_status() if self._stuck() else self._status()
        try:
            self._publish(msgspec.structs.replace(status, state="ended"))
        except SaccadeError as error:
            _LOG.warning("the last status of %s was not sent: %s", self.stream, error)
        self._answer_requests()
        until = time.monotonic() + self._linger_ms / 1000 if self._outlet.full else 0.0
        while self._outlet.peers and time.monotonic() < until:
            time.sleep(_END_PAUSE_S)
            self._outlet.repeat(f"status/{self.stream}/".encode())
            self._answer_requests()

    def _beat(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(_TICK_S):
            with self._lock:
                if self._closed:
                    return
                self._answer_requests()
            if time.monotonic() < due:
                continue
            due = time.monotonic() + _STATUS_S
            # Not under the lock: the callback is the user's and may itself publish.
            status = self._status()
            try:
                self._publish(status)
            except SaccadeError as error:
                if not self._closed:  # else closed by the callback, or while it ran
                    self._warn_once(error)

    def _stuck(self) -> bool:
        return self._thread.is_alive() and threading.current_thread() is not self._thread

    def _status(self) -> StatusHeader:
        """The user's status; a fault in it must not end the heartbeat."""
        try:
            return self.status()
        except Exception as error:
            self._warn_once(error)
            return self._own_status()

    def _own_status(self) -> StatusHeader:
        return StatusHeader(uptime_s=round(time.monotonic() - self._started, 3))

    def _warn_once(self, error: Exception) -> None:
        if not self._status_failed:
            self._status_failed = True
            _LOG.warning("no status of %s: %s: %s", self.stream, type(error).__name__, error)

    def _answer_requests(self) -> None:
        """Reads new subscriptions (under the lock) and sends what they missed."""
        if self._outlet.answer():
            self._changed.notify_all()
