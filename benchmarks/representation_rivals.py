"""Histograms, voxel grids and time surfaces with other libraries: run by representations.py.

    python representation_rivals.py EVENTS.npz

prints one JSON object: CPU seconds for a slice of each way that is installed. EVENTS holds columns
t, x, y, on, the index of each slice's first event (and the end), the slices' ends in us, width,
height and tau_us. It imports nothing of saccade, so that it runs in an environment of its own.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise

import numpy as np

BINS = 5
ROUNDS = 3


class Slices:
    """The slices; what other libraries make of their columns before they begin is not timed."""

    def __init__(self, path: str) -> None:
        with np.load(path) as file:
            t, x, y, on = (file[name] for name in ("t", "x", "y", "on"))
            first = file["first"]
            self.ends = file["t_end_us"].tolist()
            self.width, self.height = int(file["width"]), int(file["height"])
            self.tau_us = float(file["tau_us"])
        parts = [slice(a, b) for a, b in pairwise(first)]
        self.columns = [(t[part], x[part], y[part], on[part]) for part in parts]


def numpy_histogram(s: Slices) -> Callable[[int], object]:
    def make(k: int) -> object:
        _, x, y, on = s.columns[k]
        cells = (on * np.int64(s.height) + y) * s.width + x
        return np.bincount(cells, minlength=2 * s.height * s.width).astype(np.uint16)

    return make


def numpy_voxel_grid(s: Slices) -> Callable[[int], object]:
    plane = s.height * s.width

    def make(k: int) -> object:
        t, x, y, on = s.columns[k]
        moment = (t - t[0]) * ((BINS - 1) / (t[-1] - t[0]))
        pair = np.minimum(moment.astype(np.int64), BINS - 2)
        cells, later = pair * plane + y * np.int64(s.width) + x, moment - pair
        sign = np.where(on, 1.0, -1.0)
        grid = np.bincount(cells, sign * (1 - later), BINS * plane)
        grid += np.bincount(cells + plane, sign * later, BINS * plane)
        return grid.astype(np.float32)

    return make


def numpy_time_surface(s: Slices) -> Callable[[int], object]:
    last = np.full((2, s.height, s.width), -np.inf, np.float32)

    def make(k: int) -> object:
        t, x, y, on = s.columns[k]
        last[on.view(np.uint8), y, x] = t
        return np.exp((last - s.ends[k]) / np.float32(s.tau_us))

    return make


def _tonic_events(s: Slices) -> list[np.ndarray]:
    kind = np.dtype([("t", "i8"), ("x", "i8"), ("y", "i8"), ("p", "i8")])
    out = []
    for columns in s.columns:
        events = np.empty(len(columns[0]), kind)
        for name, column in zip("txyp", columns, strict=True):
            events[name] = column
        out.append(events)
    return out


def tonic_histogram(s: Slices) -> Callable[[int], object]:
    from tonic.functional import to_frame_numpy

    size, events = (s.width, s.height, 2), _tonic_events(s)
    return lambda k: to_frame_numpy(events[k], size, n_event_bins=1)


def tonic_voxel_grid(s: Slices) -> Callable[[int], object]:
    from tonic.functional import to_voxel_grid_numpy

    size, events = (s.width, s.height, 2), _tonic_events(s)
    return lambda k: to_voxel_grid_numpy(events[k], size, BINS)


def tonic_time_surface(s: Slices) -> Callable[[int], object]:
    from tonic.functional import to_timesurface_numpy

    size, events = (s.width, s.height, 2), _tonic_events(s)
    # One surface of the whole slice: with a window that ends before its last event it makes one.
    spans = [int(e["t"][-1] - e["t"][0]) for e in events]
    return lambda k: to_timesurface_numpy(events[k], size, spans[k], s.tau_us)


def dv_time_surface(s: Slices) -> Callable[[int], object]:
    import dv_processing as dv

    stores = []
    for t, x, y, on in s.columns:
        store = dv.EventStore()
        for event in zip(t.tolist(), x.tolist(), y.tolist(), on.tolist(), strict=True):
            store.push_back(*event)
        stores.append(store)
    surface = dv.TimeSurface(
        (s.width, s.height)
    )  # one plane for both polarities, 8 bits, min to max

    def make(k: int) -> object:
        surface.accept(stores[k])
        return surface.generateFrame().image

    return make


WAYS = {
    "histogram": {"numpy": numpy_histogram, "tonic": tonic_histogram},
    "voxel_grid": {"numpy": numpy_voxel_grid, "tonic": tonic_voxel_grid},
    "time_surface": {
        "numpy": numpy_time_surface,
        "tonic": tonic_time_surface,
        "dv_processing": dv_time_surface,
    },
}


def once(make: Callable[[int], object], n: int) -> float:
    """Median CPU seconds of a slice in one round."""
    seconds = []
    for k in range(n):
        begun = time.process_time()
        make(k)
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds)


def main() -> None:
    slices = Slices(sys.argv[1])
    found: dict[str, dict[str, float]] = {kind: {} for kind in WAYS}
    for kind, ways in WAYS.items():
        for library, way in ways.items():
            if find_spec(library) is None:
                continue
            make = way(slices)
            make(0)
            found[kind][library] = min(once(make, len(slices.columns)) for _ in range(ROUNDS))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
