"""Opens a recording: the reader is chosen by what the file contains, never by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from saccade.camera.aedat4 import Aedat4Recording
from saccade.camera.aedat4_writer import MAGIC
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.files import RecordingFile, check_geometry
from saccade.camera.prophesee import TO_DAT_TO_AEDAT4, RawRecording

_FROM_BAG = "convert its EVT3 packets to RAW with bag_to_raw of event_camera_tools"
_BAGS = (
    (b"#ROSBAG", "ROS bag"),
    (b"SQLite format 3\0", "ROS 2 bag (db3)"),
    (b"\x89MCAP0\r\n", "MCAP"),
)
#: What is recognised but not read: how the file starts, the format's name, the remedy.
_REFUSED = (
    (b"#!AER-DAT3", "AEDAT 3", "convert it to AEDAT4 with DV"),
    (b"#!AER-DAT2", "AEDAT 2", "convert it to AEDAT4 with DV"),
    (b"#!AER-DAT1", "AEDAT 1", "convert it to AEDAT 2 with jAER, then to AEDAT4 with DV"),
    (b"Event Stream", "Event Stream (.es)", "convert it to AEDAT4 with faery"),
    (b"\x89HDF\r\n\x1a\n", "HDF5", f"{TO_DAT_TO_AEDAT4} (HDF5 of Metavision only)"),
    *((magic, name, _FROM_BAG) for magic, name in _BAGS),
)


class Recording(Protocol):
    """A file of events: a context manager.

    Attributes:
        path: as the user named it.
        format: "aedat4", "evt2" or "evt3".
        sensor: the sensor's or the camera's name, "" where the file does not tell.
        width, height: the sensor's size in pixels.
        size_bytes: the file's size when it was opened.
        position: bytes read so far in the current pass, out of `size_bytes`.
        dropped: events left out since the recording was opened, by class: all passes together.
        skipped: what the file holds besides events, counted in the same way.
    """

    path: str
    width: int
    height: int
    sensor: str
    size_bytes: int
    position: int

    @property
    def format(self) -> str: ...

    @property
    def dropped(self) -> dict[str, int]: ...

    @property
    def skipped(self) -> dict[str, int]: ...

    def packets(self) -> Iterator[Packet]:
        """One pass over the events from the start, in packets of 1 to 65,536 events.

        Raises RecordingError with the damage's byte offset, after every event before it.
        """
        ...

    def close(self) -> None:
        """Closes the file."""
        ...

    def __enter__(self) -> Recording: ...

    def __exit__(self, *_: object) -> None: ...


def open_recording(
    path: str | os.PathLike[str], geometry: tuple[int, int] | None = None
) -> Recording:
    """Opens an AEDAT4 or a Prophesee RAW (EVT2, EVT3) file.

    Args:
        path: the file; its extension does not matter.
        geometry: (width, height) in pixels, for files that do not state it; it takes precedence
            over what the file states.

    Raises:
        RecordingError: missing, empty, not readable, of an unknown format, or without a geometry.
    """
    name = os.fspath(path)
    if geometry is not None:
        check_geometry(name, *geometry)
    file = RecordingFile(name)
    try:
        start = file.read(0, 64)
        if start.startswith(MAGIC):
            return Aedat4Recording(file, geometry)
        if start.startswith(b"%"):
            return RawRecording(file, geometry)
        raise _refusal(name, start)
    except BaseException:
        file.close()
        raise


def _refusal(path: str, start: bytes) -> RecordingError:
    for magic, name, remedy in _REFUSED:
        if start.startswith(magic):
            return RecordingError(path, f"{name} is not read", remedy)
    what = "its content is of no known format"
    return RecordingError(path, what, "AEDAT4 and Prophesee RAW (EVT2, EVT3) are read")
