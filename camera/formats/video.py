"""Reads a video as events (see `saccade.camera.video`): AVI, MP4, MOV, MKV, WebM, MPEG, by OpenCV.

Times are nominal: frame i is at i / rate, whatever a file of varying rate says of each frame.
OpenCV does not tell the end of a video from damage: one that ends well before the number of frames
that it states is damaged.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.base import FileRecording
from saccade.camera.formats.file import RecordingFile, check_geometry
from saccade.camera.formats.stream import CHUNK_EVENTS
from saccade.camera.simulate import simulate_frames
from saccade.camera.streams import Stream
from saccade.camera.video import Differences, FrameClock, VideoSpec

#: Many containers only estimate how many frames they hold: so many, and 1 in 100, may be missing.
_MISSING = 2
_MAX_RATE = 100_000  # frames a second
_CONVERT = "convert it to MP4 with ffmpeg"


def is_video(start: bytes) -> bool:
    """Whether a file with this start is a video's container."""
    return (
        start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide")
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or start.startswith((b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3"))
    )


class VideoRecording(FileRecording):
    """A video; see `saccade.camera.recordings.Recording`.

    Attributes:
        spec: how its events are made.
        clock: of its frames.
    """

    format, sensor = "video", ""

    def __init__(
        self,
        file: RecordingFile,
        geometry: tuple[int, int] | None = None,
        spec: VideoSpec | None = None,
    ) -> None:
        """Opens a video; frames are scaled to `geometry` where it is given.

        Raises RecordingError where it cannot be decoded, or OpenCV is missing.
        """
        super().__init__(file)
        self.spec = spec or VideoSpec()
        self._cv2 = _import_opencv(self.path)
        self._geometry = geometry
        with self._opened() as capture:
            rate = float(capture.get(self._cv2.CAP_PROP_FPS))
            self._stated = max(0, int(capture.get(self._cv2.CAP_PROP_FRAME_COUNT)))
            found, frame = self._read(capture)
        if not found:
            raise RecordingError(self.path, "no frame of this video can be decoded", _CONVERT)
        if not (math.isfinite(rate) and 0 < rate <= _MAX_RATE):
            raise RecordingError(self.path, f"its frame rate is {rate:g}", f"{_CONVERT} -r 30")
        self._shape = frame.shape
        self.height, self.width = (geometry or self._shape[1::-1])[::-1]
        check_geometry(self.path, self.width, self.height)
        self.rate = Fraction(rate).limit_denominator(1001)
        self.clock = FrameClock(self.rate, self.spec.events)
        self._frames = 0  # read in all passes

    @property
    def streams(self) -> list[Stream]:
        """The events, and the frames that they were made of."""
        return [*super().streams, Stream("frames", "video", self._frames)]

    def packets(self, since_us: int | None = None) -> Iterator[Packet]:
        """One pass; see `saccade.camera.recordings.Recording`. Nothing is passed over."""
        made = self._simulated() if self.spec.events == "simulated" else self._differences()
        for packet in made:
            self._events += len(packet)
            yield from packet.split(CHUNK_EVENTS)

    def _simulated(self) -> Iterator[Packet]:
        sensor = replace(self.spec.sensor, width=self.width, height=self.height)
        gray = (
            (self.clock.time_us(i), self._cv2.cvtColor(frame, self._cv2.COLOR_BGR2GRAY))
            for i, frame in self._numbered()
        )
        return simulate_frames(gray, sensor, seed=self.spec.seed)

    def _differences(self) -> Iterator[Packet]:
        differences = Differences(self.spec.events, self.spec.threshold)
        for i, frame in self._numbered():
            rows, columns, on = differences.take(frame, i)
            if len(on):
                t = np.full(len(on), self.clock.time_us(i), np.uint64)
                x, y = columns.astype(np.uint16), rows.astype(np.uint16)
                yield Packet(t, x, y, on.astype(np.bool_))

    def _numbered(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Frames uint8 [height, width, 3] in blue, green, red, and their numbers."""
        n = self.clock.frames = 0
        with self._opened() as capture:
            while True:
                found, frame = self._read(capture)
                if not found:
                    break
                if frame.shape != self._shape:
                    sizes = [f"{shape[1]}x{shape[0]}" for shape in (frame.shape, self._shape)]
                    what = f"frame {n} is {sizes[0]}, those before are {sizes[1]}"
                    raise RecordingError(self.path, what, f"{_CONVERT}, to one size")
                n += 1
                self.clock.frames = n
                self._frames += 1
                self.position = self.size_bytes * min(n, self._stated) // max(self._stated, 1)
                yield n - 1, self._scaled(frame)
        self.position = self.size_bytes
        if n + _MISSING + self._stated // 100 < self._stated:
            what = f"it ends after {n} of {self._stated} frames"
            raise RecordingError(self.path, what, "what came before is good; copy the file again")

    def _scaled(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._geometry is None or self._geometry == self._shape[1::-1]:
            return frame
        return self._cv2.resize(frame, self._geometry, interpolation=self._cv2.INTER_AREA)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        # FFmpeg takes some names for addresses, but none that begins with a slash.
        capture = self._cv2.VideoCapture(str(Path(self.path).resolve()), self._cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                what = "this video cannot be opened: it is damaged, or of an unknown codec"
                raise RecordingError(self.path, what, _CONVERT)
            yield capture
        finally:
            capture.release()

    def _read(self, capture: Any) -> tuple[bool, NDArray[np.uint8]]:
        try:
            return capture.read()
        except self._cv2.error as error:
            what = f"OpenCV refuses a frame: {printable(str(error))}"
            raise RecordingError(self.path, what, _CONVERT) from None


def _import_opencv(path: str) -> Any:
    # Damage is told in one line by us: their own are for their developers.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        return importlib.import_module("cv2")
    except ImportError as error:
        what = f"videos are read by OpenCV, which cannot be imported ({error})"
        raise RecordingError(path, what, "`pip install 'saccade[video]'`") from None
