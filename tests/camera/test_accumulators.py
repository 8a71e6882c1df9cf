"""One protocol for what turns slices into arrays on the CPU and on a GPU, and arrays there."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from benchmarks.gpu_driver import Array, Driver
from tests.camera.slices import SMALL, on_host, outside, random_events, slice_of
from tests.camera.test_cuda import aligned, pack

from saccade.camera import _native
from saccade.camera.accumulator import Accumulator
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.cuda_representations import CudaHistogram, CudaTimeSurface, CudaVoxelGrid
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.representations import Histogram, TimeSurface, VoxelGrid
from saccade.camera.slicing import Slice

TIMES = ["rising", "falling", "equal", "random"]


def every_kind(width: int, height: int, device: object) -> list[Accumulator]:
    spec = FrameSpec("paper", 16)
    return [
        Histogram(width, height), VoxelGrid(width, height), TimeSurface(width, height, 1000),
        FrameMaker(width, height, spec),
        CudaHistogram(width, height, device=device, **SMALL),
        CudaVoxelGrid(width, height, device=device, **SMALL),
        CudaTimeSurface(width, height, 1000, device=device, **SMALL),
        CudaFrameMaker(width, height, spec, device=device),
        CudaFrameMaker(width, height, spec, device=device, channels=3, half=True),
    ]  # fmt: skip


def test_both_devices_have_one_protocol(device) -> None:
    events = random_events(500, 20, 10)
    cut, empty = slice_of(events), Slice(0, 1, 0, 0, ())
    made: list[np.ndarray] = []
    for accumulator in every_kind(20, 10, device):
        first = on_host(accumulator, cut)
        assert first.any()
        given = accumulator.make(cut)
        assert given.__dlpack_device__() == accumulator.device
        if accumulator.device[0] == 1:  # the host's, or the stand-in for a GPU there
            np.testing.assert_array_equal(np.from_dlpack(given), first)
        assert accumulator.out_of_bounds == 2 * outside(events, 20, 10)
        for wrong in (np.float64, np.uint32):
            with pytest.raises(SaccadeError, match="out: must be"):
                accumulator.make(cut, np.zeros(accumulator.shape, wrong))
        assert not on_host(accumulator, empty).any()
        made.append(first)
    for here, there in zip(made[:4], made[4:8], strict=True):
        tolerance = 1e-3 if there.dtype == np.float16 else 1e-6
        np.testing.assert_allclose(there.reshape(here.shape), here, atol=tolerance)
    np.testing.assert_allclose(made[-1], np.stack([made[3]] * 3), atol=1e-3)


def test_a_slice_that_failed_leaves_nothing_for_the_next(device) -> None:
    good = Packet.from_array(random_events(10, 8, 8))
    empty = Slice(0, 1, 0, 0, ())
    for accumulator in every_kind(8, 8, device):
        for bad in (
            Packet(good.t, good.x.astype(np.int64), good.y, good.on),
            Packet(good.t, good.x, good.y[:5], good.on),
        ):
            with pytest.raises((TypeError, ValueError)):
                accumulator.make(Slice(0, int(good.t.max()) + 1, 0, 20, (good, bad)))
            assert not on_host(accumulator, empty).any()


# --- Slices and arrays that lie on the device.


class There:
    """An array of the stand-in's device that is none of NumPy's."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, *, stream: int | None = None, **_: object) -> object:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


@pytest.fixture
def host() -> _native.HostDevice:
    return _native.HostDevice(2, 5, 3, False)


@pytest.mark.parametrize("times", TIMES)
def test_slices_on_the_device_make_the_same_arrays(host, times) -> None:
    size = 64, 48
    events = random_events(1003, *size, times)
    begin, end = 1_700_000_000_000_000, 1_700_000_000_020_000  # some are later
    cut = slice_of(events, begin, end)
    packed = There(aligned(pack(Packet.from_array(events))))
    stamps = There(aligned((events["t"] - begin).astype(np.uint32)))
    histogram = CudaHistogram(*size, device=host, **SMALL)
    out = np.zeros(histogram.shape, np.uint16)
    there = There(out)
    assert histogram.make_packed(packed, there) is there
    np.testing.assert_array_equal(out, Histogram(*size).view(cut))
    for interval in ("events", "window"):
        for normalise in (False, True):
            grid = CudaVoxelGrid(*size, 5, interval, normalise, device=host, **SMALL)
            wanted = VoxelGrid(*size, 5, interval, normalise).make(cut)
            for _ in range(2):
                found = grid.make_packed(packed, stamps, end - begin).to_host()
                np.testing.assert_allclose(found, wanted, atol=1e-6)
    surface, on_cpu = CudaTimeSurface(*size, 9999, device=host, **SMALL), TimeSurface(*size, 9999)
    for later in (0, 30_000):
        moved = events.copy()
        moved["t"] += later
        window = begin + later, end + later
        found = surface.make_packed(packed, stamps, *window).to_host()
        np.testing.assert_allclose(found, on_cpu.view(slice_of(moved, *window)), atol=1e-6)


