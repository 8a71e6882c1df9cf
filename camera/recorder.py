"""Recording while streaming: a reader of the ring that writes AEDAT4 or RAW on a thread of its own.

A thread, not a process: packing, compressing and writing release the GIL, so a slow disk holds up
nothing but this reader, which then loses packets of its own and says so; a process would need every
event copied to it. A process that is killed leaves what was written, for writes are unbuffered.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from saccade.camera.capture import Capture, Captured
from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.formats.raw_copy import RawCopier
from saccade.camera.formats.raw_writer import RawWriter, check_sides
from saccade.camera.ring import Gap
from saccade.camera.sidecar import Sidecar
from saccade.camera.sources.base import LivePacket
from saccade.camera.tapes import ByteTape, EventTape, Tape

POLL_S = 0.1
COPIED, ENCODED = "evt3, as the camera sent it", "evt3, encoded by saccade"


class Recorder:
    """Writes all that `capture` brings, from now on, until `close`; `FILE.json` lists what it lost.

    A RAW file gets the camera's own bytes where it sends EVT3; the events of others are encoded.

    Attributes:
        path: the file.
        error: what ended it before its time, on one line; "" otherwise.
    """

    def __init__(self, capture: Capture, path: str | os.PathLike[str]) -> None:
        """Creates both files, and begins.

        Raises:
            SaccadeError: the path is neither one of AEDAT4 nor of RAW, or is there already.
            RecordingError: a file cannot be created, or the format cannot hold this sensor.
        """
        self.path = os.fspath(path)
        self._raw = _is_raw(self.path)
        source = capture.source
        if self._raw:
            check_sides(self.path, source.width, source.height, "evt3")
        self.error = ""
        self._capture = capture
        _claim(self.path)
        try:
            self._sidecar = Sidecar(self.path, source, "" if self._raw else "aedat4")
            self._tape: Tape | None = None if self._raw else self._aedat4()
        except RecordingError:
            for made in (self.path, f"{self.path}.json"):
                Path(made).unlink(missing_ok=True)
            raise
        self._refused, self._losses = capture.refused, capture.losses
        self._last_us: int | None = None
        capture.keep_bytes = capture.keep_bytes or self._raw
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
    def gaps(self) -> int:
        """How many gaps the side-car lists."""
        return len(self._sidecar.gaps)

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
        content = f" ({self._sidecar.content})" if self._raw and self._sidecar.content else ""
        return f"{state} {self.events:,} events to {printable(self.path)}{content}{gaps}{failed}"

    def _run(self) -> None:
        try:
            while not self._reader.ended:
                self._take()
                if self._tape is not None and self._tape.due:
                    self._tape.flush()
                self._sidecar.save()
            tape = self._tape or self._encoding_tape()
            tape.flush()
            tape.close()
        except Exception as error:  # of whichever kind, labelling goes on
            self._fail(error)
        if self._raw:
            self._capture.keep_bytes = False
        self._sidecar.end(self.error)

    def _take(self) -> None:
        try:
            item = self._reader.take(POLL_S)
        except SaccadeError:
            return  # the source's end, which the one who opened it reports
        if isinstance(item, Gap):
            self._sidecar.add_gap("recorder", item.from_us, item.to_us, item.events)
        elif item is not None and (self._tape is not None or item.packet is not None):
            self._note_lost(item)
            self._last_us = int(item.events.t[-1]) if len(item.events) else self._last_us
            self._tape = self._tape or self._raw_tape(item.packet)
            self._tape.add(item)

    def _note_lost(self, item: Captured) -> None:
        """What the source lost since the packet before."""
        refused, self._refused = item.refused - self._refused, item.refused
        losses = {kind: n - self._losses.get(kind, 0) for kind, n in item.losses.items()}
        losses = {kind: n for kind, n in losses.items() if n}
        self._losses = item.losses
        if refused or losses:
            last = self._last_us or 0
            t = int(item.events.t[0]) if len(item.events) else last
            begin = t if self._last_us is None else last
            self._sidecar.add_gap("source", begin, t, refused, losses)

    def _aedat4(self) -> Tape:
        source = self._capture.source
        name = source.sensor or source.name
        writer = Aedat4Writer(self.path, source.width, source.height, "lz4", name)
        return EventTape(writer, self._sidecar.wrote)

    def _raw_tape(self, first: LivePacket | None) -> Tape:
        if first is None or first.encoding != "evt3":
            return self._encoding_tape()
        source = self._capture.source
        self._sidecar.content = COPIED
        size = source.width, source.height
        copier = RawCopier(self.path, *size, source.sensor or source.name, source.serial)
        return ByteTape(copier, self._sidecar.wrote)

    def _encoding_tape(self) -> Tape:
        source = self._capture.source
        self._capture.keep_bytes = False
        self._sidecar.content = ENCODED
        name = source.sensor or source.name
        writer = RawWriter(self.path, source.width, source.height, "evt3", name)
        return EventTape(writer, self._sidecar.wrote)

    def _fail(self, error: Exception) -> None:
        """The end before its time: what waits is in no file."""
        self.error = printable(str(error) or type(error).__name__)
        before = self._reader.lost
        self._reader.close()
        missing = (self._tape.pending if self._tape else 0) + self._reader.lost - before
        if missing:
            begin = self._sidecar.last_us or 0
            self._sidecar.add_gap("disk", begin, max(begin, self._last_us or 0), missing)
        if self._tape is not None:
            with contextlib.suppress(RecordingError):  # what is missing then, readers do without
                self._tape.close()


def _is_raw(path: str) -> bool:
    suffix = Path(path).suffix.lower()
    if suffix not in (".aedat4", ".raw"):
        what = "a live source is recorded as .aedat4 or .raw; `saccade convert` makes others of it"
        raise SaccadeError(f"record {printable(path)}: {what}")
    return suffix == ".raw"


def _claim(path: str) -> None:
    """Creates the file where neither it nor its side-car is there: nothing is ever replaced."""
    sidecar = f"{path}.json"
    if os.path.lexists(sidecar):
        raise SaccadeError(f"record {printable(sidecar)}: it is there already; name another file")
    try:
        Path(path).open("xb").close()
    except FileExistsError:
        what = "it is there already; name another file"
        raise SaccadeError(f"record {printable(path)}: {what}") from None
    except (OSError, ValueError) as error:
        what = f"it cannot be created ({getattr(error, 'strerror', None) or error})"
        raise RecordingError(path, what, "choose another folder") from error
