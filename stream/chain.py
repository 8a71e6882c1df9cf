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
from saccade.stream.replay import Replay, TimedSlice
from saccade.stream.stages import encode, make_frames

T = TypeVar("T")

SLICE_QUEUE = 8  # slices that may wait for a frame, and how much memory they may hold:
SLICE_QUEUE_BYTES = 256 << 20
FRAME_QUEUE = 2  # frames, and results, that may wait
#: At a set speed a slice that left the source this long ago is dropped where a newer one waits.
BUDGET_US = 50_000


class Chain:
    """The stages, a thread and a bounded queue each; iterate it for what they make."""

    def __init__(
        self,
        replay: Replay,
        frame_maker: FrameMaker | DeviceFrames,
        engine: Engine,
        words: LiveWords,
        on_drop: Callable[[Window], None] | None,
    ) -> None:
        """Starts at once.

        Where there is an `on_drop`, slices that wait for too long are dropped and it is told of
        each; else a slow stage makes those before it wait.
        """

        slices = Prefetch(
            replay,
            SLICE_QUEUE,
            name="decode",
            on_drop=_dropper(on_drop, lambda timed: timed),
            stale=_stale,
            max_bytes=SLICE_QUEUE_BYTES,
            nbytes=lambda timed: timed.cut.nbytes,
        )
        self._stages: list[Prefetch[TimedSlice] | Prefetch[Framed] | Prefetch[Encoded]] = [slices]
        if isinstance(frame_maker, DeviceFrames):
            encoding = encode_on_device(frame_maker, engine, words, slices)
        else:
            frames = Prefetch(
                make_frames(frame_maker, slices),
                FRAME_QUEUE,
                name="frame",
                on_drop=_dropper(on_drop, lambda framed: framed.timed),
                stale=lambda framed: _stale(framed.timed),
            )
            self._stages.append(frames)
            encoding = encode(engine, words, frames)
        self._encoded = Prefetch(
            encoding,
            FRAME_QUEUE,
            name="encode",
            on_drop=_dropper(on_drop, lambda encoded: encoded.framed.timed),
            stale=lambda encoded: _stale(encoded.framed.timed),
        )
        self._stages.append(self._encoded)

    def __iter__(self) -> Iterator[Encoded]:
        return self._encoded

    @property
    def backlog(self) -> int:
        """Slices that wait between two stages now."""
        return sum(stage.backlog for stage in self._stages)

    def close(self) -> None:
        """Ends all stages at once, and waits for their threads."""
        for stage in self._stages:
            stage.cancel()
        for stage in self._stages:
            stage.close()


def _dropper(
    on_drop: Callable[[Window], None] | None, timed_of: Callable[[T], TimedSlice]
) -> Callable[[T], None] | None:
    return None if on_drop is None else lambda item: on_drop(timed_of(item).cut)


def _stale(timed: TimedSlice) -> bool:
    return time.monotonic_ns() - timed.left_ns > BUDGET_US * 1000
