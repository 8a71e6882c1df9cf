"""Frames by saccade, as frames.py times them.

    python -m benchmarks.frame_ours TASK FILE WINDOW_US COUNTING [THREADS]

prints one JSON object: the events and the frames of one run that warms up, and the CPU and wall
seconds of those that follow it for `TIMED_S`. TASK is `file` (bytes to frames), `memory` (columns
to frames) or `empty` (frames of no event). Frames are of the kind `paper`, 224x224.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import cast, get_args

import numpy as np

from benchmarks.turns import TIMED_S
from saccade.camera.frames import Counting, FrameMaker, FrameSpec
from saccade.camera.fused import SliceFramer
from saccade.camera.recordings import open_recording
from saccade.camera.slicing import Slice, TimeSlicer

SIZE = 224
MEMORY_SLICES, MEMORY_PASSES, EMPTY_FRAMES = 50, 10, 2000


def frames_of(
    recording_path: str, window_us: int, counting: Counting, threads: int = 1
) -> tuple[int, int]:
    """The events and the frames of a recording, each frame finished in the same array."""
    out = np.empty((SIZE, SIZE), np.float32)
    with open_recording(recording_path) as recording:
        spec = FrameSpec("paper", SIZE, counting)
        framer = SliceFramer(FrameMaker(recording.width, recording.height, spec), window_us)
        frames = sum(1 for _ in framer.pass_over(recording, out, threads))
    return framer.events, frames


def memory_task(path: str, window_us: int, counting: Counting) -> Callable[[], tuple[int, int]]:
    """Frames of the recording's first slices, which are in memory, time and again.

    Once takes 3 ms of a small sensor's, most of which the processor learns the loops' branches.
    """
    slices: list[Slice] = []
    with open_recording(path) as recording:
        slicer = TimeSlicer(window_us)
        for packet in recording.packets():
            slices += slicer.feed(packet)
            if len(slices) >= MEMORY_SLICES:
                break
        maker = FrameMaker(recording.width, recording.height, FrameSpec("paper", SIZE, counting))
    slices = slices[:MEMORY_SLICES]
    out = np.empty((SIZE, SIZE), np.float32)

    def work() -> tuple[int, int]:
        for cut in slices * MEMORY_PASSES:
            maker.make(cut.packets, out)
        return MEMORY_PASSES * sum(cut.n_events for cut in slices), MEMORY_PASSES * len(slices)

    return work


def empty_task(path: str, counting: Counting) -> Callable[[], tuple[int, int]]:
    """Frames of no event, for the recording's sensor."""
    with open_recording(path) as recording:
        maker = FrameMaker(recording.width, recording.height, FrameSpec("paper", SIZE, counting))
    out = np.empty((SIZE, SIZE), np.float32)

    def work() -> tuple[int, int]:
        for _ in range(EMPTY_FRAMES):
            maker.make((), out)
        return 0, EMPTY_FRAMES

    return work


def main() -> None:
    task, path, window_us, counting, *more = sys.argv[1:]
    threads = int(more[0]) if more else 1
    assert counting in get_args(Counting)
    kind, window = cast(Counting, counting), int(window_us)
    work: Callable[[], tuple[int, int]] = {
        "file": lambda: lambda: frames_of(path, window, kind, threads),
        "memory": lambda: memory_task(path, window, kind),
        "empty": lambda: empty_task(path, kind),
    }[task]()
    events, frames = work()
    cpu, wall = list[float](), list[float]()
    while not wall or sum(wall) < TIMED_S:
        begun = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
    print(json.dumps({"events": events, "frames": frames, "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main()
