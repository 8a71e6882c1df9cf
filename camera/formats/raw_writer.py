"""Writes Prophesee RAW: EVT3 or EVT2 words below a text header.

The clocks of both wrap (24 and 34 bits), so a time since 1970 does not fit: times are then written
from that of the first packet, and the header's `% saccade_t0` says what our reader adds back; other
readers see times from 0. Where times fall, our reader gives them back exactly; others may take a
fall for a wrap.
"""

from __future__ import annotations

import os
import re

from saccade.camera import _native
from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.file import check_geometry
from saccade.camera.formats.output import FileWriter, contiguous

MAX_EVENTS = 65_536  # encoded at a time: it bounds the memory
_MAX_SIDE = 2048  # coordinates have 11 bits
_CLOCK_BITS = {"evt3": 24, "evt2": 34}
_TEXT = re.compile(r"[^\x21-\x7e]+")


class RawWriter(FileWriter):
    """An EVT3 or EVT2 file being recorded; a context manager. The order of events is kept.

    Args:
        path: the file to create (an existing one is replaced).
        width, height: the sensor's size in pixels, at most 2048.
        format: "evt3" or "evt2".
        source: the camera's name, as readers will show it.

    Raises:
        RecordingError: the file cannot be created or written (disk full). What was written before
            stays readable: unfinished words are cut off.
        SaccadeError: events outside the sensor, or times that the format cannot hold.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        format: str = "evt3",
        source: str = "saccade",
    ) -> None:
        if format not in _CLOCK_BITS:
            raise SaccadeError(f"format is {format!r}; use evt3 or evt2")
        check_sides(os.fspath(path), width, height, format)
        super().__init__(path, width, height)
        self.format, self._source = format, source
        self._encoder: _native.Evt3Encoder | _native.Evt2Encoder | None = None

    def write(self, packet: Packet) -> None:
        """Appends the events; none for an empty packet.

        Raises:
            RecordingError: as the class says.
            SaccadeError: closed, events outside this sensor, or times before those of the first
                packet (unless that begins within the clock's first round), or with gaps and falls
                of more than 200 days in all (EVT2: 500 years); none of up to 65,536 events
                is written.
        """
        self._check(packet)
        for part in packet.split(MAX_EVENTS):
            self._write_part(part)

    def close(self) -> None:
        """Closes the file; a killed recorder's has nothing less."""
        if self._file.closed:
            return
        try:
            if self._encoder is None:
                self._begin(0)
        finally:
            self._file.close()

    def _write_part(self, part: Packet) -> None:
        encoder = self._encoder or self._begin(int(part.t.min()))
        try:
            words = encoder.encode(*contiguous(part))
        except ValueError as error:
            what = f"{self.format.upper()} cannot hold it: {error}; write AEDAT4"
            raise SaccadeError(f"{printable(self.path)}: {what}") from error
        try:
            self._file.append(words.data)
        except BaseException:
            encoder.undo()
            raise

    def _begin(self, first_us: int) -> _native.Evt3Encoder | _native.Evt2Encoder:
        """Writes the header, which needs the first time, and makes the encoder."""
        origin = 0 if first_us < 1 << _CLOCK_BITS[self.format] else first_us
        size = (self.width, self.height)
        self._file.append(raw_header(self.format, size, self._source, origin))
        kind = _native.Evt3Encoder if self.format == "evt3" else _native.Evt2Encoder
        self._encoder = kind(self.width, origin)
        return self._encoder


def check_sides(path: str, width: int, height: int, format: str) -> None:
    """Raises RecordingError for a sensor of no size, or one that the format cannot hold."""
    check_geometry(path, width, height)
    if max(width, height) > _MAX_SIDE:
        what = f"{format.upper()} holds at most {_MAX_SIDE} pixels on a side"
        raise RecordingError(path, f"{what}, not {width}x{height}", "write AEDAT4")


def raw_header(
    format: str,
    size: tuple[int, int],
    sensor: str,
    origin_us: int,
    facts: dict[str, str] | None = None,
) -> bytes:
    """The text above the words.

    Args:
        size: width and height.
        origin_us: what readers of ours add to every time.
        facts: more lines; those without a value are left out.
    """
    number, (width, height) = format.removeprefix("evt"), size
    lines = [f"evt {number}.0", f"format EVT{number};height={height};width={width}"]
    lines.append(f"geometry {width}x{height}")
    lines.append(f"sensor_name {header_value(sensor)}")
    lines += [f"{name} {value}" for name, value in (facts or {}).items() if value]
    lines += [f"saccade_t0 {origin_us}"] if origin_us else []
    lines.append("end")
    return "".join(f"% {line}\n" for line in lines).encode()


def header_value(text: str) -> str:
    """A text as a header's line can hold it."""
    return _TEXT.sub(" ", text).strip()
