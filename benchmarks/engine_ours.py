"""One engine of saccade's, timed: run by engines.py, in a process of its own.

    python -m benchmarks.engine_ours ENGINE MODEL PRECISION THREADS BATCH RUNS FRAMES OUT
    python -m benchmarks.engine_ours overhead MODEL PRECISION

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
    if name == "openvino":
        from saccade.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(load_model(folder), batch, threads, precision)
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
    """A session that notes how long its last run took, so that the rest of a label's is known."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.last_us = 0.0

    def run_with_iobinding(self, binding: Any) -> None:
        begun = time.perf_counter_ns()
        self._session.run_with_iobinding(binding)
        self.last_us = (time.perf_counter_ns() - begun) / 1000


def overhead(folder: str, precision: Any) -> dict[str, list[float]]:
    """Microseconds from a frame to its labels that are not the session's, slice by slice.

    As they are in a pipeline, which reads the sample recording by its clock: first until the
    encoder's thread has the frame (`handed_us`, where that thread waited for it), then without the
    session's run (`overhead_us`). A slice is known by its end, since others may be dropped.
    """
    from saccade.engines.models import load_model
    from saccade.engines.onnx import OnnxEngine
    from saccade.stream import chain, stages
    from saccade.stream.pipeline import Pipeline

    made_ns: dict[int, int] = {}
    begun_ns: dict[int, int] = {}
    session_us: dict[int, float] = {}
    make_frames = chain.make_frames

    def noted_frames(maker: Any, slices: Any) -> Any:
        for framed in make_frames(maker, slices):
            made_ns[framed.timed.cut.t_end_us] = time.perf_counter_ns()
            yield framed

    class Noted(stages.Labelling):
        def prepare(self) -> None:
            self.begun_ns = time.perf_counter_ns()
            super().prepare()

        def __call__(self, embedding: Any, cut: Any, row: int = 0) -> Any:
            begun_ns[cut.t_end_us], session_us[cut.t_end_us] = self.begun_ns, watch.last_us
            return super().__call__(embedding, cut, row)

    chain.make_frames, stages.Labelling = noted_frames, Noted
    model = load_model(folder)
    engine = OnnxEngine(model, precision=precision)
    watch: Any = Stopwatch(engine._session)
    engine._session = watch
    with Pipeline(SAMPLE, model=model, engine=engine, window=30_000, speed=1.0) as pipeline:
        us = {prediction.t_end_us: prediction.timing.stage_us for prediction in pipeline}
    handed = [(begun_ns[t] - made_ns[t]) / 1000 for t in us]
    return {
        "handed_us": [wait for wait in handed if wait < 1000],  # else it was busy
        "overhead_us": [s["encode"] + s["label"] - session_us[t] for t, s in us.items()],
        "session_us": [session_us[t] for t in us],
        "label_us": [s["label"] for s in us.values()],
    }


def main() -> None:
    """The command."""
    name, folder, *rest = sys.argv[1:]
    if name == "overhead":
        print(json.dumps(overhead(folder, rest[0])))
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
