"""One engine of saccade's, timed: run by engines.py, in a process of its own.

    python -m benchmarks.engine_ours ENGINE MODEL PRECISION THREADS BATCH RUNS FRAMES OUT
    python -m benchmarks.engine_ours overhead MODEL

prints one JSON object: wall and CPU milliseconds of each run. Embeddings of all frames go to OUT.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import ROOT

SAMPLE = ROOT / "camera" / "samples" / "three_objects.aedat4"


def timed(run: Callable[[], object], runs: int) -> dict[str, list[float]]:
    """Wall and CPU milliseconds of each run, after ten that do not count."""
    for _ in range(10):
        run()
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(runs):
        begun = time.process_time(), time.perf_counter()
        run()
        wall.append((time.perf_counter() - begun[1]) * 1e3)
        cpu.append((time.process_time() - begun[0]) * 1e3)
    return {"wall_ms": wall, "cpu_ms": cpu}


def open_engine(name: str, folder: str, precision: Any, threads: int, batch: int) -> Any:
    """An engine of saccade's; torch takes its threads from OMP_NUM_THREADS."""
    from saccade.engines.models import load_model

    if name == "torch":
        from saccade.engines.torch import TorchEngine

        return TorchEngine(load_model(folder), batch, "cpu", precision)
    from saccade.engines.onnx import OnnxEngine

    return OnnxEngine(load_model(folder), batch, threads, precision)


def embed(engine: Any, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [N, D] of frames [N, size, size], one at a time."""
    rows: list[NDArray[np.float32]] = []
    for frame in frames:
        engine.input[0] = frame
        engine.run(1)
        rows.append(engine.output[0].copy())
    return np.stack(rows)


class Stopwatch:
    """A session that notes how long each run takes, so that the rest of a label's time is known."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.times_us: list[float] = []

    def run_with_iobinding(self, binding: Any) -> None:
        begun = time.perf_counter_ns()
        self._session.run_with_iobinding(binding)
        self.times_us.append((time.perf_counter_ns() - begun) / 1000)


def overhead(folder: str) -> dict[str, list[float]]:
    """Microseconds from a frame to its labels that are not the session's, slice by slice.

    As they are in a pipeline, which reads the sample recording by its clock.
    """
    from saccade.engines.models import load_model
    from saccade.engines.onnx import OnnxEngine
    from saccade.stream.pipeline import Pipeline

    model = load_model(folder)
    engine = OnnxEngine(model)
    watch: Any = Stopwatch(engine._session)
    engine._session = watch
    with Pipeline(SAMPLE, model=model, engine=engine, window=30_000, speed=1.0) as pipeline:
        stages = [prediction.timing.stage_us for prediction in pipeline]
    ran = watch.times_us[-len(stages) :]
    rest = [s["encode"] + s["label"] - own for s, own in zip(stages, ran, strict=True)]
    return {"overhead_us": rest, "session_us": ran, "label_us": [s["label"] for s in stages]}


def main() -> None:
    """The command."""
    name, folder, *rest = sys.argv[1:]
    if name == "overhead":
        print(json.dumps(overhead(folder)))
        return
    precision, threads, batch, runs, frames_path, out = rest
    engine = open_engine(name, folder, precision, int(threads), int(batch))
    frames = np.load(frames_path)
    embeddings = embed(engine, frames)
    np.save(out, embeddings)
    engine.input[:] = frames[0]
    print(json.dumps(timed(lambda: engine.run(int(batch)), int(runs))))


if __name__ == "__main__":
    main()
