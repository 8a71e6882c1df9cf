"""The control socket of a run: its status and clocks, and other words while it runs."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections import deque
from types import TracebackType

import msgspec
import zmq

from saccade import __version__
from saccade.camera.errors import SaccadeError
from saccade.engines.labels import Words
from saccade.stream.control_messages import (
    COMMANDS,
    MAX_MESSAGE,
    MAX_REQUEST_BYTES,
    VERSION,
    ErrorReply,
    HelloReply,
    Reply,
    Request,
    SetLabels,
    SetLabelsReply,
    StatusReply,
    TimeReply,
    decode_command,
    decode_request,
    encode,
)
from saccade.stream.heartbeat import Heartbeat
from saccade.stream.keys import ServerKeys
from saccade.stream.live_words import LiveWords
from saccade.stream.pipeline import Pipeline
from saccade.stream.sockets import bind_router

_LOG = logging.getLogger(__name__)
_LINGER_MS = 200
_IDLE_POLL_MS, _BUSY_POLL_MS = 50, 5  # while nobody waits for new words, and while somebody does
#: At most so many messages in such a time: a flood must not take the interpreter from the pipeline.
_MOST, _IN_S = 50, 0.05
_MAX_CHANGES = 8  # changes of words that wait for the one before
_END_S = 1.0  # that the end of a run waits for a change in progress


class ControlServer:
    """Answers requests on a ROUTER socket from a thread of its own; new words are made on another.

    Whatever is sent, the run goes on: what is no request is counted in `malformed`, and a request
    that cannot be met gets an `ErrorReply`. Off loopback it needs keys.

    Attributes:
        address: where it is bound, with the port that was found when 0 was asked for.
        requests: requests answered or taken up.
        malformed: messages that were none.
    """

    def __init__(self, address: str, stream: str, run: str, keys: ServerKeys | None = None) -> None:
        """Binds at once, so that a refusal is early; answers from `start` on.

        Raises:
            SaccadeError: a bad address, a port in use, a bind off loopback without keys.
        """
        self._bound = bind_router(address, _LINGER_MS, MAX_REQUEST_BYTES, keys)
        self._socket, self.address = self._bound.socket, self._bound.address
        self._stream, self._run, self._since = stream, run, time.monotonic()
        self.requests = self.malformed = 0
        self._stop = threading.Event()
        self._changes: queue.Queue[tuple[list[bytes], SetLabels] | None] = queue.Queue(_MAX_CHANGES)
        self._waiting = 0  # for new words
        self._made: deque[tuple[list[bytes], Reply]] = deque()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self, pipeline: Pipeline) -> None:
        """Begins to answer for `pipeline`, those included who asked before."""
        self._pipeline = pipeline
        self._heartbeat = Heartbeat(pipeline, self._since)
        for work, name in ((self._serve, "control"), (self._change, "words")):
            thread = threading.Thread(target=work, name=f"saccade-{name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Ends; who waits for new words is told so. Twice is once."""
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        if self._threads:
            self._threads[0].join()
            self._refuse_waiting()
            self._threads[1].join(_END_S)  # it may be in a text tower
            self._send_made()
        self._bound.close()

    def __enter__(self) -> ControlServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _serve(self) -> None:
        since, taken = time.monotonic(), 0
        while not self._stop.is_set():
            if self._socket.poll(_BUSY_POLL_MS if self._waiting else _IDLE_POLL_MS):
                self._receive()
                taken += 1
            self._send_made()
            if taken == _MOST:
                self._stop.wait(max(0.0, since + _IN_S - time.monotonic()))
                since, taken = time.monotonic(), 0

    def _receive(self) -> None:
        parts = self._socket.recv_multipart(zmq.DONTWAIT)
        received_ns = time.monotonic_ns()
        # The sender, of a REQ an empty part too, and the request.
        well_formed = len(parts) == 2 or (len(parts) == 3 and not parts[1])
        request = decode_request(parts[-1]) if well_formed else None
        if request is None:
            self.malformed += 1
            return
        self.requests += 1
        reply = self._answer(parts[:-1], request, parts[-1], received_ns)
        if reply is not None:
            self._send(parts[:-1], reply)

    def _answer(
        self, sender: list[bytes], request: Request, payload: bytes, received_ns: int
    ) -> Reply | None:
        """The reply to a request, or None where it comes later."""
        if request.v != VERSION:
            what = f"v {request.v}: this run speaks version {VERSION}"
            return ErrorReply(id=request.id, code="bad_request", message=what)
        if request.command not in COMMANDS:
            known = list(COMMANDS)
            what = f"command {request.command!r}: unknown; this run knows {', '.join(known)}"
            return ErrorReply(id=request.id, code="unknown_command", message=what, known=known)
        try:
            request = decode_command(request, payload)
        except ValueError as error:
            what = f"command {request.command!r}: {error}"
            return ErrorReply(id=request.id, code="bad_request", message=what)
        if isinstance(request, SetLabels):
            return self._set_labels(sender, request)
        if request.command == "time":
            return TimeReply(
                id=request.id,
                received_ns=received_ns,
                wall_ns=time.time_ns(),
                sent_ns=time.monotonic_ns(),
            )
        return self._hello(request) if request.command == "hello" else self._status(request)

    def _hello(self, request: Request) -> HelloReply:
        manifest, recording = self._pipeline.model.manifest, self._pipeline.recording
        return HelloReply(
            id=request.id,
            saccade=__version__,
            stream=self._stream,
            run=self._run,
            model=manifest.name,
            model_sha=manifest.sha256,
            space=manifest.embedding.space,
            width=recording.width,
            height=recording.height,
            commands=list(COMMANDS),
            vocabulary_rev=self._pipeline.words.now.rev,
        )

    def _status(self, request: Request) -> StatusReply:
        words = self._pipeline.words.now
        stamp = {"stream": self._stream, "run": self._run, "published_ns": time.monotonic_ns()}
        return StatusReply(
            id=request.id,
            status=msgspec.structs.replace(self._heartbeat(), **stamp),
            vocabulary_rev=words.rev,
            words=len(words.bank.names),
            requests=self.requests,
            malformed=self.malformed,
        )

    def _set_labels(self, sender: list[bytes], request: SetLabels) -> ErrorReply | None:
        if request.run != self._run:
            what = f"run {request.run!r}: this is run {self._run}; ask for it with hello"
            return ErrorReply(id=request.id, code="wrong_run", message=what)
        try:
            self._changes.put_nowait((sender, request))
        except queue.Full:
            what = f"labels: {_MAX_CHANGES} changes wait already; send this one again later"
            return ErrorReply(id=request.id, code="busy", message=what)
        self._waiting += 1
        return None

    def _change(self) -> None:
        """Makes new words, one request after the other, on a thread of its own."""
        while (change := self._changes.get()) is not None:
            sender, request = change
            self._made.append((sender, _changed(request, self._pipeline.words)))

    def _refuse_waiting(self) -> None:
        with contextlib.suppress(queue.Empty):
            while (change := self._changes.get_nowait()) is not None:
                what = "labels: the run has ended"
                self._send(change[0], ErrorReply(id=change[1].id, code="refused", message=what))
        self._changes.put(None)

    def _send_made(self) -> None:
        while self._made:
            self._waiting -= 1
            self._send(*self._made.popleft())

    def _send(self, sender: list[bytes], reply: Reply) -> None:
        try:
            self._socket.send_multipart([*sender, encode(reply)], zmq.DONTWAIT)
        except zmq.ZMQError as error:  # the client has gone: nobody misses it
            _LOG.debug("no reply to %s: %s", reply.id, error)


def _changed(request: SetLabels, words: LiveWords) -> Reply:
    try:
        groups = {group: tuple(names) for group, names in request.groups.items()}
        now = words.change(Words(Words.of(request.labels).labels, groups))
    except SaccadeError as error:
        return ErrorReply(id=request.id, code="refused", message=str(error)[:MAX_MESSAGE])
    except Exception as error:  # a fault of ours ends neither the thread nor the run
        _LOG.exception("words that were not set")
        what = f"labels: {type(error).__name__}: {error}"[:MAX_MESSAGE]
        return ErrorReply(id=request.id, code="failed", message=what)
    return SetLabelsReply(id=request.id, vocabulary_rev=now.rev, labels=list(now.bank.names))
