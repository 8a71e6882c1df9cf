"""Histograms, voxel grids and time surfaces made on a CUDA device: see `representations`.

The same arrays as the CPU's, whatever the order in which a GPU takes the events: histograms bit for
bit, the others to 1e-6. Voxel grids are summed as whole numbers of 2^-30, of which each event is
off by at most half: they are more exact than the CPU's sums of floats. Of a time surface's events
at one pixel the last that came counts, as on the CPU. With float16, what a value is rounded to.

Work is only queued on a stream, and nothing is allocated after the start. A slice from the host
goes over in pinned memory with 8 bytes an event (a histogram: 4); one that lies on the device is
given to `make_packed`. A sensor has at most 2048 pixels a side here.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from saccade.camera import _native
from saccade.camera.accumulator import check_out
from saccade.camera.cuda_device import (
    DeviceArray,
    DeviceGrid,
    DeviceMaker,
    FrameGraph,
    capsule_of,
    graph_number,
    open_on,
)
from saccade.camera.errors import SaccadeError
from saccade.camera.representations import (
    Decay,
    Interval,
    check_surface,
    check_voxels,
    columns,
    interval_of,
    microseconds,
)
from saccade.camera.slicing import Slice

MAX_SIDE = 2048
SLOT_BYTES = 1 << 22  # half a million events
Device = int | _native.HostDevice


class _CudaRepresentation(DeviceMaker):
    """What histograms, voxel grids and time surfaces on a device share."""

    def __init__(
        self,
        form: _native.CudaForm,
        shape: tuple[int, int, int],
        dtype: DTypeLike,
        *,
        device: Device,
        stream: int | None,
        slot_bytes: int,
        **settings: Any,
    ) -> None:
        """Arrays of `shape` (planes, height, width) and `dtype`; see CudaFrameMaker."""
        planes, height, width = self._shape = shape
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise SaccadeError(f"sensor {width}x{height}: sides must be from 1 to {MAX_SIDE}")
        value = _native.CudaValue.__members__.get(str(self._dtype))
        if value is None or (self._dtype.kind == "u" and form != _native.CudaForm.histogram):
            counts = ", uint16" if form == _native.CudaForm.histogram else ""
            raise SaccadeError(f"{form.name} of {self._dtype}: use float32 or float16{counts}")
        made = _native.CudaSettings(form, width, height, planes, value, **settings)
        self._native = open_on(
            device,
            form.name,
            lambda number: _native.cuda_representation(number, made, slot_bytes),
            lambda host: _native.host_representation(host, made, slot_bytes),
        )
        super().__init__(self._native, stream)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of every array: planes, height, width."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every array."""
        return self._dtype

    def make(self, cut: Slice, /, out: Any = None, graph: FrameGraph | None = None) -> Any:
        """The array of a slice on the host: see `Accumulator.make`.

        Args:
            cut: coordinates on this sensor. Events outside it are counted in `out_of_bounds`.
            out: a NumPy array of `shape` and `dtype` in C order: written on the host, for which
                this waits. Such an array on the device: written there. None: a `DeviceGrid`, the
                accumulator's own, until the next slice.
            graph: run this instead of the kernels one by one; it writes where it was captured to.
                The slice must fit one piece.

        Raises:
            SaccadeError: `out` is not such an array, or lies on another device.
            TypeError, ValueError: a packet's columns are not what `Packet` says, or not contiguous.
        """
        address, number = self._address(out), graph_number(graph)
        self._native.make(columns(cut), *self._span(cut), address, self.stream, number)
        return self._given(out)

    def _make_packed(
        self,
        events: DeviceArray,
        times: DeviceArray | None,
        window: tuple[int, int],
        out: Any,
        graph: FrameGraph | None,
    ) -> Any:
        address, number = self._address(out), graph_number(graph)
        packed = capsule_of(events, self.stream)
        stamps = None if times is None else capsule_of(times, self.stream)
        span = microseconds(window[0]), microseconds(window[1])
        self._native.make_packed(packed, stamps, *span, address, self.stream, number)
        self._in_use.append((events, times))
        return self._given(out)

    def capture(self, address: int = 0) -> FrameGraph:
        """A CUDA graph: one slice in one piece, and its array to `address`.

        Args:
            address: of `shape` and `dtype` on the device; the accumulator's own array when 0.
        """
        return FrameGraph(self._native.capture(address))

    def array_on_device(self) -> DeviceGrid:
        """The accumulator's own array, which a graph writes."""
        return DeviceGrid(self._native, self.stream, self._shape, self._dtype)

    def _span(self, cut: Slice) -> tuple[int, int]:
        """The times that the native side takes with a slice on the host."""
        return 0, microseconds(cut.t_end_us)

    def _address(self, out: Any) -> int:
        """Where the kernels write: 0 is the accumulator's own array."""
        if isinstance(out, np.ndarray):
            check_out(cast(NDArray[Any], out), self._shape, self._dtype)
        elif out is not None:
            return self._native.address_of(capsule_of(out, self.stream))
        return 0

    def _given(self, out: Any) -> Any:
        if out is None:
            return self.array_on_device()
        if isinstance(out, np.ndarray):
            self._native.array_to_host(cast(NDArray[Any], out), self.stream)
        return cast(Any, out)


