"""Video as events: the differences of its frames, or what a simulated sensor would send.

The two ways of the CLIP event-encoder literature (arXiv 2412.03093, its released code) make one
frame of each chunk of 16 video frames F, without overlap:

    rgb   D_i = gray(|F_i - F_i-1|) > threshold, channel by channel before gray;
          v = min(sum D_i, 10) / max(min(sum D_i, 10)); the difference to the chunk before belongs
          to the chunk of F_i
    gray  D_i = |gray(F_i) - gray(F_i-1)| > threshold, of the 15 pairs inside a chunk;
          v = min(sum D_i, 16) / max(min(sum D_i, 16))

with gray = .2989 R + .5870 G + .1140 B. Each D_i = 1 is an event here, at the time of F_i, ON where
the gray value rose. A chunk is a slice, and the frame preset `clamped` at 10 or 16 is the formula:
S counts both polarities. Arithmetic is in whole numbers, so that no rounding decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.simulate import Sensor
from saccade.camera.slicing import Kept, Slice

VideoEvents = Literal["rgb", "gray", "simulated"]

CHUNK = 16  # frames
#: c of the preset `clamped`, by kind.
CLAMPS = {"rgb": 10, "gray": 16}
#: Of blue, green and red, as OpenCV has them, in parts of 10,000.
_WEIGHTS = np.array([1140, 5870, 2989], np.int32)
_WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """How events are made of a video.

    Attributes:
        events: "rgb" or "gray" (see the module's text), or "simulated" (`camera.simulate`).
        threshold: of rgb and gray, in gray values of 0 to 255.
        sensor: of "simulated"; its size is the video's.
        seed: of its noise.
    """

    events: VideoEvents = "rgb"
    threshold: float = 10.0
    sensor: Sensor = field(default_factory=Sensor)
    seed: int = 1

    def __post_init__(self) -> None:
        if self.events not in get_args(VideoEvents):
            raise SaccadeError(f"video events {self.events!r}: use rgb, gray or simulated")
        if not 0 <= self.threshold < 255:
            raise SaccadeError(f"video threshold {self.threshold}: must be from 0 to below 255")


class FrameClock:
    """The nominal clock of a video: frame i is at i / rate, and chunks follow each other.

    Attributes:
        frames: how many were read in the current pass.
    """

    def __init__(self, rate: Fraction, events: VideoEvents) -> None:
        self._frame_us = 1_000_000 / rate
        self._events = events
        self.frames = 0

    def time_us(self, frame: int) -> int:
        """When a frame is, in whole microseconds."""
        return math.floor(frame * self._frame_us)

    def chunk_at(self, t_us: int) -> int:
        """The chunk of a frame's time."""
        return math.floor((t_us + 1) / self._frame_us) // CHUNK

    def chunk_us(self, chunk: int) -> tuple[int, int]:
        """When a chunk begins, and when the one after it."""
        return self.time_us(chunk * CHUNK), self.time_us((chunk + 1) * CHUNK)

    def has_difference(self, chunk: int) -> bool:
        """Whether one of a chunk's differences was read: its second frame, or its first one's."""
        lonely = self._events == "gray" or chunk == 0
        return self.frames > chunk * CHUNK + lonely


class Differences:
    """The events between one frame and the next."""

    def __init__(self, events: VideoEvents, threshold: float) -> None:
        self._events, self._threshold = events, threshold * _WHOLE
        self._before: NDArray[np.int32] | None = None

    def take(self, frame: NDArray[np.uint8], number: int) -> tuple[NDArray[np.intp], ...]:
        """Rows, columns and polarities (0, 1) of the pixels that fire at a frame.

        Args:
            frame: uint8 [h, w, 3], blue, green, red.
            number: of the frame in the video: of gray, the first of a chunk fires nothing.
        """
        now = frame.astype(np.int32)
        before, self._before = self._before, now
        if before is None or (self._events == "gray" and number % CHUNK == 0):
            none = np.zeros(0, np.intp)
            return none, none, none
        change = now - before
        rise = change @ _WEIGHTS  # in 1 / 10,000 of a gray value
        size = np.abs(rise) if self._events == "gray" else np.abs(change) @ _WEIGHTS
        rows, columns = np.nonzero(size > self._threshold)
        return rows, columns, (rise[rows, columns] > 0).astype(np.intp)


class ChunkSlicer:
    """Slices that are a video's chunks, still ones included; see `slicing.Slicer`."""

    restarts = 0

    def __init__(self, clock: FrameClock, from_start: bool) -> None:
        """Chunks of the video of `clock`, from its first one or from that of the first event."""
        self._clock = clock
        self._chunk = 0 if from_start else -1
        self._first = self._last = 0
        self._packets: list[Packet] = []

    def feed(self, packet: Packet, kept: Kept | None = None) -> Iterator[Slice]:
        """The chunks that are over now that an event of a later one has come."""
        if self._chunk < 0:
            self._chunk = self._clock.chunk_at(int(packet.t[0]))
        while len(packet):
            end = self._clock.chunk_us(self._chunk)[1]
            n = int(np.searchsorted(packet.t, np.uint64(end)))
            inside = packet[:n]
            if kept is not None:
                head, kept = kept.split(n)
                inside = head.events
            if len(inside):
                self._packets.append(inside)
                self._last += len(inside)
            packet = packet[n:]
            if len(packet):
                yield self._cut()

    def advance(self, t_us: int) -> Iterator[Slice]:
        """Nothing: a video is no live source."""
        yield from ()

    def finish(self) -> Iterator[Slice]:
        """The chunks up to the last difference; the last one as far as it was filled."""
        while self._chunk >= 0 and self._clock.has_difference(self._chunk):
            yield self._cut()

    @property
    def nbytes(self) -> int:
        """Bytes of the events that later slices may still need."""
        return sum(packet.t.nbytes + 5 * len(packet) for packet in self._packets)

    def _cut(self) -> Slice:
        begin, end = self._clock.chunk_us(self._chunk)
        cut = Slice(begin, end, self._first, self._last, tuple(self._packets))
        self._packets = []
        self._first = self._last
        self._chunk += 1
        return cut
