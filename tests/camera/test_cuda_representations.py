"""Histograms, voxel grids and time surfaces on a GPU, and by its kernels' code on the host."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.camera.slices import SMALL, on_host, outside, random_events, slice_of
from tests.camera.test_cuda import aligned
from tests.reference import representations as reference

from saccade.camera import _native
from saccade.camera.cuda_representations import CudaHistogram, CudaTimeSurface, CudaVoxelGrid
from saccade.camera.errors import SaccadeError
from saccade.camera.events import EVENT_DTYPE
from saccade.camera.recordings import open_recording
from saccade.camera.representations import Histogram, TimeSurface, VoxelGrid
from saccade.camera.slicing import Slice, TimeSlicer

SIZES = [(346, 260), (31, 17), (1, 1), (7, 300), (16, 5)]
TIMES = ["rising", "falling", "equal", "random"]


def check(accumulator, cut: Slice, wanted, half: bool) -> None:
    """Copied to the host, and where it lies; neither leaks into the next."""
    tolerance = {"atol": 1e-3, "rtol": 1e-3} if half else {"atol": 1e-6, "rtol": 1e-6}
    for found in (on_host(accumulator, cut), accumulator.make(cut).to_host()):
        assert (found.shape, found.dtype) == (accumulator.shape, accumulator.dtype)
        np.testing.assert_allclose(found, wanted, **tolerance)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float16])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_histogram_equals_its_definition(device, width, height, dtype) -> None:
    histogram = CudaHistogram(width, height, dtype, device=device, slot_bytes=1280)
    lost = 0
    for n in (0, 1, 1900, 300):
        events = random_events(n, width, height, seed=n)
        wanted = reference.histogram(events, width, height).astype(dtype)
        np.testing.assert_array_equal(on_host(histogram, slice_of(events)), wanted)
        np.testing.assert_array_equal(histogram.make(slice_of(events)).to_host(), wanted)
        lost += 2 * outside(events, width, height)
        assert histogram.out_of_bounds == lost
    assert histogram.saturated == 0


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("interval", ["events", "window"])
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(("bins", "width"), [(1, 61), (2, 61), (5, 61), (255, 3)])
def test_voxel_grid_equals_its_definition(device, bins, width, times, interval, half) -> None:
    height = 37
    dtype = np.float16 if half else np.float32
    grid = CudaVoxelGrid(width, height, bins, interval, dtype=dtype, device=device, slot_bytes=640)
    on_cpu = VoxelGrid(width, height, bins, interval)
    for n in (0, 1, 1700):
        events = random_events(n, width, height, times, seed=n)
        t = events["t"].astype(np.int64)
        cut = slice_of(events)
        if interval == "window" and n:  # longer than the events at one end, shorter at the other
            cut = slice_of(events, int(t.min()) - 5000, int(t.max()) - 3000)
        span = (cut.t_begin_us, cut.t_end_us) if interval == "window" else (
            (int(t.min()), int(t.max())) if n else (0, 0)
        )  # fmt: skip
        check(grid, cut, reference.voxel_grid(events, width, height, bins, *span), half)
        check(grid, cut, on_cpu.view(cut), half)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_voxels_and_surfaces_equal_their_definition_at_any_size(device, width, height) -> None:
    events = random_events(3000, width, height)
    cut, t = slice_of(events), events["t"].astype(np.int64)
    grid = CudaVoxelGrid(width, height, device=device, **SMALL)
    wanted = reference.voxel_grid(events, width, height, 5, t.min(), t.max())
    # 1e-6 of the weights that a pixel has, as for the CPU's
    weights = reference.histogram(events, width, height).sum(0)
    assert (np.abs(on_host(grid, cut) - wanted) <= 1e-6 * np.maximum(weights / 30, 1)).all()
    last = reference.last_times(np.full((2, height, width), -np.inf), events)
    for decay in ("exponential", "linear"):
        surface = CudaTimeSurface(width, height, 9999, decay, device=device, **SMALL)
        wanted = reference.time_surface(last, cut.t_end_us, decay, 9999)
        check(surface, cut, wanted, half=False)


@pytest.mark.parametrize("n", [0, 1, 2, 4000])
def test_voxel_grids_are_normalised_over_what_is_not_zero(device, n) -> None:
    cut = slice_of(random_events(n, 99, 41, seed=n))
    wanted = reference.normalise(VoxelGrid(99, 41).make(cut))
    for dtype in (np.float32, np.float16):
        grid = CudaVoxelGrid(99, 41, normalise=True, dtype=dtype, device=device, slot_bytes=6400)
        check(grid, cut, wanted, half=dtype == np.float16)
        check(grid, cut, wanted, half=dtype == np.float16)


def test_voxels_that_are_all_alike_are_normalised_to_zero(device) -> None:
    events = np.array([(10, 0, 0, 1), (10, 2, 0, 1)], EVENT_DTYPE)
    grid = CudaVoxelGrid(3, 1, 2, normalise=True, device=device, **SMALL)
    assert not on_host(grid, slice_of(events)).any()


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("decay", ["exponential", "linear"])
@pytest.mark.parametrize("times", TIMES)
def test_time_surfaces_equal_their_definition(device, times, decay, memory, half) -> None:
    width, height, tau = 53, 29, 20_000
    dtype = np.float16 if half else np.float32
    surface = CudaTimeSurface(
        width, height, tau, decay, memory, dtype, device=device, slot_bytes=640
    )
    last = np.full((2, height, width), -np.inf)
    end = 1_700_000_000_030_000
    for n in (0, 1, 900, 40, 2):
        events = random_events(n, width, height, times, seed=n)
        events["t"] += np.uint64(end - 1_700_000_000_030_000)
        if not memory:
            last[:] = -np.inf
        wanted = reference.time_surface(reference.last_times(last, events), end, decay, tau)
        check(surface, slice_of(events, end - 30_000, end), wanted, half)
        end += 30_000


@pytest.mark.parametrize("tau", [1, 1000, 30_000_000, 100_000_000])
@pytest.mark.parametrize("decay", ["exponential", "linear"])
def test_time_surfaces_fade_over_any_time(device, decay, tau) -> None:
    """Ages from none to hours, past what 32 bits of microseconds hold."""
    surface = CudaTimeSurface(5, 1, tau, decay, device=device, **SMALL)
    last = np.full((2, 1, 5), -np.inf)
    end = 0
    for x, step in enumerate([10, tau // 3, 5 * tau, 1 << 31, (1 << 32) - 7]):
        end += step
        events = np.array([(max(end - 5, 0), x, 0, x % 2)], EVENT_DTYPE)
        for cut in (slice_of(events, end - 10, end), slice_of(events[:0], end, end + tau // 2)):
            if len(cut.packets[1]):
                reference.last_times(last, events)
            end = cut.t_end_us
            check(surface, cut, reference.time_surface(last, end, decay, tau), half=False)


def test_a_clock_that_falls_empties_the_memory(device) -> None:
    surface = CudaTimeSurface(3, 1, 1000, device=device, **SMALL)
    surface.make(slice_of(np.array([(9000, 0, 0, 1)], EVENT_DTYPE), 8000, 10_000))
    after = slice_of(np.array([(100, 1, 0, 1)], EVENT_DTYPE), 0, 100)
    assert on_host(surface, after)[1, 0].tolist() == [0, 1, 0]


def test_absurd_times_are_no_harm(device) -> None:
    most = (1 << 64) - 1
    events = np.zeros(65, EVENT_DTYPE)
    events["t"] = [0, *(most >> k for k in range(64))]
    events["x"], events["on"] = np.arange(65), True
    cut = slice_of(events, -5, most + 30_000)
    for interval in ("events", "window"):
        grid = CudaVoxelGrid(65, 1, 2, interval, device=device, **SMALL)
        check(grid, cut, VoxelGrid(65, 1, 2, interval).view(cut), half=False)
    for decay in ("exponential", "linear"):
        surface = CudaTimeSurface(65, 1, 50, decay, device=device, **SMALL)
        check(surface, cut, TimeSurface(65, 1, 50, decay).view(cut), half=False)


def one_pixel(n: int) -> Slice:
    events = np.zeros(n, EVENT_DTYPE)
    events["t"] = np.arange(n)
    events["x"], events["y"], events["on"] = 5, 2, np.arange(n) % 4 > 0
    return slice_of(events)


def test_all_events_in_one_pixel(device) -> None:
    """Counters stop where the CPU's do, and say so; voxels are exact to what float32 holds."""
    n = 200_000
    cut = one_pixel(n)
    histogram, on_cpu = CudaHistogram(9, 3, device=device, **SMALL), Histogram(9, 3)
    for _ in range(2):
        np.testing.assert_array_equal(on_host(histogram, cut), on_cpu.view(cut))
    assert histogram.saturated == on_cpu.saturated == 2 * (150_000 - 65_535)
    half = CudaHistogram(9, 3, np.float16, device=device, **SMALL)
    assert on_host(half, cut)[:, 2, 5].tolist() == [49_984, 65_504]  # of 50,000
    assert half.saturated == 150_000 - 65_504
    assert on_host(CudaHistogram(9, 3, np.float32, device=device, **SMALL), cut)[1, 2, 5] == 150_000
    grid = on_host(CudaVoxelGrid(9, 3, device=device, **SMALL), cut)
    events = np.concatenate([packet.to_array() for packet in cut])
    wanted = reference.voxel_grid(events, 9, 3, 5, 0, n - 1)
    np.testing.assert_allclose(grid, wanted, rtol=1e-6, atol=1e-6)
    halves = on_host(CudaVoxelGrid(9, 3, 1, dtype=np.float16, device=device, **SMALL), cut)
    assert halves[0, 2, 5] == 65_504  # of 100,000


