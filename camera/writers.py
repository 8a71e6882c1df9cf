"""Opens a recording to be written: the format is that of the file's extension, or as stated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, cast, get_args

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.unpack import Compression

#: The formats written, by the extension that means them; `.raw` means EVT3.
FORMATS = ("aedat4", "evt3", "evt2", "npz", "csv")
_BY_EXTENSION = {
    ".aedat4": "aedat4",
    ".raw": "evt3",
    ".evt3": "evt3",
    ".evt2": "evt2",
    ".npz": "npz",
    ".csv": "csv",
}


class Writer(Protocol):
    """A recording being written: a context manager. The order of events and their times are kept.

    Attributes:
        path: as the user named it.
    """

    path: str

    def write(self, packet: Packet) -> None:
        """Appends the events.

        Raises RecordingError where the disk is full, and SaccadeError where the format or the
        sensor cannot hold them; what was written before stays readable.
        """
        ...

    def close(self) -> None:
        """Finishes the file; once is enough."""
        ...

    def __enter__(self) -> Writer: ...

    def __exit__(self, *_: object) -> None: ...


def open_writer(
    path: str | os.PathLike[str],
    width: int,
    height: int,
    format: str | None = None,
    compression: str | None = None,
    source: str = "saccade",
) -> Writer:
    """Creates a recording.

    Args:
        path: the file; an existing one is replaced.
        width, height: the sensor's size in pixels.
        format: "aedat4", "evt3", "evt2", "npz" or "csv"; by the extension when None.
        compression: "none", "lz4" or "zstd", of AEDAT4 alone; zstd when None.
        source: the camera's name, where the format has a place for it.

    Raises:
        SaccadeError: an unknown format, or a compression that it does not have.
        RecordingError: the file cannot be created, or the format cannot hold this geometry.
    """
    name = os.fspath(path)
    kind = choose_format(name, format)
    if kind == "aedat4":
        from saccade.camera.formats.aedat4_writer import Aedat4Writer

        return Aedat4Writer(name, width, height, check_compression(compression or "zstd"), source)
    if compression not in (None, "none"):
        raise SaccadeError(f"compression {compression}: {kind} has none; leave it out")
    if kind == "npz":
        from saccade.camera.formats.npz_writer import NpzWriter

        return NpzWriter(name, width, height, source)
    if kind == "csv":
        from saccade.camera.formats.csv_writer import CsvWriter

        return CsvWriter(name, width, height)
    from saccade.camera.formats.raw_writer import RawWriter

    return RawWriter(name, width, height, kind, source)


def choose_format(path: str, format: str | None) -> str:
    """One of `FORMATS`: as stated, or by the path's extension.

    Raises:
        SaccadeError: neither tells a format that can be written.
    """
    if format is not None:
        if format not in FORMATS:
            raise SaccadeError(f"format {format!r}: use one of {', '.join(FORMATS)}")
        return format
    found = _BY_EXTENSION.get(Path(path).suffix.lower())
    if found is None:
        what = "its extension tells no format that can be written"
        raise SaccadeError(f"{printable(path)}: {what}; give --format {', '.join(FORMATS)}")
    return found


def check_compression(name: str) -> Compression:
    """`name` where it is a compression; SaccadeError otherwise."""
    if name in get_args(Compression):
        return cast(Compression, name)
    raise SaccadeError(f"compression is {name!r}; use none, lz4 or zstd")
