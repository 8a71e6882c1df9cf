"""Writes events as text: `# width,height`, the line `t,x,y,on`, then one line for each event."""

from __future__ import annotations

import os

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.output import FileWriter, contiguous

MAX_EVENTS = 65_536  # turned into text at a time: 2.3 MB at most


class CsvWriter(FileWriter):
    """A CSV file being recorded; a context manager. t in microseconds, on 1 where brighter, else 0.

    Args:
        path: the file to create (an existing one is replaced).
        width, height: the sensor's size in pixels.

    Raises:
        RecordingError: the file cannot be created or written (disk full); whole lines stay.
        SaccadeError: events outside the sensor.
    """

    def __init__(self, path: str | os.PathLike[str], width: int, height: int) -> None:
        super().__init__(path, width, height)
        self._begin_with(f"# {width},{height}\nt,x,y,on\n".encode())

    def write(self, packet: Packet) -> None:
        """Appends a line for each event.

        Raises:
            RecordingError: as the class says.
            SaccadeError: closed, or events outside this sensor; none is written.
        """
        self._check(packet)
        for part in packet.split(MAX_EVENTS):
            self._file.append(_native.encode_csv(*contiguous(part)).data)
