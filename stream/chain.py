"""The threads of a pipeline: decoding, framing and encoding, each ahead of the next.

Frames on a GPU have no thread of their own: they are queued on the stream that encodes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from saccade.camera.frames import FrameMaker
from saccade.camera.slicing import Window
from saccade.engines.engine import Engine
from saccade.stream.device_stages import DeviceFrames, encode_on_device
from saccade.stream.live_words import LiveWords
from saccade.stream.prediction import Encoded, Framed
from saccade.stream.prefetch import Prefetch
from saccade.stream.replay import SliceSource, TimedSlice
from saccade.stream.stages import encode, make_frames

T = TypeVar("T")

SLICE_QUEUE = 8  # slices that may wait for a frame, and how much memory they may hold:
SLICE_QUEUE_BYTES = 256 << 20
FRAME_QUEUE = 2  # frames, and results, that may wait where the engine takes no more at once
#: At a set speed a slice that left the source this long ago is dropped where a newer one waits.
BUDGET_US = 50_000
STUCK_S = 2.0  # a stage that works on one item for longer is named
END_S = 0.5  # that a stage which is broken off may take to notice


class Chain:
    """The stages, a thread and a bounded queue each; iterate it for what they make."""

    def __init__(
        self,
        replay: SliceSource,
        frame_maker: FrameMaker | DeviceFrames,
        engine: Engine,
        words: LiveWords,
        on_drop: Callable[[Window], None] | None,
    ) -> None:
        """Starts at once.

        Where there is an `on_drop`, slices that wait for too long are dropped and it is told of
        each; else a slow stage makes those before it wait.
        """

        self._source = replay
        # What a batch takes, and gives, at once has room.
        waiting = max(FRAME_QUEUE, len(engine.input) if on_drop else 1)
        slices = Prefetch(
            replay,
            SLICE_QUEUE,
            name="decode",
            on_drop=_dropper(on_drop, lambda timed: timed),
            stale=_stale,
            max_bytes=SLICE_QUEUE_BYTES,
            nbytes=lambda timed: timed.cut.nbytes,
            hollow=_hollow,
        )
        self._stages: list[Prefetch[TimedSlice] | Prefetch[Framed] | Prefetch[Encoded]] = [slices]
        if isinstance(frame_maker, DeviceFrames):
            encoding = encode_on_device(frame_maker, engine, words, slices)
        else:
            frames = Prefetch(
                make_frames(frame_maker, slices),
                waiting,
                name="frame",
                on_drop=_dropper(on_drop, lambda framed: framed.timed),
                stale=lambda framed: _stale(framed.timed),
                hollow=lambda framed: _hollow(framed.timed),
            )
            self._stages.append(frames)
            encoding = encode(engine, words, frames, BUDGET_US if on_drop else None)
        self._encoded = Prefetch(
            encoding,
            waiting,
            name="encode",
            on_drop=_dropper(on_drop, lambda encoded: encoded.framed.timed),
            stale=lambda encoded: _stale(encoded.framed.timed),
            hollow=lambda encoded: _hollow(encoded.framed.timed),
        )
        self._stages.append(self._encoded)

    def __iter__(self) -> Iterator[Encoded]:
        return self._encoded

    @property
    def backlog(self) -> int:
        """Slices that wait between two stages now."""
        return sum(stage.backlog for stage in self._stages)

    @property
    def nbytes(self) -> int:
        """Bytes of the slices that wait for a frame now, and of what waits to be cut."""
        return self._source.nbytes + self._stages[0].nbytes

    @property
    def stuck(self) -> str:
        """The stage that has worked on one item for more than `STUCK_S`; "" where none has.

        Of several it is the last: those before wait for it.
        """
        since = time.monotonic() - STUCK_S
        stages = zip(
            ("decode", "frame", "encode", "publish"), (self._source, *self._stages), strict=False
        )
        stuck = [name for name, stage in stages if 0.0 < stage.busy_since < since]
        return stuck[-1] if stuck else ""

    def close(self) -> bool:
        """Ends all stages at once; whether their threads have ended within `END_S`."""
        for stage in self._stages:
            stage.cancel()
        until = time.monotonic() + END_S
        ended = [stage.close(max(0.0, until - time.monotonic())) for stage in self._stages]
        return all(ended)


def _dropper(
    on_drop: Callable[[Window], None] | None, timed_of: Callable[[T], TimedSlice]
) -> Callable[[T], None] | None:
    return None if on_drop is None else lambda item: on_drop(timed_of(item).cut)


def _hollow(timed: TimedSlice) -> bool:
    """Without events: where the clock leaps, there are many at once."""
    return not timed.cut.n_events


def _stale(timed: TimedSlice) -> bool:
    return time.monotonic_ns() - timed.left_ns > BUDGET_US * 1000
