"""Histograms, voxel grids and time surfaces: equal to their numpy definitions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.camera.slices import outside, random_events, slice_of
from tests.reference import representations as reference

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.recordings import open_recording
from saccade.camera.representations import (
    MAX_BINS,
    MAX_TAU_US,
    Accumulator,
    Histogram,
    TimeSurface,
    VoxelGrid,
)
from saccade.camera.slicing import Slice, TimeSlicer

SIZES = [(346, 260), (1280, 720), (31, 17), (1, 1), (7, 300), (16, 5)]
TIMES = ["rising", "falling", "equal", "random"]


@pytest.fixture(autouse=True, params=["wide", "plain"])
def _both_paths(request: pytest.FixtureRequest) -> Iterator[None]:
    _native.allow_simd("avx512" if request.param == "wide" else "none")
    yield
    _native.allow_simd("avx512")


def check_both(accumulator, cut: Slice, wanted, **tolerance) -> None:
    """`view`, `make` with and without `out`, and `view` again: none leaks into the next."""
    out = np.full(accumulator.shape, 7, accumulator.dtype)
    for found in (
        accumulator.view(cut),
        accumulator.make(cut),
        accumulator.make(cut, out),
        accumulator.view(cut),
    ):
        assert (found.shape, found.dtype) == (accumulator.shape, accumulator.dtype)
        np.testing.assert_allclose(found, wanted, **tolerance)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_histogram_equals_its_definition(width, height, dtype):
    histogram = Histogram(width, height, dtype)
    lost = 0
    for n in (0, 1, 5000, 300):
        events = random_events(n, width, height, seed=n)
        check_both(histogram, slice_of(events), reference.histogram(events, width, height), rtol=0)
        lost += 4 * outside(events, width, height)
        assert histogram.out_of_bounds == lost
    assert histogram.saturated == 0


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("bins", [1, 2, 5, MAX_BINS])
def test_voxel_grid_equals_its_definition_at_any_times(bins, times):
    _check_voxels(61, 37, bins, times, "events")
    _check_voxels(61, 37, bins, times, "window")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_voxel_grid_equals_its_definition_at_any_size(width, height):
    _check_voxels(width, height, 5, "rising", "events")


def _check_voxels(width, height, bins, times, interval):
    grid = VoxelGrid(width, height, bins, interval)
    for n in (0, 1, 3000):
        events = random_events(n, width, height, times, seed=n)
        t = events["t"].astype(np.int64)
        cut = slice_of(events)
        if interval == "window" and n:  # longer than the events at one end, shorter at the other
            cut = slice_of(events, int(t.min()) - 5000, int(t.max()) - 3000)
        span = (cut.t_begin_us, cut.t_end_us) if interval == "window" else (
            (int(t.min()), int(t.max())) if n else (0, 0)
        )  # fmt: skip
        wanted = reference.voxel_grid(events, width, height, bins, *span)
        weights = reference.histogram(events, width, height).sum(0)
        # float32 sums: of at most some tens of events a pixel, but of thousands on a sensor of one
        found = grid.view(cut)
        assert (np.abs(found - wanted) <= 1e-6 * np.maximum(weights / 30, 1)).all()
        check_both(grid, cut, found, rtol=0)


def test_a_voxel_grid_is_bilinear_between_its_first_and_last_event():
    events = np.array([(10, 0, 0, 1), (15, 1, 0, 0), (25, 2, 0, 1), (50, 0, 0, 0)], EVENT_DTYPE)
    grid = VoxelGrid(3, 1, 3).make(slice_of(events))
    np.testing.assert_allclose(
        grid[:, 0], [[1, -0.75, 0.25], [0, -0.25, 0.75], [-1, 0, 0]], atol=1e-7
    )


@pytest.mark.parametrize("n", [0, 1, 2, 4000])
def test_voxel_grids_are_normalised_over_what_is_not_zero(n):
    events = random_events(n, 99, 41, seed=n)
    plain = VoxelGrid(99, 41, 5).make(slice_of(events))
    grid = VoxelGrid(99, 41, 5, normalise=True)
    check_both(grid, slice_of(events), reference.normalise(plain), atol=1e-6, rtol=1e-6)


def test_voxels_that_are_all_alike_are_normalised_to_zero():
    events = np.array([(10, 0, 0, 1), (10, 2, 0, 1)], EVENT_DTYPE)
    assert not VoxelGrid(3, 1, 2, normalise=True).make(slice_of(events)).any()


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("decay", ["exponential", "linear"])
@pytest.mark.parametrize("times", TIMES)
def test_time_surfaces_equal_their_definition(times, decay, memory):
    width, height, tau = 53, 29, 20_000
    surface = TimeSurface(width, height, tau, decay, memory)
    last = np.full((2, height, width), -np.inf)
    end = 1_700_000_000_030_000
    for n in (0, 1, 900, 40, 2):
        events = random_events(n, width, height, times, seed=n)
        events["t"] += np.uint64(end - 1_700_000_000_030_000)
        if not memory:
            last[:] = -np.inf
        wanted = reference.time_surface(reference.last_times(last, events), end, decay, tau)
        check_both(surface, slice_of(events, end - 30_000, end), wanted, atol=1e-6, rtol=0)
        end += 30_000


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_time_surfaces_equal_their_definition_at_any_size(width, height):
    events = random_events(5000, width, height)
    last = reference.last_times(np.full((2, height, width), -np.inf), events)
    cut = slice_of(events)
    for decay in ("exponential", "linear"):
        wanted = reference.time_surface(last, cut.t_end_us, decay, 9999)
        surface = TimeSurface(width, height, 9999, decay)
        check_both(surface, cut, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("tau", [1, 1000, 30_000_000, MAX_TAU_US])
@pytest.mark.parametrize("decay", ["exponential", "linear"])
def test_time_surfaces_fade_over_any_time(decay, tau):
    """Ages from none to hours, past what 32 bits of microseconds hold."""
    surface = TimeSurface(5, 1, tau, decay)
    last = np.full((2, 1, 5), -np.inf)
    end = 0
    for x, step in enumerate([10, tau // 3, 5 * tau, 1 << 31, (1 << 32) - 7]):
        end += step
        events = np.array([(max(end - 5, 0), x, 0, x % 2)], EVENT_DTYPE)
        for cut in (slice_of(events, end - 10, end), slice_of(events[:0], end, end + tau // 2)):
            if len(cut.packets[1]):
                reference.last_times(last, events)
            end = cut.t_end_us
            wanted = reference.time_surface(last, end, decay, tau)
            check_both(surface, cut, wanted, atol=1e-6, rtol=0)


def test_a_clock_that_falls_empties_the_memory():
    surface = TimeSurface(3, 1, 1000)
    surface.make(slice_of(np.array([(9000, 0, 0, 1)], EVENT_DTYPE), 8000, 10_000))
    after = slice_of(np.array([(100, 1, 0, 1)], EVENT_DTYPE), 0, 100)
    assert surface.make(after)[1, 0].tolist() == [0, 1, 0]


def test_absurd_times_are_no_harm():
    most = (1 << 64) - 1
    events = np.zeros(65, EVENT_DTYPE)
    events["t"] = [0, *(most >> k for k in range(64))]
    events["x"], events["on"] = np.arange(65), True
    cut = slice_of(events, -5, most + 30_000)
    for interval in ("events", "window"):
        grid = VoxelGrid(65, 1, 2, interval).make(cut)
        np.testing.assert_allclose(grid.sum(0), np.ones((1, 65)), atol=1e-6)
        assert grid[0, 0, 0] == grid[1, 0, 1] == 1
    for decay in ("exponential", "linear"):
        surface = TimeSurface(65, 1, 50, decay).make(cut)
        assert surface[1, 0, 1] == 1
        assert not surface[0].any()
        assert not np.delete(surface[1, 0], 1).any()


def test_counters_saturate_and_say_so():
    events = np.zeros(70_000, EVENT_DTYPE)
    events["x"], events["y"], events["on"] = 3, 2, True
    histogram = Histogram(8, 8)
    counts = histogram.make(slice_of(events))
    assert (counts[1, 2, 3], counts.astype(int).sum()) == (65_535, 65_535)
    assert histogram.saturated == 70_000 - 65_535
    assert Histogram(8, 8, np.float32).make(slice_of(events))[1, 2, 3] == 70_000


def test_all_events_in_one_pixel_keep_their_sum():
    events = np.zeros(100_000, EVENT_DTYPE)
    events["t"] = np.arange(100_000)
    events["x"], events["on"] = 5, np.arange(100_000) % 4 > 0
    wanted = reference.voxel_grid(events, 9, 1, 5, 0, 99_999)
    found = VoxelGrid(9, 1, 5).make(slice_of(events))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["aedat4/davis346_lab_lz4.aedat4", "evt3/street_gen41_hd.raw"])
def test_recorded_slices_equal_their_definition(shared_data: Path, name: str):
    with open_recording(shared_data / "recordings" / name) as recording:
        size = recording.width, recording.height
        histogram, grid = Histogram(*size), VoxelGrid(*size)
        surface = TimeSurface(*size, 10_000)
        last = np.full((2, *size[::-1]), -np.inf)
        slicer = TimeSlicer(10_000)
        cuts = (cut for packet in recording.packets() for cut in slicer.feed(packet))
        for cut, _ in zip(cuts, range(4), strict=False):
            events = np.concatenate([packet.to_array() for packet in cut])
            counts = reference.histogram(events, *size)
            np.testing.assert_array_equal(histogram.view(cut), counts)
            t = events["t"].astype(np.int64)
            wanted = reference.voxel_grid(events, *size, 5, t.min(), t.max())
            bound = 1e-6 * np.maximum(counts.sum(0) / 30, 1)
            assert (np.abs(grid.view(cut) - wanted) <= bound).all()
            reference.last_times(last, events)
            wanted = reference.time_surface(last, cut.t_end_us, "exponential", 10_000)
            np.testing.assert_allclose(surface.view(cut), wanted, atol=1e-6, rtol=0)


def every_kind(width: int, height: int) -> list[Accumulator]:
    return [
        Histogram(width, height), VoxelGrid(width, height), TimeSurface(width, height, 1000),
        FrameMaker(width, height, FrameSpec("paper", 16)),
    ]  # fmt: skip


def test_frames_and_representations_have_one_protocol():
    cut = slice_of(random_events(500, 20, 10))
    for accumulator in every_kind(20, 10):
        made = accumulator.make(cut)
        assert (made.shape, made.dtype) == (accumulator.shape, accumulator.dtype)
        out = np.empty(accumulator.shape, accumulator.dtype)
        assert accumulator.make(cut, out) is out
        np.testing.assert_array_equal(out, made)
        assert accumulator.out_of_bounds == 2 * outside(random_events(500, 20, 10), 20, 10)
        with pytest.raises(SaccadeError, match=r"out: must be"):
            accumulator.make(cut, np.zeros(accumulator.shape, np.float64))


def test_a_slice_that_failed_leaves_nothing_for_the_next():
    good = Packet.from_array(random_events(10, 8, 8))
    empty = Slice(0, 1, 0, 0, ())
    for accumulator in every_kind(8, 8):
        for bad in (
            Packet(good.t, good.x.astype(np.int64), good.y, good.on),
            Packet(good.t, good.x, good.y[:5], good.on),
            Packet(good.t, good.x[::2], good.y[::2], good.on[::2]),
        ):
            end = int(good.t.max()) + 1
            with pytest.raises((TypeError, ValueError)):
                accumulator.make(Slice(0, end, 0, 20, (good, bad)))
            assert not accumulator.make(empty).any()


def test_a_view_is_read_only_and_outlives_its_maker():
    events = random_events(100, 8, 8)
    view = Histogram(8, 8).view(slice_of(events))
    np.testing.assert_array_equal(view, reference.histogram(events, 8, 8))
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda: Histogram(0, 8), "0x8"),
        (lambda: Histogram(8, 9000), "8x9000"),
        (lambda: Histogram(8, 8, np.int32), "int32"),
        (lambda: VoxelGrid(8, 8, 0), "bins 0"),
        (lambda: VoxelGrid(8, 8, interval="slice"), "slice"),
        (lambda: TimeSurface(8, 8, 0), "tau 0 us"),
        (lambda: TimeSurface(8, 8, 5, "square"), "square"),
    ],
)
def test_wrong_settings_are_refused_with_their_value(make, value):
    with pytest.raises(SaccadeError, match=value):
        make()
