"""Copies a camera's EVT3 into a Prophesee RAW file, word for word, without decoding it."""

from __future__ import annotations

import os
import time

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.formats.evt3_words import Evt3State, clock_words, first_high
from saccade.camera.formats.output import FileWriter
from saccade.camera.formats.raw_writer import check_sides, header_value, raw_header

_ROUND = 12  # bits of TIME_HIGH


class RawCopier(FileWriter):
    """A RAW file of the bytes that a camera sends; a context manager.

    Where bytes do not follow on those before (the file begins in the middle of a stream, or some
    were lost), the words are written that readers need to give what comes next its time and row.
    So readers find every event with the times of the live decoder; the header's `% saccade_t0` is
    what ours adds where the clock had wrapped before the file's first word.

    Args:
        path: the file to create (an existing one is replaced).
        width, height: the sensor's size in pixels, at most 2048.
        sensor, serial: the camera's, as readers will show them.

    Raises:
        RecordingError: the file cannot be created or written (disk full). What was written before
            stays readable: an unfinished part is cut off.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        sensor: str,
        serial: str = "",
    ) -> None:
        check_sides(os.fspath(path), width, height, "evt3")
        super().__init__(path, width, height)
        self._sensor, self._serial = sensor, serial
        self._origin = 0  # TIME_HIGH that is 0 in the file
        self._at: Evt3State | None = None  # what the words in the file have set

    def copy(
        self, raw: bytes | memoryview, before: Evt3State | None, after: Evt3State | None
    ) -> None:
        """Appends whole words; `before` and `after` are as in `LivePacket`.

        Raises:
            RecordingError: as the class says.
            SaccadeError: closed, or the camera's clock began anew, before the time that is the
                file's first; none is written.
        """
        if self._file.closed:
            raise SaccadeError(f"{printable(self.path)}: the file is closed; copy before close()")
        if self._at is None:
            self._begin(before)
        lead = b"" if before is not None and before == self._at else self._lead(raw, before)
        self._file.append(lead + bytes(raw) if lead else raw)
        self._at = after

    def close(self) -> None:
        """Closes the file; a killed recorder's has nothing less."""
        if self._file.closed:
            return
        try:
            if self._at is None and not self._file.size:
                self._begin(None)
        finally:
            self._file.close()

    def _begin(self, before: Evt3State | None) -> None:
        if self._file.size:  # the header is there, but the words were not written
            return
        self._origin = before.high >> _ROUND << _ROUND if before is not None else 0
        facts = {
            "date": time.strftime("%Y-%m-%d %H:%M:%S"),
            "serial_number": header_value(self._serial),
        }
        size = (self.width, self.height)
        self._file.append(raw_header("evt3", size, self._sensor, self._origin << _ROUND, facts))

    def _lead(self, raw: bytes | memoryview, before: Evt3State | None) -> bytes:
        """What must come before words that do not follow on those in the file."""
        high = before.high if before is not None else first_high(raw)
        if high < self._origin:
            what = "the camera's clock began anew, before this file's first time"
            raise SaccadeError(f"{printable(self.path)}: {what}; record another, or AEDAT4")
        at = high if self._at is None else self._at.high
        steps = clock_words(at - self._origin, high - self._origin)
        return steps + (before.words() if before is not None else b"")
