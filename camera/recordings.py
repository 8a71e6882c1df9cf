"""Opens a recording: the reader is chosen by what the file contains, never by its name."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from typing import Protocol, cast

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.file import RecordingFile, check_geometry
from saccade.camera.formats.nmnist import is_nmnist
from saccade.camera.formats.text import is_text
from saccade.camera.formats.video import VideoRecording, is_video
from saccade.camera.streams import Stream
from saccade.camera.video import VideoSpec

#: What a reader is chosen by: the first bytes of the file.
START_BYTES = 4096

_READ = "AEDAT, RAW, DAT, HDF5, Event Stream, N-MNIST, npz, text, ROS bags and videos are read"
#: What is recognised but not read: how the file starts, the format's name, the remedy.
_REFUSED = (
    (b"#!AER-DAT3.0", "AEDAT 3.0", "convert it to AEDAT4 with DV"),
    (b"#!AER-DAT1", "AEDAT 1", "convert it to AEDAT 2 with jAER, then to AEDAT4 with DV"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unpack it with `zstd -d` (a ROS 2 bag compressed as a file)"),
)


def _starts(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(magic)


#: By the file's first bytes: the module and the function (file, geometry) -> Recording that reads
#: it, imported when needed. The first that recognises the file is taken: magic numbers stand above
#: formats that are told by their structure.
_READERS: list[tuple[Callable[[bytes], bool], str, str]] = [
    (_starts(b"#!AER-DAT4.0\r\n"), "saccade.camera.formats.aedat4", "Aedat4Recording"),
    (_starts(b"#!AER-DAT2.0"), "saccade.camera.formats.aedat2", "open_aedat2"),
    (_starts(b"#!AER-DAT3.1"), "saccade.camera.formats.aedat3", "open_aedat3"),
    (_starts(b"Event Stream"), "saccade.camera.formats.es", "open_es"),
    (_starts(b"PK\3\4"), "saccade.camera.formats.npz", "open_npz"),
    (_starts(b"#ROSBAG"), "saccade.camera.formats.ros", "open_bag1"),
    (_starts(b"SQLite format 3\0"), "saccade.camera.formats.ros", "open_db3"),
    (_starts(b"\x89MCAP0\r\n"), "saccade.camera.formats.ros", "open_mcap"),
    (_starts(b"\x89HDF\r\n\x1a\n"), "saccade.camera.formats.hdf5", "Hdf5Recording"),
    (_starts(b"%"), "saccade.camera.formats.raw", "open_raw"),
    (is_text, "saccade.camera.formats.text", "open_text"),
    (is_nmnist, "saccade.camera.formats.nmnist", "open_nmnist"),
]


class Recording(Protocol):
    """A file of events: a context manager.

    Attributes:
        path: as the user named it.
        format: such as "aedat4", "evt3", "dat"; of a ROS bag the encoding of its events.
        sensor: the sensor's or the camera's name, "" where the file does not tell.
        width, height: the sensor's size in pixels.
        size_bytes: the file's size when it was opened.
        position: bytes read so far in the current pass, out of `size_bytes`.
        dropped: events left out since the recording was opened, by class: all passes together.
        streams: what the file holds: its events, frames, IMU samples, triggers.
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

    @property
    def streams(self) -> list[Stream]: ...

    def count_streams(self) -> list[Stream]:
        """`streams` with their counts, after a pass over the events; reads what that did not.

        Raises RecordingError where a stream is damaged; `streams` then counts what came before.
        """
        ...

    def packets(self, since_us: int | None = None) -> Iterator[Packet]:
        """One pass over the events from the start, in packets of 1 to 65,536 events.

        Args:
            since_us: nobody needs events before this time of the sensor's clock: a format with an
                index may pass over them; what is given still begins with a packet that has them.

        Raises RecordingError with the damage's byte offset, after every event before it.
        """
        ...

    def close(self) -> None:
        """Closes the file."""
        ...

    def __enter__(self) -> Recording: ...

    def __exit__(self, *_: object) -> None: ...


def open_recording(
    path: str | os.PathLike[str],
    geometry: tuple[int, int] | None = None,
    video: VideoSpec | None = None,
) -> Recording:
    """Opens a recording of any format that saccade reads (see the README), by its content.

    Args:
        path: the file; its extension does not matter.
        geometry: (width, height) in pixels, for files that do not state it; it takes precedence
            over what the file states. A video is scaled to it.
        video: how a video becomes events.

    Raises:
        RecordingError: missing, empty, not readable, of an unknown format, or without a geometry.
    """
    name = os.fspath(path)
    if geometry is not None:
        check_geometry(name, *geometry)
    file = RecordingFile(name)
    try:
        start = file.read(0, START_BYTES)
        if is_video(start):
            return VideoRecording(file, geometry, video)
        for recognises, module, function in _READERS:
            if recognises(start):
                reader = getattr(importlib.import_module(module), function)
                return cast(Recording, reader(file, geometry))
        raise _refusal(name, start)
    except BaseException:
        file.close()
        raise


def is_recording(start: bytes) -> bool:
    """Whether a file of this start (`START_BYTES`) is one that `open_recording` takes up."""
    return is_video(start) or any(recognises(start) for recognises, _, _ in _READERS)


def _refusal(path: str, start: bytes) -> RecordingError:
    for magic, name, remedy in _REFUSED:
        if start.startswith(magic):
            return RecordingError(path, f"{name} is not read", remedy)
    what = "its content is of no known format"
    return RecordingError(path, what, _READ)
