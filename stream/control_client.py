"""The client of a run's control socket."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TypeVar

import zmq

from saccade.camera.errors import SaccadeError
from saccade.engines.labels import Label, Words
from saccade.stream.control_messages import (
    DEFAULT_CONTROL,
    MAX_REQUEST_BYTES,
    AnyReply,
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
    decode_reply,
    encode,
)
from saccade.stream.keys import ClientKeys
from saccade.stream.sockets import check_process, connect

R = TypeVar("R", bound=Reply)
_POLL_MS = 50  # between two looks at whether the run refuses us


class ControlError(SaccadeError):
    """A run did not do what it was asked; `code` is that of its reply (see `ErrorReply`)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Control:
    """Asks a run that has a control socket (`saccade run --control`), and changes its words.

        with saccade.Control() as control:
            print(control.status().status.slices, "slices")
            control.set_labels(["cup", "chair"])

    May be used from any thread of the process that opened it, one request at a time.
    """

    def __init__(
        self,
        address: str = DEFAULT_CONTROL,
        timeout_s: float = 10.0,
        keys: ClientKeys | None = None,
    ) -> None:
        """Connects in the background: the run need not be there yet.

        Args:
            address: where the run's control socket is bound.
            timeout_s: how long a request waits for its reply; `set_labels` for more.
            keys: ours and the run's, where it has keys.

        Raises:
            SaccadeError: an address that cannot be connected to, a timeout that is no time.
        """
        if not 0 < timeout_s < 86_400:
            raise SaccadeError(f"timeout {timeout_s}: must be a number of seconds above 0")
        self.address, self.timeout_s, self._pid = address, timeout_s, os.getpid()
        self._lock = threading.Lock()
        self._run: str | None = None
        self._asked, self._name = 0, secrets.token_hex(8)
        self._connected = connect(
            zmq.DEALER,
            address,
            max_part_bytes=2 * MAX_REQUEST_BYTES,
            keys=keys,
            say_doubts=False,
        )
        self._socket = self._connected.socket

    def hello(self) -> HelloReply:
        """Who answers: the run, its model and the commands that it knows.

        Raises:
            SaccadeError: no answer in time, a run whose keys are not ours, or a refusal
                (`ControlError`); so with all of these.
        """
        found = self._ask(Request(id=self._id(), command="hello"), HelloReply)
        self._run = found.run
        return found

    def time(self) -> TimeReply:
        """The run's clocks."""
        return self._ask(Request(id=self._id(), command="time"), TimeReply)

    def clock_offset_ns(self) -> tuple[int, int]:
        """The run's monotonic clock minus this process's, and the error that it may have, in ns.

        The best of eight tries. Both clocks are the same one where run and client are on one
        machine.
        """
        tries: list[tuple[int, int]] = []
        for _ in range(8):
            sent_ns = time.monotonic_ns()
            found = self.time()
            got_ns = time.monotonic_ns()
            on_the_way_ns = got_ns - sent_ns - (found.sent_ns - found.received_ns)
            offset_ns = (found.received_ns - sent_ns + found.sent_ns - got_ns) // 2
            tries.append((on_the_way_ns // 2, offset_ns))
        error_ns, offset_ns = min(tries)
        return offset_ns, error_ns

    def status(self) -> StatusReply:
        """The run's accounts."""
        return self._ask(Request(id=self._id(), command="status"), StatusReply)

    def set_labels(
        self, labels: str | Sequence[str] | Words, timeout_s: float = 120.0
    ) -> SetLabelsReply:
        """Sets other words, as `--labels` takes them; a file of words is read here, not there.

        A text tower takes its time over words that are new to it: `timeout_s` is for that.

        When this returns, every slice that is scored from now on carries the reply's
        `vocabulary_rev`. After an error the words are those of before; after a timeout the
        change may still come.

        Raises:
            ControlError: the run refuses the words, and says why.
            SaccadeError: no answer in time, a label file that cannot be read.
        """
        words = Words.of(labels)
        request = SetLabels(
            id=self._id(),
            command="set_labels",
            run=self._run or self.hello().run,
            labels=[_written(label) for label in words.labels],
            groups={group: list(names) for group, names in words.groups.items()},
        )
        late = f"no words made in {timeout_s:g} s; they come into use when they are"
        return self._change(request, SetLabelsReply, timeout_s, late)

    def record_start(self, name: str, timeout_s: float = 10.0) -> RecordStartReply:
        """Records the live source into a new file, in the folder that the run has for that.

        Args:
            name: a plain file name that ends in .aedat4 or .raw.

        Raises:
            ControlError: the run refuses it, or records already, and says so.
        """
        run = self._run or self.hello().run
        request = RecordStart(id=self._id(), command="record_start", run=run, name=name)
        late = f"not begun in {timeout_s:g} s; see the run's status"
        return self._change(request, RecordStartReply, timeout_s, late)

    def record_stop(self, timeout_s: float = 20.0) -> RecordStopReply:
        """Ends the recording in progress: what is in the file, and what is missing.

        Raises:
            ControlError: nothing is being recorded.
        """
        run = self._run or self.hello().run
        request = RecordStop(id=self._id(), command="record_stop", run=run)
        late = f"not ended in {timeout_s:g} s; see the run's status"
        return self._change(request, RecordStopReply, timeout_s, late)

    def close(self) -> None:
        """Disconnects; twice is once."""
        if os.getpid() == self._pid:
            with self._lock:
                self._connected.close()

    def __enter__(self) -> Control:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _id(self) -> str:
        self._asked += 1
        return f"{self._name}-{self._asked}"

    def _change(self, request: Request, kind: type[R], timeout_s: float, late: str) -> R:
        try:
            return self._ask(request, kind, timeout_s, late)
        except ControlError as error:
            if error.code == "wrong_run":  # another one has taken its place: let the caller see it
                self._run = None
            raise

    def _ask(
        self, request: Request, kind: type[R], timeout_s: float | None = None, late: str = ""
    ) -> R:
        check_process(self._pid, "a Control")
        with self._lock:
            if self._socket.closed:
                raise SaccadeError("this Control is closed; open another one")
            self._socket.send(_encoded(request), zmq.DONTWAIT)
            reply = self._receive(request.id, timeout_s or self.timeout_s)
        if reply is None:
            raise SaccadeError(f"control {self.address}: {late or self._nobody()}")
        if isinstance(reply, ErrorReply):
            raise ControlError(reply.code, reply.message)
        if not isinstance(reply, kind):
            raise SaccadeError(f"control {self.address}: a reply to another command")
        return reply

    def _nobody(self) -> str:
        greeting = self._connected.greeting
        silent = f"no answer in {self.timeout_s:g} s"
        if greeting.met:
            return f"a run is there, but {silent}: its model may still be loading; wait longer"
        start = f"nobody is there; start the run with `saccade run --control {self.address}`"
        return f"{silent}; {greeting.doubt or start}"

    def _receive(self, wanted: str, timeout_s: float) -> AnyReply | None:
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            self._connected.check()
            if self._socket.poll(max(1, min(_POLL_MS, int(left_s * 1000)))):
                parts = self._socket.recv_multipart(zmq.DONTWAIT)
                reply = decode_reply(parts[-1])
                if reply is not None and reply.id == wanted:  # else one that came too late
                    return reply
        return None


def _written(label: Label) -> str:
    """A label as `Words.of` reads it."""
    if label.texts == (label.name,):
        return label.name
    return f"{label.name} = {' | '.join(label.texts)}"


def _encoded(request: Request) -> bytes:
    try:
        data = encode(request)
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise SaccadeError(f"labels: {error}; give texts of UTF-8") from None
    if len(data) > MAX_REQUEST_BYTES:
        raise SaccadeError(
            f"labels: {len(data)} bytes of words, at most {MAX_REQUEST_BYTES}; use fewer"
        )
    return data