@pytest.mark.parametrize("kind", ["histogram", "events", "window", "normalised", "surface"])
def test_a_graph_makes_the_same_arrays(device, kind) -> None:
    def new():
        match kind:
            case "histogram":
                return CudaHistogram(40, 30, device=device, **SMALL)
            case "surface":
                return CudaTimeSurface(40, 30, 5000, memory=False, device=device, **SMALL)
            case "normalised":
                return CudaVoxelGrid(40, 30, normalise=True, device=device, **SMALL)
            case interval:
                return CudaVoxelGrid(40, 30, 5, interval, device=device, **SMALL)

    direct, accumulator = new(), new()
    graph = accumulator.capture()
    for n in (0, 999, 1, 2000, 3, 500):
        cut = slice_of(random_events(n, 40, 30, seed=n))
        found = accumulator.make(cut, graph=graph).to_host()
        np.testing.assert_array_equal(found, direct.make(cut).to_host())


def test_what_does_not_fit_is_refused_in_one_line(host) -> None:
    grid = CudaVoxelGrid(8, 8, interval="window", device=host, slot_bytes=64)
    words = aligned(np.zeros(8, np.uint32))
    with pytest.raises(SaccadeError, match=r"events must be uint32 \[N\]"):
        grid.make_packed(words.view(np.uint16), words)
    with pytest.raises(SaccadeError, match=r"times must be uint32 \[N\]"):
        grid.make_packed(words, words[::2])
    with pytest.raises(SaccadeError, match="one length"):
        grid.make_packed(words, words[:4])
    with pytest.raises(SaccadeError, match="multiple of 16 bytes"):
        grid.make_packed(words[1:5], words[:4])
    with pytest.raises(SaccadeError, match=r"2\^32 us"):
        grid.make_packed(words, words, 1 << 32)
    for out in (
        np.zeros((5, 8, 8)),
        np.zeros((4, 8, 8), "f4"),
        np.zeros((5, 8, 16), "f4")[..., :8],
    ):
        with pytest.raises(SaccadeError, match="out: must have"):
            grid.make_packed(words, words, 10, There(out))
    cut = slice_of(random_events(9, 8, 8))
    with pytest.raises(SaccadeError, match="no graph"):
        grid.make(cut, graph=CudaVoxelGrid(8, 8, device=host, **SMALL).capture())
    with pytest.raises(SaccadeError, match="at most 8 events, not 9"):
        grid.make(cut, graph=grid.capture())
    assert not on_host(grid, Slice(0, 1, 0, 0, ())).any()


class NoDriver:
    """Stands for a GPU's memory, of which only the address is looked at."""

    def upload(self, values: np.ndarray) -> int:
        return int(values.ctypes.data)


def test_an_array_on_another_device_is_refused_unread(host) -> None:
    grid, words = CudaVoxelGrid(8, 8, device=host, **SMALL), aligned(np.zeros(8, np.uint32))
    elsewhere = Array(cast(Driver, NoDriver()), words)
    for arguments in ((elsewhere, words), (words, elsewhere), (words, words, 10, elsewhere)):
        with pytest.raises(SaccadeError, match=r"\(2, 0\), the arrays on \(1, 0\); copy it"):
            grid.make_packed(*arguments)
    with pytest.raises(SaccadeError, match="copy it there first"):
        grid.make(Slice(0, 1, 0, 0, ()), elsewhere)


@pytest.mark.gpu
def test_an_array_elsewhere_is_refused() -> None:
    grid, words = CudaVoxelGrid(64, 48), aligned(np.zeros(8, np.uint32))
    with pytest.raises(SaccadeError, match="copy it there first"):
        grid.make_packed(words, words)
    with pytest.raises(SaccadeError, match="copy it there first"):
        grid.make(slice_of(random_events(1, 64, 48)), There(np.zeros(grid.shape, np.float32)))