def test_counters_of_floats_stop_where_a_float_cannot_grow() -> None:
    device = _native.HostDevice(1, 256, 3, True)
    histogram, n = CudaHistogram(2, 1, np.float32, device=device, **SMALL), (1 << 24) + 3
    out = np.empty(histogram.shape, np.float32)
    histogram.make_packed(aligned(np.ones(n, np.uint32)), out)
    assert out[0, 0].tolist() == [0, 1 << 24]
    assert histogram.saturated == 3


def test_results_depend_on_no_order_of_the_threads() -> None:
    """Bit for bit, also with equal stamps, and sums of which floats would depend on it."""
    made: list[list[bytes]] = []
    for blocks, threads, seed in ((1, 1, 1), (3, 7, 2), (5, 64, 3), (2, 256, 4)):
        device = _native.HostDevice(blocks, threads, seed, False)
        of_seed: list[bytes] = []
        for times in ("random", "equal"):
            cut = slice_of(random_events(20_000, 7, 5, times))
            for accumulator in (
                CudaHistogram(7, 5, device=device, **SMALL),
                CudaVoxelGrid(7, 5, device=device, **SMALL),
                CudaVoxelGrid(7, 5, normalise=True, device=device, **SMALL),
                CudaTimeSurface(7, 5, 10_000, device=device, **SMALL),
            ):
                of_seed.append(on_host(accumulator, cut).tobytes())
        made.append(of_seed)
    assert all(each == made[0] for each in made)


