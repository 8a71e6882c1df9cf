"""Opening a recording's file: every refusal is one line with the remedy."""

from __future__ import annotations

import mmap
import os
import stat
from pathlib import Path

from saccade.camera.errors import RecordingError
from saccade.camera.events import MAX_SIDE


def read_buffer(size: int) -> memoryview:
    """`size` writable bytes on pages of their own.

    Some processors copy what is read several times faster to where a line of the cache begins,
    which the memory behind a bytearray or an array seldom does.
    """
    return memoryview(mmap.mmap(-1, size))


class RecordingFile:
    """A regular file read at any offset: passes, and their threads, do not disturb each other."""

    def __init__(self, path: str) -> None:
        self.path = path
        if not path:  # which Path takes for the folder that we are in
            raise RecordingError(path, "this is no file name", "name a recording")
        try:
            mode = Path(path).stat().st_mode
            if stat.S_ISDIR(mode):
                raise RecordingError(path, "this is a directory", "name one recording in it")
            if not stat.S_ISREG(mode):
                raise RecordingError(path, "this is not a regular file", "save it to a file first")
            self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115
        except OSError as error:
            what = error.strerror or "it cannot be opened"
            raise RecordingError(path, what, "check the name and the permissions") from error
        except ValueError as error:
            if isinstance(error, RecordingError):
                raise
            raise RecordingError(path, "this is no file name", "check the name") from error
        self.size = os.fstat(self._file.fileno()).st_size
        if self.size == 0:
            self.close()
            raise RecordingError(path, "the file is empty", "record again")

    def fileno(self) -> int:
        """Its descriptor; raises ValueError where it is closed."""
        return self._file.fileno()

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes at `offset`: fewer only at the end of the file."""
        parts: list[bytes] = []
        try:
            while size > 0 and (part := os.pread(self._file.fileno(), size, offset)):
                parts.append(part)
                offset += len(part)
                size -= len(part)
        except OSError as error:
            what = f"reading failed ({error.strerror})"
            raise RecordingError(self.path, what, "check the disk", offset) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills `buffer` from `offset` on; the bytes read: fewer only at the end of the file.

        For passes over a whole file: one buffer for all of it costs no page faults.
        """
        size = 0
        try:
            file = self._file.fileno()
            while size < len(buffer) and (n := os.preadv(file, [buffer[size:]], offset + size)):
                size += n
        except OSError as error:
            what = f"reading failed ({error.strerror})"
            raise RecordingError(self.path, what, "check the disk", offset + size) from error
        return size

    def close(self) -> None:
        """Closes the file; reading on raises ValueError."""
        self._file.close()


def check_geometry(path: str, width: int, height: int) -> None:
    """Refuses a sensor of no pixels or of more than `MAX_SIDE` on a side."""
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise RecordingError(
            path,
            f"its geometry is {width}x{height}, sides must be 1 to {MAX_SIDE}",
            "give the sensor's with --geometry WxH",
        )
