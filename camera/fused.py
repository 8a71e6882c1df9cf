"""From a source's bytes to frames, slice by slice, with no array of events between.

Slices that follow each other without gap or overlap are counted while their words are decoded: the
same slices and the same frames as `TimeSlicer` or `CountSlicer` and `FrameMaker` make.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.counting import Countable, count_packets
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker
from saccade.camera.recordings import Recording
from saccade.camera.slicing import MAX_EMPTY_SLICES, CountSlicer, Slicer, TimeSlicer
from saccade.camera.sources import LivePacket


@dataclass(frozen=True, slots=True)
class FramedSlice:
    """A slice of which only its frame is left.

    Attributes:
        t_begin_us, t_end_us: the window [begin, end), as `Slice` has it.
        t_last_us: time of its newest event; the window's end where it has none.
        first, last: indices [first, last) of its events in the stream.
        restarts: of the slicer's grid so far.
        frame: float32 [size, size].
        frame_us: microseconds that it took to finish it.
    """

    t_begin_us: int
    t_end_us: int
    t_last_us: int
    first: int
    last: int
    restarts: int
    frame: NDArray[np.float32]
    frame_us: float

    @property
    def nbytes(self) -> int:
        """Bytes that its frame takes."""
        return self.frame.nbytes

    @property
    def n_events(self) -> int:
        """Number of events in the slice."""
        return self.last - self.first


class SliceFramer:
    """Frames of one sensor's slices; one pass at a time."""

    def __init__(
        self,
        frames: FrameMaker,
        window_us: int = 0,
        count: int = 0,
        most_empty: int = MAX_EMPTY_SLICES,
    ) -> None:
        """Slices of `window_us` microseconds, or of `count` events: one of the two.

        Past `most_empty` slices without an event, the windows leap to the next event.
        """
        assert (window_us > 0) != (count > 0)
        self._frames = frames
        self._size = frames.spec.size
        self._slices = _native.SliceCounter(frames.native, window_us, count, most_empty)
        self._on = 0  # in slices that were taken

    @property
    def events(self) -> int:
        """Events counted so far."""
        return self._slices.events

    @property
    def on(self) -> int:
        """How many of a live source's were ON; without those that met a full counter."""
        return self._on + self._slices.on

    def pass_over(
        self,
        recording: Recording,
        out: NDArray[np.float32] | None = None,
        threads: int | None = None,
    ) -> Iterator[FramedSlice]:
        """The slices of the recording, the last one as far as it was filled.

        Args:
            recording: of the frames' sensor.
            out: float32 [size, size] in C order, written for each slice; None: a new one each.
            threads: see `Countable.count`.

        Raises RecordingError where the recording is damaged, after the slices before that.
        """
        damage: RecordingError | None = None
        passed = (
            recording.count(self._slices, threads)
            if isinstance(recording, Countable)
            else count_packets(recording.packets(), self._slices)
        )
        with closing(passed):
            try:
                for _ in passed:
                    yield from self._due(out)
            except RecordingError as error:
                damage = error
        self._slices.finish()
        yield from self._due(out)
        if damage is not None:
            raise damage

    def feed(self, packet: Packet) -> Iterator[FramedSlice]:
        """The slices that a packet completes."""
        for _ in count_packets((packet,), self._slices):
            yield from self._due(None)

    def feed_live(self, packet: LivePacket, keep: bool) -> Iterator[FramedSlice]:
        """The slices that a packet of a live source completes; `keep` is as in its `count`."""
        for _ in packet.count(self._slices, keep):
            yield from self._live()

    def advance(self, t_us: int) -> Iterator[FramedSlice]:
        """The windows that are over now that the clock has come to `t_us` without an event."""
        self._slices.advance(t_us)
        yield from self._live()

    def begin_anew(self) -> Iterator[FramedSlice]:
        """The slice being filled, as the clock of what follows begins anew, wherever."""
        self._slices.begin_anew()
        yield from self._live()

    def finish(self) -> Iterator[FramedSlice]:
        """The slice being filled, at the end of a live source."""
        self._slices.finish()
        yield from self._live()

    def blank(self, t_begin_us: int, t_end_us: int) -> FramedSlice:
        """A slice of no events, before the first one."""
        assert not self._slices.events
        frame = self._frames.make(())
        return FramedSlice(t_begin_us, t_end_us, t_end_us, 0, 0, 0, frame, 0.0)

    def _due(self, out: NDArray[np.float32] | None) -> Iterator[FramedSlice]:
        while self._slices.due:
            started = time.perf_counter_ns()
            frame = np.empty((self._size, self._size), np.float32) if out is None else out
            cut = self._slices.take(frame)
            assert cut is not None
            yield FramedSlice(*cut, frame, (time.perf_counter_ns() - started) / 1000)

    def _live(self) -> Iterator[FramedSlice]:
        """Those due, one after the other, each once its ON events are counted."""
        while self._slices.due:
            self._on += self._slices.on
            yield next(self._due(None))


def make_framer(frames: FrameMaker, slicer: Slicer) -> SliceFramer | None:
    """What gives the slices of `slicer`; None where they overlap or leave gaps."""
    if isinstance(slicer, TimeSlicer) and slicer.stride_us == slicer.window_us:
        return SliceFramer(frames, window_us=slicer.window_us, most_empty=slicer.most_empty)
    if isinstance(slicer, CountSlicer) and slicer.stride == slicer.count:
        return SliceFramer(frames, count=slicer.count)
    return None
