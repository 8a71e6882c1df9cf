"""Recording while streaming: a reader of the ring that writes AEDAT4 on a thread of its own.

A thread, not a process: packing, compressing and writing release the GIL, so a slow disk holds up
nothing but this reader, which then loses packets of its own and says so; a process would need every
event copied to it. A process that is killed leaves what was written, for writes are unbuffered.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path

import numpy as np

from saccade.camera.capture import Capture, Captured
from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import MAX_EVENTS, Aedat4Writer
from saccade.camera.ring import Gap
from saccade.camera.sidecar import Sidecar

#: Events wait this long at most for others to be written with; half of what is promised.
FLUSH_S = 0.5
POLL_S = 0.1


class Recorder:
    """Writes all that `capture` brings, from now on, until `close`; `FILE.json` lists what it lost.

    Attributes:
        path: the file.
        error: what ended it before its time, on one line; "" otherwise.
    """

    def __init__(self, capture: Capture, path: str | os.PathLike[str]) -> None:
        """Creates both files, and begins.

        Raises:
            SaccadeError: the path is not one of AEDAT4, or is there already.
            RecordingError: a file cannot be created.
        """
        self.path = os.fspath(path)
        _check_path(self.path)
        source = capture.source
        self.error = ""
        self._capture = capture
        self._writer = Aedat4Writer(
            self.path, source.width, source.height, "lz4", source.sensor or source.name
        )
        try:
            self._sidecar = Sidecar(self.path, source)
        except RecordingError:
            self._writer.close()
            raise
        self._pending: list[Packet] = []
        self._n = 0  # events of those
        self._since = 0.0  # when the first of them came
        self._refused = capture.refused
        self._last_us: int | None = None
        self._reader = capture.ring.reader()
        self._thread = threading.Thread(target=self._run, name="saccade-recorder", daemon=True)
        self._thread.start()

    @property
    def events(self) -> int:
        """Events written so far."""
        return self._sidecar.events

    @property
    def lost(self) -> dict[str, int]:
        """Events that are not in the file, by who lost them: source, recorder, disk."""
        return dict(self._sidecar.lost)

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
        gaps = f", {lost:,} lost in {len(self._sidecar.gaps)} gaps" if lost else ""
        failed = f", ended early: {self.error}" if self.error else ""
        return f"{state} {self.events:,} events to {printable(self.path)}{gaps}{failed}"

    def _run(self) -> None:
        try:
            while not self._reader.ended:
                self._take()
                if self._n >= MAX_EVENTS or (self._n and time.monotonic() > self._since + FLUSH_S):
                    self._flush()
                self._sidecar.save()
            self._flush()
            self._writer.close()
        except Exception as error:  # of whichever kind, labelling goes on
            self._fail(error)
        self._sidecar.end(self.error)

    def _take(self) -> None:
        try:
            item = self._reader.take(POLL_S)
        except SaccadeError:
            return  # the source's end, which the one who opened it reports
        if isinstance(item, Gap):
            self._sidecar.add_gap("recorder", item.from_us, item.to_us, item.events)
        elif item is not None:
            self._note_refused(item)
            self._since = self._since if self._n else time.monotonic()
            self._pending.append(item.events)
            self._n += len(item.events)
            self._last_us = int(item.events.t[-1])

    def _note_refused(self, item: Captured) -> None:
        """What the source lost since the packet before."""
        lost, self._refused = item.refused - self._refused, item.refused
        if lost:
            t = int(item.events.t[0])
            self._sidecar.add_gap("source", t if self._last_us is None else self._last_us, t, lost)

    def _flush(self) -> None:
        if not self._n:
            return
        columns = [
            np.concatenate([getattr(packet, name) for packet in self._pending])
            for name in ("t", "x", "y", "on")
        ]
        self._pending.clear()
        left: Packet = Packet(*columns)
        while len(left):
            part = left[:MAX_EVENTS]
            self._writer.write(part)
            left = left[MAX_EVENTS:]
            self._n = len(left)
            self._sidecar.wrote(part)

    def _fail(self, error: Exception) -> None:
        """The end before its time: what waits is in no file."""
        self.error = printable(str(error) or type(error).__name__)
        before = self._reader.lost
        self._reader.close()
        missing = self._n + self._reader.lost - before
        if missing:
            begin = self._sidecar.last_us or 0
            self._sidecar.add_gap("disk", begin, max(begin, self._last_us or 0), missing)
        with contextlib.suppress(RecordingError):  # a file without a table is read by its packets
            self._writer.close()


def _check_path(path: str) -> None:
    if Path(path).suffix.lower() != ".aedat4":
        what = "a live source is recorded as .aedat4; `saccade convert` makes others of it"
        raise SaccadeError(f"record {printable(path)}: {what}")
    if Path(path).is_file():
        raise SaccadeError(f"record {printable(path)}: it is there already; name another file")
