"""Recording while streaming: a reader of the ring, and a process that writes AEDAT4 or RAW.

What is taken from the ring is handed to the process (`recording_process`) as it came; packing,
compressing and writing are done there. A slow disk holds up nothing but this reader, which then
loses packets of its own and says so. Where the run is killed, the process writes what it was given
and finishes both files; where the process is killed, the run says so and goes on.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading

import msgspec

from saccade.camera.capture import Capture, Captured
from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.formats.output import contiguous
from saccade.camera.formats.raw_writer import check_sides
from saccade.camera.processes import python
from saccade.camera.recording_files import is_raw, make_files, remove_files
from saccade.camera.recording_messages import (
    Channel,
    Chunk,
    Finish,
    Missing,
    SourceFacts,
    Start,
    Written,
)
from saccade.camera.ring import Gap

POLL_S = 0.1
_LAST_S = 2.0  # from its last word to its end
_MODULE = "saccade.camera.recording_process"


class Recorder:
    """Writes all that `capture` brings, from now on, until `close`; `FILE.json` lists what it lost.

    A RAW file gets the camera's own bytes where it sends EVT3; the events of others are encoded.

    Attributes:
        path: the file.
        pid: of the process that writes it.
        error: what ended it before its time, on one line; "" otherwise.
    """

    def __init__(self, capture: Capture, path: str | os.PathLike[str]) -> None:
        """Creates both files, and begins.

        Raises:
            SaccadeError: the path is neither one of AEDAT4 nor of RAW, or is there already.
            RecordingError: a file cannot be created, or the format cannot hold this sensor.
        """
        self.path = os.fspath(path)
        self._raw = is_raw(self.path)
        source = capture.source
        if self._raw:
            check_sides(self.path, source.width, source.height, "evt3")
        self.error = ""
        self._capture = capture
        facts = SourceFacts(
            source.name, source.sensor, source.serial, source.width, source.height,
            source.settings(),
        )  # fmt: skip
        self._sidecar = make_files(self.path, facts, self._raw)
        self._written = self._sidecar.written("", over=False)
        self._refused, self._losses = capture.refused, capture.losses
        self._last_us: int | None = None
        self._taken = self._given = 0  # events from the ring, and those that were sent whole
        self._told = 0  # events of gaps in the ring that are in the account
        self._begun = not self._raw
        try:
            self._process, self._channel = _start_process()
        except OSError as error:
            remove_files(self.path)
            what = f"the process that writes it does not start ({error.strerror})"
            raise RecordingError(self.path, what, "see what the machine has left") from error
        self.pid = self._process.pid
        capture.keep_bytes = capture.keep_bytes or self._raw
        self._reader = capture.ring.reader()  # what comes until the process is there waits there
        start = Start(os.fsencode(self.path), self._raw, facts)
        self._thread = threading.Thread(
            target=self._run, args=(start,), name="saccade-recorder", daemon=True
        )
        self._thread.start()

    @property
    def events(self) -> int:
        """Events written so far."""
        return self._written.events

    @property
    def lost(self) -> dict[str, int]:
        """Events that are not in the file, by who lost them: source, recorder, disk."""
        return dict(self._written.lost)

    @property
    def gaps(self) -> int:
        """How many gaps the side-car lists."""
        return self._written.gaps

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    @property
    def busy_since(self) -> float:
        """See `Reader`."""
        return self._reader.busy_since

    def close(self, timeout_s: float = 2.0) -> bool:
        """Writes what came until now and finishes both files; whether that was done in time."""
        self._reader.stop()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def text(self) -> str:
        """How it goes, on one line."""
        lost = sum(self.lost.values())
        state = "recording" if self.running else "recorded"
        gaps = f", {lost:,} lost in {self.gaps} gaps" if self.gaps else ""
        failed = f", ended early: {self.error}" if self.error else ""
        content = self._written.content
        content = f" ({content})" if self._raw and content else ""
        return f"{state} {self.events:,} events to {printable(self.path)}{content}{gaps}{failed}"

    def _run(self, start: Start) -> None:
        try:
            self._channel.send(start)
            finish = self._hand_over()
            if self.error:  # the process has failed
                finish = Finish(self._left())
            self._reader.close()  # else the ring keeps what comes from now on for it
            self._channel.send(finish)
            while not self._written.over:
                self._hear(POLL_S)
        except (ConnectionError, EOFError):
            self._process_gone()
        if self._raw:
            self._capture.keep_bytes = False
        self._end_process()
        self._channel.close()

    def _hand_over(self) -> Finish:
        try:
            while not (self._reader.ended or self.error):
                self._take()
                self._hear(0.0)
        except (ConnectionError, EOFError):
            raise
        except Exception as error:  # of whichever kind, labelling goes on
            left = self._left() + self._taken - self._given
            return Finish(left, printable(str(error) or type(error).__name__))
        return Finish()

    def _take(self) -> None:
        try:
            item = self._reader.take(POLL_S)
        except SaccadeError:
            return  # the source's end, which the one who opened it reports
        if isinstance(item, Gap):
            self._told += item.events
            self._miss(Missing("recorder", item.from_us, item.to_us, item.events))
        elif item is not None and (self._begun or item.packet is not None):
            self._note_lost(item)
            self._taken += item.n_events
            self._last_us = item.ends_us[1] if item.n_events else self._last_us
            self._give(item)

    def _miss(self, missing: Missing) -> None:
        self._sidecar.add_gap(*msgspec.structs.astuple(missing))
        self._channel.send(missing)

    def _give(self, item: Captured) -> None:
        packet = item.arrived
        raw, encoding = packet.raw, packet.encoding
        if not self._begun:
            self._begun = True
            self._capture.keep_bytes = self._raw and encoding == "evt3"
        ends = item.ends_us if item.n_events else (0, 0)
        if raw is not None and encoding == "evt3":
            chunk = Chunk("evt3", item.n_events, *ends, packet.before, packet.after)
            self._channel.send(chunk, memoryview(raw))
        elif raw is not None and encoding == "dv":
            self._channel.send(Chunk("dv", item.n_events, *ends), memoryview(raw))
        elif item.n_events:
            columns = (column.data for column in contiguous(packet.events))
            self._channel.send(Chunk("columns", item.n_events, *ends), *columns)
        self._given += item.n_events

    def _note_lost(self, item: Captured) -> None:
        """What the source lost since the packet before."""
        refused, self._refused = item.refused - self._refused, item.refused
        losses = {kind: n - self._losses.get(kind, 0) for kind, n in item.losses.items()}
        losses = {kind: n for kind, n in losses.items() if n}
        self._losses = item.losses
        if refused or losses:
            last = self._last_us or 0
            t = item.ends_us[0] if item.n_events else last
            begin = t if self._last_us is None else last
            self._miss(Missing("source", begin, t, refused, losses))

    def _hear(self, timeout_s: float) -> None:
        """What the process says."""
        while self._channel.waits(timeout_s):
            message, _ = self._channel.receive()
            if isinstance(message, Written):
                self._written = message
                self.error = message.error
                if message.over:
                    return
            timeout_s = 0.0

    def _left(self) -> int:
        """Takes nothing more; events that the ring had for it and lost, of which no gap tells."""
        self._reader.close()
        return self._reader.lost - self._told

    def _process_gone(self) -> None:
        """It was killed: the file is as it left it, and the side-car is finished here."""
        code = self._end_process()
        how = f"was killed (signal {-code})" if code < 0 else f"ended (exit code {code})"
        what = f"{printable(self.path)}: the process that writes it {how}; record anew"
        said, account = self._written, self._sidecar
        account.follow(said)
        disk = said.lost["disk"]
        left = self._left() + self._taken - said.events - disk
        begin = said.last_us or 0
        for by, missing in (("disk", disk), ("recorder", left)):
            if missing:
                account.add_gap(by, begin, max(begin, self._last_us or 0), missing)
        account.end(said.error or what)
        self._written = account.written(said.error or what, over=True)
        self.error = self._written.error

    def _end_process(self) -> int:
        """Its exit code, once it is no more."""
        try:
            return self._process.wait(_LAST_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def _start_process() -> tuple[subprocess.Popen[bytes], Channel]:
    ours, its = socket.socketpair()
    null = subprocess.DEVNULL
    with its:
        try:
            # Of its own session: Ctrl-C is for us.
            process = subprocess.Popen(
                python(_MODULE, str(its.fileno())),
                stdin=null, stdout=null, stderr=null,
                pass_fds=(its.fileno(),), start_new_session=True,
            )  # fmt: skip
        except BaseException:
            ours.close()
            raise
    return process, Channel(ours)