@pytest.mark.parametrize("name", ["aedat4/davis346_lab_lz4.aedat4", "evt3/street_gen41_hd.raw"])
def test_recorded_slices_equal_the_cpus(device, shared_data: Path, name: str) -> None:
    with open_recording(shared_data / "recordings" / name) as recording:
        size = recording.width, recording.height
        pairs = (
            (CudaHistogram(*size, device=device, **SMALL), Histogram(*size)),
            (CudaVoxelGrid(*size, device=device, **SMALL), VoxelGrid(*size)),
            (CudaTimeSurface(*size, 10_000, device=device, **SMALL), TimeSurface(*size, 10_000)),
        )
        slicer = TimeSlicer(10_000)
        cuts = (cut for packet in recording.packets() for cut in slicer.feed(packet))
        for cut, _ in zip(cuts, range(3), strict=False):
            weights = np.maximum(Histogram(*size, np.float32).view(cut).sum(0) / 30, 1)
            for there, here in pairs:
                bound = 0 if isinstance(here, Histogram) else 1e-6 * weights
                found = on_host(there, cut).astype(np.float64)
                assert (np.abs(found - here.view(cut)) <= bound).all()


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda d: CudaHistogram(2049, 8, device=d), "2049x8"),
        (lambda d: CudaHistogram(8, 8, np.int32, device=d), "histogram of int32"),
        (lambda d: CudaVoxelGrid(8, 8, dtype=np.uint16, device=d), "voxels of uint16"),
        (lambda d: CudaVoxelGrid(8, 8, 256, device=d), "bins 256"),
        (lambda d: CudaVoxelGrid(8, 8, interval="slice", device=d), "slice"),
        (lambda d: CudaTimeSurface(8, 8, 0, device=d), "tau 0 us"),
        (lambda d: CudaTimeSurface(8, 8, 5, "square", device=d), "square"),
        (lambda d: CudaHistogram(8, 8, device=d, slot_bytes=10), "multiple of 64"),
    ],
)
def test_wrong_settings_are_refused_with_their_value(make, value) -> None:
    with pytest.raises(SaccadeError, match=value):
        make(_native.HostDevice(2, 5, 3, False))


def test_without_a_gpu_the_call_says_what_to_do(monkeypatch) -> None:
    monkeypatch.setattr(_native, "cuda_built", False)
    with pytest.raises(SaccadeError, match="SACCADE_CUDA=ON"):
        CudaVoxelGrid(8, 8)
