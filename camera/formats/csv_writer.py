"""Writes events as text: `# width,height`, the line `t,x,y,on`, then one line for each event."""

from __future__ import annotations

import os
from types import TracebackType

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.file import check_geometry
from saccade.camera.formats.output import OutputFile, check_events, contiguous

MAX_EVENTS = 65_536  # turned into text at a time: 2.3 MB at most


class CsvWriter:
    """A CSV file being recorded; a context manager. t in microseconds, on 1 where brighter, else 0.

    Args:
        path: the file to create (an existing one is replaced).
        width, height: the sensor's size in pixels.

    Raises:
        RecordingError: the file cannot be created or written (disk full); whole lines stay.
        SaccadeError: events outside the sensor.
    """

    def __init__(self, path: str | os.PathLike[str], width: int, height: int) -> None:
        self.path = os.fspath(path)
        check_geometry(self.path, width, height)
        self.width, self.height = width, height
        self._file = OutputFile(self.path)
        try:
            self._file.append(f"# {width},{height}\nt,x,y,on\n".encode())
        except RecordingError:
            self._file.close()
            raise

    def write(self, packet: Packet) -> None:
        """Appends a line for each event.

        Raises:
            RecordingError: as the class says.
            SaccadeError: closed, or events outside this sensor; none is written.
        """
        check_events(self.path, packet, (self.width, self.height), self._file.closed)
        for start in range(0, len(packet), MAX_EVENTS):
            part = packet[start : start + MAX_EVENTS]
            self._file.append(_native.encode_csv(*contiguous(part)).data)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> CsvWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
