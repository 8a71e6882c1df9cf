"""Histograms, voxel grids and time surfaces of a GPU against those of the CPU, and their times.

`benchmarks.gpu_parity` checks by it, and every difference is an AssertionError; `benchmarks.
gpu_timing` times by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.gpu_driver import Array, Driver
from saccade.camera.cuda_representations import CudaHistogram, CudaTimeSurface, CudaVoxelGrid
from saccade.camera.events import Packet
from saccade.camera.representations import Histogram, TimeSurface
from saccade.camera.slicing import Slice

TAU_US, BINS = 10_000, 5
MOST_HALF = 65_504
Figure = dict[str, float]


def slice_of(p: Packet) -> Slice:
    """All events, in a window that holds them."""
    n = len(p)
    begin, end = (int(p.t.min()), int(p.t.max()) + 1) if n else (0, 1)
    return Slice(begin, end, 0, n, (p[: n // 3], p[n // 3 :]))


def on_device(driver: Driver, cut: Slice) -> tuple[Array, Array]:
    """A slice's events, packed, and their times since its begin."""
    t, x, y, on = (np.concatenate([getattr(p, c) for p in cut]) for c in ("t", "x", "y", "on"))
    events = x & 0x7FF | (y.astype(np.uint32) & 0x7FF) << 11 | on.astype(np.uint32) << 22
    events |= np.where((x | y) >= 2048, np.uint32(1 << 23), np.uint32(0))
    return Array(driver, events), Array(driver, (t - np.uint64(cut.t_begin_us)).astype(np.uint32))


def voxels_of(cut: Slice, width: int, height: int, interval: str, normalise: bool) -> np.ndarray:
    """float64 [BINS, H, W]: the definition of `VoxelGrid`, summed in double precision."""
    t, x, y, on = (np.concatenate([getattr(p, c) for p in cut]) for c in ("t", "x", "y", "on"))
    begin, end = cut.t_begin_us, cut.t_end_us
    if interval == "events" and len(t):
        begin, end = int(t.min()), int(t.max())
    inside = (x < width) & (y < height)
    pixel = y[inside].astype(np.int64) * width + x[inside]
    after = (t[inside].astype(np.int64) - begin).astype(np.float64)
    moment = after * (BINS - 1) / (end - begin) if end > begin else after * 0
    pair = np.minimum(moment.astype(np.int64), BINS - 2)
    sign, pixels = np.where(on[inside], 1.0, -1.0), width * height
    grid = np.zeros(BINS * pixels)
    for step, weight in ((0, 1 - (moment - pair)), (1, moment - pair)):
        at = (pair + step) * pixels + pixel
        grid += np.bincount(at, sign * weight, minlength=len(grid))
    if normalise:
        there = np.abs(grid) > 2.0**-24  # less may be left of weights that cancel
        values = grid[there]
        grid = np.zeros_like(grid)
        if len(values):
            grid[there] = (values - values.mean()) / (values.std() or 1)
    return grid.reshape(BINS, height, width)


def _check(accumulator: Any, packed: tuple[Any, ...], cut: Slice, wanted: np.ndarray) -> int:
    """From the host, from the device, and as a graph, twice; gives the number of checks."""
    wanted = wanted.astype(np.float64)
    tolerance = {"uint16": 0.0, "float32": 1e-6, "float16": 1e-3}[accumulator.dtype.name]
    if accumulator.dtype == np.float16:
        wanted = np.clip(wanted, -MOST_HALF, MOST_HALF)
    bound = tolerance * np.maximum(np.abs(wanted), 1)
    graph = accumulator.capture()
    out = np.empty(accumulator.shape, accumulator.dtype)
    for _ in range(2):
        for found in (
            accumulator.make(cut, out),
            accumulator.make_packed(*packed).to_host(),
            accumulator.make_packed(*packed, graph=graph).to_host(),
        ):
            assert (np.abs(found - wanted) <= bound).all()
    return 1