class CudaHistogram(_CudaRepresentation):
    """As `Histogram`, on a GPU."""

    def __init__(
        self,
        width: int,
        height: int,
        dtype: DTypeLike = np.uint16,
        *,
        device: Device = 0,
        stream: int | None = None,
        slot_bytes: int = SLOT_BYTES,
    ) -> None:
        """Counts in uint16 to 65535, float32 to 2^24, or float16 to 65504, exact to 2048.

        For the rest see `CudaFrameMaker`.

        Raises:
            SaccadeError: something does not hold, or there is no such device.
        """
        shape, form = (2, height, width), _native.CudaForm.histogram
        super().__init__(form, shape, dtype, device=device, stream=stream, slot_bytes=slot_bytes)

    def make_packed(
        self, events: DeviceArray, out: Any = None, graph: FrameGraph | None = None
    ) -> Any:
        """The array of a slice that lies on the device: see `CudaFrameMaker.add_packed`."""
        return self._make_packed(events, None, (0, 0), out, graph)


class CudaVoxelGrid(_CudaRepresentation):
    """As `VoxelGrid`, on a GPU."""

    def __init__(
        self,
        width: int,
        height: int,
        bins: int = 5,
        interval: Interval = "events",
        normalise: bool = False,
        dtype: DTypeLike = np.float32,
        *,
        device: Device = 0,
        stream: int | None = None,
        slot_bytes: int = SLOT_BYTES,
    ) -> None:
        """As `VoxelGrid`; float32 or float16, which ends at 65504. See `CudaFrameMaker`.

        Raises:
            SaccadeError: something does not hold, or there is no such device.
        """
        check_voxels(bins, interval)
        self._interval: Interval = interval
        super().__init__(
            _native.CudaForm.voxels,
            (bins, height, width),
            dtype,
            device=device,
            stream=stream,
            slot_bytes=slot_bytes,
            normalise=normalise,
            measure=interval == "events",
        )

    def _span(self, cut: Slice) -> tuple[int, int]:
        return interval_of(cut, self._interval)

    def make_packed(
        self,
        events: DeviceArray,
        times: DeviceArray,
        length_us: int = 0,
        out: Any = None,
        graph: FrameGraph | None = None,
    ) -> Any:
        """The grid of a slice that lies on the device.

        Args:
            events: packed, uint32 [N]: see `CudaFrameMaker.add_packed`.
            times: uint32 [N], in us since the slice's begin, aligned to 16 bytes.
            length_us: the slice's; with the interval "events" the device finds the earliest and
                the latest of `times` instead.
            out, graph: see `make`.

        Raises:
            SaccadeError: they are not such arrays, or lie on another device.
        """
        return self._make_packed(events, times, (0, length_us), out, graph)


class CudaTimeSurface(_CudaRepresentation):
    """As `TimeSurface`, on a GPU."""

    def __init__(
        self,
        width: int,
        height: int,
        tau_us: int,
        decay: Decay = "exponential",
        memory: bool = True,
        dtype: DTypeLike = np.float32,
        *,
        device: Device = 0,
        stream: int | None = None,
        slot_bytes: int = SLOT_BYTES,
    ) -> None:
        """As `TimeSurface`; float32 or float16. See `CudaFrameMaker`.

        Raises:
            SaccadeError: something does not hold, or there is no such device.
        """
        check_surface(tau_us, decay)
        super().__init__(
            _native.CudaForm.surface,
            (2, height, width),
            dtype,
            device=device,
            stream=stream,
            slot_bytes=slot_bytes,
            linear=decay == "linear",
            tau_us=tau_us,
            memory=memory,
        )

    def make_packed(
        self,
        events: DeviceArray,
        times: DeviceArray,
        t_begin_us: int,
        t_end_us: int,
        out: Any = None,
        graph: FrameGraph | None = None,
    ) -> Any:
        """The surface of a slice that lies on the device, as of `t_end_us`.

        Args:
            events: packed, uint32 [N]: see `CudaFrameMaker.add_packed`.
            times: uint32 [N], in us since `t_begin_us`, aligned to 16 bytes.
            t_begin_us, t_end_us: the slice's window.
            out, graph: see `make`.

        Raises:
            SaccadeError: they are not such arrays, or lie on another device.
        """
        return self._make_packed(events, times, (t_begin_us, t_end_us), out, graph)
