"""A few windows of recordings, and their embeddings: what `teach` and `evaluate` look at."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.fused import FramedSlice, SliceFramer, make_framer
from saccade.engines.engine import Engine
from saccade.stream.settings import make_slicer


def choose_windows(events: NDArray[np.int_], shots: int) -> NDArray[np.intp]:
    """Which windows of a recording are shown: at most `shots`, evenly spread, in order.

    Those with less than half of the median's events are left out: there was little to see.

    Args:
        events: int [windows], the number of events of each.
        shots: how many are wanted.
    """
    some = events[events > 0]
    if not len(some):
        return np.empty(0, np.intp)
    good = np.flatnonzero(events >= max(1.0, float(np.median(some)) / 2))
    places = (np.arange(min(shots, len(good))) + 0.5) * len(good) / min(shots, len(good))
    return good[places.astype(np.intp)]


def framer_of(
    width: int, height: int, spec: FrameSpec, window: str | None, count: int | None
) -> SliceFramer:
    """What cuts the events of a sensor into windows that follow each other, and frames them.

    Raises:
        SaccadeError: the window or the count cannot be.
    """
    framer = make_framer(FrameMaker(width, height, spec), make_slicer(window, count, None))
    assert framer is not None, "slices without a stride follow each other"
    return framer


def chosen_frames(
    cuts: Callable[[], Iterator[FramedSlice]], shots: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The windows of `choose_windows`: their numbers and frames; none without events.

    Args:
        cuts: gives one pass over all windows; it is called twice. A frame may be good until the
            next window alone.
        shots: how many are wanted.
    """
    events = np.array([cut.n_events for cut in cuts()], np.intp)
    wanted: list[int] = choose_windows(events, shots).tolist()
    if wanted:
        for place, cut in enumerate(itertools.islice(cuts(), wanted[-1] + 1)):
            if place in wanted:
                yield place, cut.frame


def until_damage(
    cuts: Iterator[FramedSlice], tell: Callable[[RecordingError], None]
) -> Iterator[FramedSlice]:
    """The windows of a pass that come before a recording's damage, of which `tell` is told.

    Raises:
        RecordingError: none of them has events.
    """
    some = False
    try:
        for cut in cuts:
            some = some or cut.n_events > 0
            yield cut
    except RecordingError as error:
        if not some:
            raise
        tell(error)


class FrameBatch:
    """Frames on their way through an engine, as many at a time as it takes."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._n = engine, 0
        self._found = [np.empty((0, engine.output.shape[1]), np.float32)]

    def add(self, frame: NDArray[np.float32]) -> None:
        """A frame, float32 [size, size]."""
        self._engine.input[self._n] = frame
        self._n += 1
        if self._n == len(self._engine.input):
            self._run()

    def finish(self) -> NDArray[np.float32]:
        """The embeddings of all frames, float32 [N, dimension]."""
        if self._n:
            self._run()
        return np.concatenate(self._found)

    def _run(self) -> None:
        self._engine.run(self._n)
        self._found.append(np.array(self._engine.output[: self._n]))
        self._n = 0
