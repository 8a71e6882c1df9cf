"""Frames by other libraries, as a user of theirs makes them: run by frames.py.

    python frame_rivals.py TASK READER FILE WINDOW_US WIDTH HEIGHT

prints the same as frame_ours.py, whose tasks these are. It imports nothing of saccade, so that it
runs in an environment of its own. A frame is count / (largest + 1), float32 at the sensor's size:
none of them resizes it.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

MEMORY_SLICES, MEMORY_PASSES, EMPTY_FRAMES = 50, 10, 200
TIMED_S = 0.3  # as turns.py has it
Done = tuple[int, int]  # events, frames
Columns = tuple[Any, Any, Any]  # t, x, y


class Sensor:
    """The size of frames, and the frame made last."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.frame = np.empty((height, width), np.float32)

    def finish(self, counts: Any) -> None:
        """Normalises counts of any type, into the same array."""
        counts = counts.reshape(self.height, self.width)
        np.multiply(counts, np.float32(1 / (float(counts.max()) + 1)), self.frame, casting="unsafe")

    def bincount(self, x: Any, y: Any) -> None:
        pixel = y.astype(np.int64) * self.width + x
        self.finish(np.bincount(pixel, minlength=self.width * self.height))

    def add_at(self, x: Any, y: Any) -> None:
        counts = np.zeros(self.width * self.height, np.uint32)
        np.add.at(counts, y.astype(np.int64) * self.width + x, np.uint32(1))
        self.finish(counts)


def edge_map(sensor: Sensor) -> Callable[[Any], None]:
    """dv's accumulator, a grey value for each event, up to 255 a pixel."""
    import dv_processing as dv

    accumulator = dv.EdgeMapAccumulator((sensor.width, sensor.height), contribution=1 / 255)

    def add(events: Any) -> None:
        if events is not None:
            accumulator.accept(events)
        sensor.finish(accumulator.generateFrame().image)

    return add


def accumulator(sensor: Sensor) -> Callable[[Any], None]:
    """dv's other accumulator, set to count in the same way."""
    import dv_processing as dv

    potentials = dv.Accumulator((sensor.width, sensor.height))
    potentials.setDecayFunction(dv.Accumulator.Decay.NONE)
    potentials.setEventContribution(1 / 255)
    potentials.setMaxPotential(1.0)
    potentials.setIgnorePolarity(True)

    def add(events: Any) -> None:
        if events is not None:
            potentials.accept(events)
        sensor.finish(potentials.generateFrame().image)
        potentials.clear()

    return add


def dv_file(path: str, window_us: int, add: Callable[[Any], None]) -> Done:
    """Through dv's slicer, which never gives the last window."""
    import dv_processing as dv

    done = [0, 0]

    def slice_done(events: Any) -> None:
        add(events)
        done[0] += events.size()
        done[1] += 1

    slicer = dv.EventStreamSlicer()
    slicer.doEveryTimeInterval(datetime.timedelta(microseconds=window_us), slice_done)
    reader = dv.io.MonoCameraRecording(path)
    while reader.isRunning():
        events = reader.getNextEventBatch()
        if events is not None:
            slicer.accept(events)
    return done[0], done[1]


def faery(path: str) -> Iterator[Columns]:
    import faery as library

    for batch in library.events_stream_from_file(path):
        yield batch["t"], batch["x"], batch["y"]


def expelliarmus(path: str) -> Iterator[Columns]:
    from expelliarmus import Wizard

    wizard = Wizard(encoding=path.rsplit(".", 2)[-2], chunk_size=65_536)
    wizard.set_file(path)
    for batch in wizard.read_chunk():
        yield batch["t"], batch["x"], batch["y"]


def cut_file(batches: Iterator[Columns], window_us: int, sensor: Sensor) -> Done:
    """Windows out of batches, each counted by bincount."""
    parts: list[tuple[Any, Any]] = []
    events = frames = 0
    end = None

    def finish() -> None:
        nonlocal events, frames, parts
        x, y = (np.concatenate(column) for column in zip(*parts, strict=True))
        sensor.bincount(x, y)
        events, frames, parts = events + len(x), frames + 1, []

    for t, x, y in batches:
        end = end or int(t[0]) + window_us
        start = 0
        while int(t[-1]) >= end:
            at = int(np.searchsorted(t, end))
            parts.append((x[start:at], y[start:at]))
            finish()
            start, end = at, end + window_us
        parts.append((x[start:], y[start:]))
    finish()
    return events, frames


def eventcv(path: str, window_us: int, sensor: Sensor) -> Done:
    import eventcv as library

    events = frames = 0
    for window in library.open(path, dt_us=window_us).windows():
        counts = window.count().numpy()
        sensor.finish(counts)
        events, frames = events + int(counts.sum()), frames + 1
    return events, frames


def file_task(reader: str, path: str, window_us: int, sensor: Sensor) -> Callable[[], Done]:
    tasks: dict[str, Callable[[], Done]] = {
        "dv_edge_map": lambda: dv_file(path, window_us, edge_map(sensor)),
        "dv_accumulator": lambda: dv_file(path, window_us, accumulator(sensor)),
        "faery_bincount": lambda: cut_file(faery(path), window_us, sensor),
        "expelliarmus_bincount": lambda: cut_file(expelliarmus(path), window_us, sensor),
        "eventcv": lambda: eventcv(path, window_us, sensor),
    }
    return tasks[reader]


def memory_task(reader: str, path: str, window_us: int, sensor: Sensor) -> Callable[[], Done]:
    """Frames of the recording's first slices: dv's stores of events, or columns."""
    slices: list[Any] = []

    def keep(events: Any) -> None:
        if len(slices) < MEMORY_SLICES:
            slices.append(events)

    dv_file(path, window_us, keep)
    n = sum(events.size() for events in slices)
    if reader == "dv_edge_map":
        add = edge_map(sensor)
    else:
        columns = [events.coordinates().T.astype(np.uint16) for events in slices]
        slices[:] = [(column[0].copy(), column[1].copy()) for column in columns]
        count = {"numpy_add_at": sensor.add_at, "numpy_bincount": sensor.bincount}[reader]

        def add(events: Any) -> None:
            count(*events)

    def work() -> Done:
        for events in slices * MEMORY_PASSES:
            add(events)
        return MEMORY_PASSES * n, MEMORY_PASSES * len(slices)

    return work


def empty_task(reader: str, sensor: Sensor) -> Callable[[], Done]:
    nothing = np.empty(0, np.uint16)
    dv = edge_map(sensor) if reader == "dv_edge_map" else None

    def work() -> Done:
        for _ in range(EMPTY_FRAMES):
            if dv:
                dv(None)
            else:
                sensor.bincount(nothing, nothing)
        return 0, EMPTY_FRAMES

    return work


def main() -> None:
    task, reader, path, window_us, width, height = sys.argv[1:]
    sensor, window = Sensor(int(width), int(height)), int(window_us)
    work = {
        "file": lambda: file_task(reader, path, window, sensor),
        "memory": lambda: memory_task(reader, path, window, sensor),
        "empty": lambda: empty_task(reader, sensor),
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
