"""The control socket of a run: its status and clocks; other words and recordings while it runs."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

import msgspec
import zmq

from saccade import __version__
from saccade.engines.labels import Words
from saccade.stream.control_messages import (
    COMMANDS,
    MAX_REQUEST_BYTES,
    VERSION,
    ErrorReply,
    HelloReply,
    RecordStart,
    RecordStartReply,
    RecordStop,
    RecordStopReply,
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
from saccade.stream.control_work import Job, Worker
from saccade.stream.heartbeat import Heartbeat
from saccade.stream.keys import ServerKeys
from saccade.stream.live_words import LiveWords
from saccade.stream.pipeline import Pipeline
from saccade.stream.recordings import Recordings
from saccade.stream.sockets import bind_router

_LOG = logging.getLogger(__name__)
_LINGER_MS = 200
_IDLE_POLL_MS, _BUSY_POLL_MS = 50, 5  # while nobody waits for new words, and while somebody does
#: At most so many messages in such a time: a flood must not take the interpreter from the pipeline.
_MOST, _IN_S = 50, 0.05
_MAX_CHANGES = 8  # changes of words that wait for the one before
_END_S = 1.0  # that the end of a run waits for a change in progress


class ControlServer:
    """Answers requests on a ROUTER socket from a thread of its own; what takes time is on others.

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
        self._words = Worker("words", "labels", _MAX_CHANGES)
        self._files = Worker("files", "record", _MAX_CHANGES)
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self, pipeline: Pipeline, recordings: Recordings | None = None) -> None:
        """Begins to answer for `pipeline`, those included who asked before."""
        self._pipeline = pipeline
        self._recordings = recordings or Recordings(pipeline.capture)
        self._heartbeat = Heartbeat(pipeline, self._since)
        self._thread = threading.Thread(target=self._serve, name="saccade-control", daemon=True)
        for each in (self._thread, self._words, self._files):
            each.start()

    def close(self) -> None:
        """Ends; who waits for an answer is told so. Twice is once."""
        if self._closed:
            return
        self._closed = True
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            for worker in (self._words, self._files):  # the words may be in a text tower
                for sender, reply in worker.close(_END_S):
                    self._send(sender, reply)
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
            busy = self._words.waiting or self._files.waiting
            if self._socket.poll(_BUSY_POLL_MS if busy else _IDLE_POLL_MS):
                self._receive()
                taken += 1
            for worker in (self._words, self._files):
                for sender, reply in worker.replies():
                    self._send(sender, reply)
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
        if isinstance(request, SetLabels | RecordStart | RecordStop):
            return self._change(sender, request)
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

    def _change(
        self, sender: list[bytes], request: SetLabels | RecordStart | RecordStop
    ) -> ErrorReply | None:
        if request.run != self._run:
            what = f"run {request.run!r}: this is run {self._run}; ask for it with hello"
            return ErrorReply(id=request.id, code="wrong_run", message=what)
        if isinstance(request, SetLabels):
            words = self._pipeline.words
            return self._words.give(Job(sender, request, lambda: _changed(request, words)))
        recordings = self._recordings
        return self._files.give(Job(sender, request, lambda: _recorded(request, recordings)))

    def _send(self, sender: list[bytes], reply: Reply) -> None:
        try:
            self._socket.send_multipart([*sender, encode(reply)], zmq.DONTWAIT)
        except zmq.ZMQError as error:  # the client has gone: nobody misses it
            _LOG.debug("no reply to %s: %s", reply.id, error)


def _changed(request: SetLabels, words: LiveWords) -> Reply:
    groups = {group: tuple(names) for group, names in request.groups.items()}
    now = words.change(Words(Words.of(request.labels).labels, groups))
    return SetLabelsReply(id=request.id, vocabulary_rev=now.rev, labels=list(now.bank.names))


def _recorded(request: RecordStart | RecordStop, recordings: Recordings) -> Reply:
    if isinstance(request, RecordStart):
        return RecordStartReply(id=request.id, path=recordings.start(request.name).path)
    done = recordings.stop()
    return RecordStopReply(
        id=request.id,
        path=done.path,
        events=done.events,
        gaps=done.gaps,
        lost=done.lost,
        error=done.error,
    )
