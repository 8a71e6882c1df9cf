"""The recordings of a run, one at a time: that of `--record`, and those that a client starts."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from saccade.camera.errors import SaccadeError, printable

if TYPE_CHECKING:
    from saccade.camera.capture import Capture
    from saccade.camera.recorder import Recorder

#: A client's name for a file: no folder, no hidden file, nothing that a shell or Windows reads in
#: its own way.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,119}\.(aedat4|raw)", re.ASCII)


class Recordings:
    """Starts and stops them, from any thread; what is not stopped at the end, `finish` stops.

    Attributes:
        folder: where clients may have files; None where they may not.
    """

    def __init__(self, capture: Capture | None, folder: str | None = None) -> None:
        """`capture` is None of a recording, which cannot be recorded.

        Raises:
            SaccadeError: the folder is none, or there is nothing live to record in it.
        """
        self._capture, self.folder = capture, folder
        self._recorder: Recorder | None = None
        self._failed = ""  # of a recording that nobody asked about
        self._lock = threading.Lock()
        if folder is not None:
            self._live(folder)
            if not Path(folder).is_dir():
                raise SaccadeError(f"record-folder {printable(folder)}: no folder; make it first")

    @property
    def now(self) -> Recorder | None:
        """The one in progress, or one that ended before its time and was not stopped."""
        return self._recorder

    def begin(self, path: str) -> Recorder:
        """Records into a file of the user's choice.

        Raises:
            SaccadeError: there is nothing live to record, one is in progress, or the file cannot be
                made.
        """
        from saccade.camera.recorder import Recorder

        capture = self._live(path)
        with self._lock:
            before = self._recorder
            if before is not None and before.running:
                what = f"{printable(before.path)} is being recorded; stop that first"
                raise SaccadeError(f"record {printable(path)}: {what}")
            recorder = capture.recorder = Recorder(capture, path)
            if before is not None:
                self._note(before)
            self._recorder = recorder
            return recorder

    def start(self, name: str) -> Recorder:
        """Records into a file that a client names, in `folder`.

        Raises:
            SaccadeError: clients may have no files, the name is no plain one of .aedat4 or .raw, or
                as `begin`.
        """
        if self.folder is None:
            what = "clients may not; start the run with --record-folder DIR"
            raise SaccadeError(f"record {printable(name)}: {what}")
        if not _NAME.fullmatch(name):
            what = "write a plain file name of letters, digits, '_', '-' and '.', such as a.aedat4"
            raise SaccadeError(f"record {printable(name)}: {what} or a.raw")
        return self.begin(str(Path(self.folder) / name))

    def stop(self) -> Recorder:
        """Ends the recording and writes what came until now: the recorder knows how it went.

        Raises:
            SaccadeError: there is none, or its disk takes no end.
        """
        with self._lock:
            recorder = self._recorder
            if recorder is None:
                raise SaccadeError("record: nothing is being recorded; start that first")
            if not recorder.close():
                raise SaccadeError(f"record {printable(recorder.path)}: its disk is too slow")
            self._forget()
            return recorder

    def finish(self) -> None:
        """Ends what is still recorded, and says what is in it.

        Raises:
            SaccadeError: one ended before its time, or its disk takes no end.
        """
        with self._lock:
            recorder, ended = self._recorder, True
            if recorder is not None:
                ended = recorder.close()
                print(recorder.text(), file=sys.stderr, flush=True)
                self._note(recorder)
                self._forget()
        if self._failed:
            raise SaccadeError(f"the recording is not complete: {self._failed}")
        if recorder is not None and not ended:
            raise SaccadeError(f"record {recorder.path}: its disk is too slow; the end is missing")

    def close(self) -> None:
        """Ends what is still recorded, whatever came of it."""
        with self._lock:
            if self._recorder is not None:
                self._recorder.close()
                self._forget()

    def _live(self, path: str) -> Capture:
        if self._capture is None:
            what = "this source is a recording already; `saccade convert` makes another of it"
            raise SaccadeError(f"record {printable(path)}: {what}")
        return self._capture

    def _note(self, recorder: Recorder) -> None:
        self._failed = self._failed or recorder.error

    def _forget(self) -> None:
        assert self._capture is not None
        self._recorder = self._capture.recorder = None
