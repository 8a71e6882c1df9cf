"""Speed of histograms, voxel grids and time surfaces, beside numpy, tonic and dv-processing.

`python -m benchmarks.representations [--rivals PYTHON] [--share 0.05]` cuts the scenes of
benchmarks/scenes.py into slices of 10 ms and writes `benchmarks/records/representations.json`: CPU
time on one thread, medians over the slices of the fastest round. `view` is the accumulator's own
memory, `make` fills an array that is given. PYTHON is the interpreter of an environment with numpy,
and with `pip install tonic==1.7.0 dv-processing==2.0.4` where these are to be compared. Their
arrays differ: tonic's voxel grids have float64 and another scale of time, its surfaces float64; and
dv-processing's surface is 8 bits of both polarities together.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, write_record
from benchmarks.scenes import D346, HD, Scene, packets
from saccade.camera.representations import Histogram, TimeSurface, VoxelGrid
from saccade.camera.slicing import Slice, TimeSlicer

SCENES = {"1280x720": HD, "346x260": D346}
WINDOW_US, TAU_US = 10_000, 30_000
KINDS: dict[str, Callable[[int, int], Any]] = {
    "histogram": Histogram,
    "histogram_float32": lambda w, h: Histogram(w, h, np.float32),
    "voxel_grid": VoxelGrid,
    "voxel_grid_normalised": lambda w, h: VoxelGrid(w, h, normalise=True),
    "time_surface": lambda w, h: TimeSurface(w, h, TAU_US),
    "time_surface_linear": lambda w, h: TimeSurface(w, h, TAU_US, "linear"),
}


def seconds(make: Callable[[Slice], object], cuts: list[Slice], rounds: int) -> float:
    """Median CPU seconds of a slice in the fastest round."""
    best: list[float] = []
    for _ in range(rounds):
        times: list[float] = []
        for cut in cuts:
            begun = time.thread_time()
            make(cut)
            times.append(time.thread_time() - begun)
        best.append(statistics.median(times))
    return min(best)


def measure(scene: Scene, cuts: list[Slice], make: Callable[[int, int], Any], rounds: int) -> Any:
    """One kind on one scene: a slice's time, an empty one's, and page faults per slice."""
    accumulator = make(scene.width, scene.height)
    out = np.zeros(accumulator.shape, accumulator.dtype)
    n = statistics.median(cut.n_events for cut in cuts)
    end = cuts[-1].t_end_us
    row: dict[str, Any] = {}
    for name, way in {
        "view": accumulator.view,
        "make": lambda cut: accumulator.make(cut, out),
    }.items():
        seconds(way, cuts, 1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        busy = seconds(way, cuts, rounds)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        far = end + 100 * TAU_US  # where every surface has faded
        empty = [Slice(far + k, far + k + 1, 0, 0, ()) for k in range(50)]
        row[name] = {
            "mev_s": round(n / busy / 1e6, 1),
            "us": round(busy * 1e6, 1),
            "empty_us": round(seconds(way, empty, 3) * 1e6, 1),
            "faults_per_slice": round(faults / (rounds * len(cuts)), 2),
        }
    return row


def compare(scene: Scene, cuts: list[Slice], python: str, folder: Path) -> Any:
    """The rivals on the same slices, million events per second of CPU time."""
    path = folder / "events.npz"
    columns = {
        name: np.concatenate([getattr(packet, name) for cut in cuts for packet in cut])
        for name in ("t", "x", "y", "on")
    }
    sizes = [cut.n_events for cut in cuts]
    np.savez(
        path, **columns, first=np.cumsum([0, *sizes]), t_end_us=[cut.t_end_us for cut in cuts],
        width=scene.width, height=scene.height, tau_us=TAU_US,
    )  # fmt: skip
    script = Path(__file__).with_name("representation_rivals.py")
    done = subprocess.run(
        [python, str(script), str(path)], capture_output=True, text=True, check=True
    )
    n = statistics.median(sizes)
    found = json.loads(done.stdout)
    return {
        kind: {name: round(n / busy / 1e6, 1) for name, busy in ways.items()}
        for kind, ways in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rivals", default=sys.executable, help="their interpreter")
    parser.add_argument("--share", type=float, default=0.1, help="of the scenes' durations")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    content: dict[str, Any] = {"window_us": WINDOW_US, "tau_us": TAU_US, "scenes": {}}
    with tempfile.TemporaryDirectory() as folder:
        for size, scene in SCENES.items():
            slicer = TimeSlicer(WINDOW_US)
            cuts = [cut for p in packets(scene, options.share) for cut in slicer.feed(p)]
            table = {kind: measure(scene, cuts, m, options.rounds) for kind, m in KINDS.items()}
            for kind, rivals in compare(scene, cuts, options.rivals, Path(folder)).items():
                table[kind]["rivals_mev_s"] = rivals
            table["events_per_slice"] = statistics.median(cut.n_events for cut in cuts)
            content["scenes"][size] = table
            print(size, json.dumps(table, indent=1), flush=True)
    print(write_record("representations", content).relative_to(ROOT))


if __name__ == "__main__":
    main()
