"""The process that writes a recording; its one argument is the descriptor of a socket to the run.

It outlives the run that started it: where that is killed, it writes all that it was given and
finishes both files. Signals that end a run are not for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from saccade.camera.errors import RecordingError, printable
from saccade.camera.formats.raw_copy import RawCopier
from saccade.camera.formats.raw_writer import RawWriter
from saccade.camera.recording_messages import Channel, Chunk, Finish, Missing, Start
from saccade.camera.sidecar import Sidecar
from saccade.camera.tapes import ByteTape, ChunkReader, EventTape, Tape, aedat4_writer
from saccade.camera.writers import Writer

COPIED, ENCODED = "evt3, as the camera sent it", "evt3, encoded by saccade"
KILLED = "the run that recorded was killed; what had come until then is here"
POLL_S = 0.1
_REPORT_S = 0.05


class Recording:
    """Both files, from the first chunk to the last.

    The file is made where its content is known, else with the first chunk.
    """

    def __init__(self, channel: Channel, start: Start) -> None:
        """The side-car is there already."""
        self._channel, self._source, self._raw = channel, start.source, start.raw
        self._path = os.fsdecode(start.path)
        self._sidecar = Sidecar(self._path, start.source, "" if start.raw else "aedat4")
        self._tape: Tape | None = None
        self._error = ""
        self._came = 0  # events
        self._came_us: int | None = None  # time of the last event that came
        self._reported = 0.0

    def run(self) -> None:
        """Writes until `Finish`, or until the run is gone."""
        if not self._raw:
            self._do(self._begin_aedat4)
        finish: Finish | None = None
        while finish is None:
            if self._channel.waits(POLL_S):
                finish = self._next()
            self._do(self._keep_up)
        self._finish(finish)
        self._report(over=True)

    def _next(self) -> Finish | None:
        try:
            message, content = self._channel.receive()
        except EOFError:
            return Finish(error=KILLED)
        if isinstance(message, Chunk):
            self._came += message.events
            self._came_us = message.last_us if message.events else self._came_us
            self._do(lambda: self._write(message, content))
        elif isinstance(message, Missing):
            m = message
            self._sidecar.add_gap(m.by, m.from_us, m.to_us, m.events, m.losses)
        return message if isinstance(message, Finish) else None

    def _do(self, step: Callable[[], None]) -> None:
        """Takes a step where none has failed before."""
        if not self._error:
            try:
                step()
            except Exception as error:  # of whichever kind: the run goes on, and is told
                self._error = printable(str(error) or type(error).__name__)
                self._report()

    def _write(self, chunk: Chunk, content: memoryview) -> None:
        self._tape = self._tape or self._raw_tape(chunk)
        self._tape.add(chunk, content)

    def _keep_up(self) -> None:
        if self._tape is not None and self._tape.due:
            self._tape.flush()
        self._sidecar.save()
        if time.monotonic() > self._reported + _REPORT_S:
            self._report()

    def _finish(self, finish: Finish) -> None:
        def close() -> None:
            self._tape = self._tape or self._encoding_tape()
            self._tape.flush()
            self._tape.close()

        self._do(close)
        if self._error:
            self._give_up("disk", finish.left)
        elif finish.left:  # the run itself has failed
            self._give_up("recorder", finish.left)
        self._error = self._error or finish.error
        self._sidecar.end(self._error)

    def _give_up(self, by: str, left: int) -> None:
        """What was not written is in no file."""
        missing = left + self._came - self._sidecar.events
        if missing:
            begin = self._sidecar.last_us or 0
            self._sidecar.add_gap(by, begin, max(begin, self._came_us or 0), missing)
        if self._tape is not None:
            with contextlib.suppress(RecordingError):  # what is missing then, readers do without
                self._tape.close()

    def _report(self, over: bool = False) -> None:
        self._reported = time.monotonic()
        with contextlib.suppress(ConnectionError):  # which the next message tells too
            self._channel.send(self._sidecar.written(self._error, over))

    def _begin_aedat4(self) -> None:
        self._tape = self._events_on(aedat4_writer(self._path, self._source))

    def _raw_tape(self, first: Chunk) -> Tape:
        if first.kind != "evt3":
            return self._encoding_tape()
        source = self._source
        self._sidecar.content = COPIED
        size = source.width, source.height
        copier = RawCopier(self._path, *size, source.sensor or source.name, source.serial)
        return ByteTape(copier, self._sidecar.wrote)

    def _encoding_tape(self) -> Tape:
        source = self._source
        self._sidecar.content = ENCODED
        name = source.sensor or source.name
        return self._events_on(RawWriter(self._path, source.width, source.height, "evt3", name))

    def _events_on(self, writer: Writer) -> Tape:
        reader = ChunkReader(self._source.width, self._source.height)
        return EventTape(writer, reader, self._sidecar.wrote)


def main() -> None:
    """The process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    try:
        start, _ = channel.receive()
    except EOFError:
        return
    assert isinstance(start, Start)
    Recording(channel, start).run()
