"""Writes `.npz`: columns t (uint64 us), x, y (uint16), p (bool), and width, height.

A zip is readable only once its directory stands at its end, and a column only grows as a whole. So
the events are recorded in AEDAT4 beside it (`NAME.part.aedat4`), and the zip is made from that at
the end and takes NAME's place in one step. Until then NAME is as it was, and a kill or a full disk
leaves the AEDAT4, which every reader of it can read.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.formats.closing import Closing
from saccade.camera.recordings import open_recording

# The array's name, the packet's column, its type.
_COLUMNS = (("t", "t", "<u8"), ("x", "x", "<u2"), ("y", "y", "<u2"), ("p", "on", "|b1"))


class NpzWriter(Closing):
    """An `.npz` being recorded; a context manager.

    Args:
        path: the file to create; an existing one is replaced by `close`.
        width, height: the sensor's size in pixels.
        source: the camera's name, in the AEDAT4 that stands in for it until then.

    Raises:
        RecordingError: it cannot be created or written (disk full). What was written before stays
            in `PATH.part.aedat4`, unless there was room to finish.
        SaccadeError: events outside the sensor, or a time of 2^63 us or more.
    """

    def __init__(
        self, path: str | os.PathLike[str], width: int, height: int, source: str = "saccade"
    ) -> None:
        self.path = os.fspath(path)
        self.width, self.height = width, height
        self._events = f"{self.path}.part.aedat4"
        self._zip = f"{self.path}.part.zip"
        self._writer = Aedat4Writer(self._events, width, height, "none", source)
        self._any = False  # events written
        self._closed = False

    def write(self, packet: Packet) -> None:
        """Appends the events.

        Raises:
            RecordingError: as the class says.
            SaccadeError: closed, or events that this sensor cannot have; none is written.
        """
        try:
            self._writer.write(packet)
        except RecordingError as error:  # close() will say where the events are
            what = "writing the events failed, the disk may be full"
            remedy = "make room; everything before is readable"
            raise RecordingError(self.path, what, remedy, error.offset) from error
        self._any |= len(packet) > 0

    def close(self) -> None:
        """Makes the zip from the events; where that fails, they stay in `PATH.part.aedat4`."""
        if self._closed:
            return
        self._closed = True
        try:
            self._writer.close()
            self._make_zip()
            Path(self._zip).replace(self.path)
        except (OSError, RecordingError) as error:
            what = f"it cannot be finished ({getattr(error, 'strerror', None) or error})"
            remedy = f"make room; every event is in {self._events}, which can be converted"
            raise RecordingError(self.path, what, remedy) from error
        finally:
            with contextlib.suppress(OSError):
                Path(self._zip).unlink(missing_ok=True)
        Path(self._events).unlink(missing_ok=True)

    def _make_zip(self) -> None:
        n = self._count()
        with zipfile.ZipFile(self._zip, "w") as archive:
            for name, attribute, dtype in _COLUMNS:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    self._write_column(member, attribute, dtype, n)
            for name, value in (("width", self.width), ("height", self.height)):
                with archive.open(f"{name}.npy", "w") as member:
                    npy.write_array(member, np.array(value))

    def _write_column(self, member: IO[bytes], attribute: str, dtype: str, n: int) -> None:
        header: dict[str, Any] = {"descr": dtype, "fortran_order": False, "shape": (n,)}
        npy.write_array_header_1_0(cast(Any, member), header)
        if n:
            with open_recording(self._events) as events:
                for packet in events.packets():
                    column = cast("np.ndarray[Any, Any]", getattr(packet, attribute))
                    member.write(np.ascontiguousarray(column, dtype).data)

    def _count(self) -> int:
        """Events in the AEDAT4, where a full disk may have cut off the end of the last packet."""
        if not self._any:
            return 0
        with open_recording(self._events) as events:
            return sum(len(packet) for packet in events.packets())