def check_slice(driver: Driver, p: Packet, width: int, height: int) -> int:
    """Every kind and type of a slice against the CPU's; gives the number of checks."""
    cut, checks = slice_of(p), 0
    window = cut.t_begin_us, cut.t_end_us
    events, times = on_device(driver, cut)
    slot_bytes = 1 << 20
    for dtype in (np.uint16, np.float32, np.float16):
        counts = Histogram(width, height, dtype if dtype != np.float16 else np.float32)
        there = CudaHistogram(width, height, dtype, slot_bytes=slot_bytes)
        checks += _check(there, (events,), cut, counts.make(cut))
    for dtype in (np.float32, np.float16):
        for interval in ("events", "window"):
            for normalise in (False, True):
                grid = CudaVoxelGrid(
                    width, height, BINS, interval, normalise, dtype, slot_bytes=slot_bytes
                )
                wanted = voxels_of(cut, width, height, interval, normalise)
                checks += _check(grid, (events, times, window[1] - window[0]), cut, wanted)
        for decay in ("exponential", "linear"):
            wanted = TimeSurface(width, height, TAU_US, decay, memory=False).make(cut)
            surface = CudaTimeSurface(
                width, height, TAU_US, decay, False, dtype, slot_bytes=slot_bytes
            )
            checks += _check(surface, (events, times, *window), cut, wanted)
    return checks


def array_figures(driver: Driver, p: Packet, width: int, height: int) -> dict[str, Any]:
    """One slice to each kind of array, in float16: from the device, as a graph, from the host."""
    cut = slice_of(p)
    window = cut.t_begin_us, cut.t_end_us
    events, times = on_device(driver, cut)
    length, made = window[1] - window[0], {"dtype": np.float16, "slot_bytes": 1 << 25}
    voxels = {
        f"voxel_grid, {interval}{', normalised' if normalise else ''}": (
            CudaVoxelGrid(width, height, BINS, interval, normalise, **made),
            (events, times, length),
        )
        for interval in ("events", "window")
        for normalise in (False, True)
    }
    surface = CudaTimeSurface(width, height, TAU_US, **made)
    kinds = {"histogram": (CudaHistogram(width, height, **made), (events,))} | voxels
    kinds |= {"time_surface": (surface, (events, times, *window))}
    found: dict[str, Any] = {}
    for name, (accumulator, packed) in kinds.items():
        found[name] = {
            key: rated(figure, len(p)) for key, figure in _timed(driver, accumulator, packed, cut)
        }
    return found


def _timed(
    driver: Driver, accumulator: Any, packed: tuple[Any, ...], cut: Slice
) -> list[tuple[str, Figure]]:
    graph, stream = accumulator.capture(), accumulator.stream
    work = {
        "device": lambda: accumulator.make_packed(*packed),
        "device, graph": lambda: accumulator.make_packed(*packed, graph=graph),
        "host": lambda: accumulator.make(cut),
    }
    return [
        (name, driver.microseconds(task, stream, hold=name != "host"))
        for name, task in work.items()
    ]


def rated(figure: Figure, n_events: int) -> dict[str, Any]:
    """A figure with its events per second."""
    gev_s = n_events / figure["median_us"] / 1000
    return figure | {"events": n_events, "gev_s": round(gev_s, 2)}


def torch_voxels(driver: Driver, p: Packet, width: int, height: int) -> Figure | None:
    """The usual voxel grid with torch on the same GPU: `index_add_` of float32, both neighbours."""
    try:
        import torch
    except ImportError:
        return None
    cut = slice_of(p)
    pixel = torch.from_numpy(p.y.astype(np.int64) * width + p.x).cuda()
    t = torch.from_numpy((p.t - np.uint64(cut.t_begin_us)).astype(np.float32)).cuda()
    sign = torch.from_numpy(np.where(p.on, 1, -1).astype(np.float32)).cuda()
    grid = torch.zeros(BINS * width * height, device="cuda")

    def work() -> None:
        grid.zero_()
        moment = (t - t.min()) * ((BINS - 1) / (t.max() - t.min()))
        pair = moment.long().clamp_(max=BINS - 2)
        later, at = moment - pair, pair * (width * height) + pixel
        grid.index_add_(0, at, sign * (1 - later))
        grid.index_add_(0, at + width * height, sign * later)

    return driver.microseconds(work, torch.cuda.current_stream().cuda_stream)
