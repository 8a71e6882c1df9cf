"""The file that a recording is written to: whole packets, on their way to the disk at once."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.closing import Closing
from saccade.camera.formats.file import check_geometry


class OutputFile:
    """A file that only ever holds whole parts; unbuffered, so that a killed writer loses none.

    Attributes:
        path: as the user named it.
        size: bytes of the parts written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Creates the file, or empties it; RecordingError where that is not possible."""
        self.path = os.fspath(path)
        self.size = 0
        try:
            self._file = Path(self.path).open("wb", buffering=0)  # noqa: SIM115
        except (OSError, ValueError) as error:
            what = f"it cannot be created ({getattr(error, 'strerror', None) or error})"
            raise RecordingError(self.path, what, "choose another folder") from error

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def append(self, data: bytes | memoryview) -> None:
        """Writes one part whole, or cuts it off and raises RecordingError (the disk is full)."""
        with self._one_line():
            try:
                self._write(data)
            except BaseException:  # Ctrl-C in the middle, too
                with contextlib.suppress(OSError):  # a pipe cannot be cut
                    self._file.truncate(self.size)
                    self._file.seek(self.size)
                raise
        self.size += len(data)

    def overwrite(self, offset: int, data: bytes) -> None:
        """Writes over bytes that are there; RecordingError where the file has no positions."""
        with self._one_line():
            self._file.seek(offset)
            self._write(data)
            self._file.seek(self.size)

    def close(self) -> None:
        """Closes the file; once is enough."""
        with self._one_line():
            self._file.close()

    def _write(self, data: bytes | memoryview) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) or 0 :]

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            remedy = "make room" if full else "write to a file on a disk"
            what = f"writing failed ({error.strerror})"
            remedy += "; everything before is readable"
            raise RecordingError(self.path, what, remedy, self.size) from error


def contiguous(
    packet: Packet,
) -> tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]:
    """The columns as the native encoders take them; copies only of those with gaps."""
    whole = np.ascontiguousarray
    return whole(packet.t), whole(packet.x), whole(packet.y), whole(packet.on)


class FileWriter(Closing):
    """A recording being written to one file, from its first byte on.

    Attributes:
        path: as the user named it.
        width, height: the sensor's size in pixels.
    """

    def __init__(self, path: str | os.PathLike[str], width: int, height: int) -> None:
        """Creates the file; RecordingError where that is not possible, or for an absurd size."""
        self.path = os.fspath(path)
        check_geometry(self.path, width, height)
        self.width, self.height = width, height
        self._file = OutputFile(self.path)

    def close(self) -> None:
        """Closes the file; once is enough."""
        self._file.close()

    def _begin_with(self, header: bytes) -> None:
        """Writes the file's start, or closes it."""
        try:
            self._file.append(header)
        except RecordingError:
            self._file.close()
            raise

    def _check(self, packet: Packet) -> None:
        """Refuses to write to a closed file, or events outside the sensor."""
        what = None
        if self._file.closed:
            what = "the file is closed; write before close()"
        elif len(packet) and (packet.x.max() >= self.width or packet.y.max() >= self.height):
            what = f"events outside {self.width}x{self.height}; open it with the sensor's size"
        if what is not None:
            raise SaccadeError(f"{printable(self.path)}: {what}")
