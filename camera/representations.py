"""Slices as arrays for networks: histograms, voxel grids and time surfaces, beside the frames.

Whatever turns a slice into an array is an `Accumulator`: `FrameMaker` is one, these three, and
their twins on a GPU (`saccade.camera.cuda_representations`):

    Histogram    uint16 or float32 [2, H, W]  events per pixel and polarity, OFF first
    VoxelGrid    float32 [B, H, W]            polarity, bilinear in time (Zhu et al. 2019)
    TimeSurface  float32 [2, H, W]            what is left of each pixel's last event, OFF first

Events outside the sensor are left out and counted. Memory is kept from slice to slice, and only
what a slice touched is cleared: `view` costs what its events do, `make` writes a whole array.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from saccade.camera import _native
from saccade.camera.accumulator import HOST, Accumulator, check_out
from saccade.camera.errors import SaccadeError
from saccade.camera.events import MAX_SIDE
from saccade.camera.slicing import Slice

__all__ = [
    "MAX_BINS",
    "MAX_TAU_US",
    "Accumulator",
    "Decay",
    "Histogram",
    "Interval",
    "TimeSurface",
    "VoxelGrid",
]

Interval = Literal["events", "window"]
Decay = Literal["exponential", "linear"]
Columns = tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]

MAX_BINS = 255
#: Longest `tau_us`: the ages of events are 31 bits of microseconds, and 17 tau of them count.
MAX_TAU_US = 100_000_000
_MAX_US = (1 << 64) - 1


class _Representation:
    """What histograms, voxel grids and time surfaces share: the checks, `make` and `view`."""

    _native: Any

    def __init__(self, planes: int, width: int, height: int, dtype: DTypeLike = "f4") -> None:
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise SaccadeError(f"sensor {width}x{height}: sides must be from 1 to {MAX_SIDE}")
        self._shape = (planes, height, width)
        self._dtype: np.dtype[Any] = np.dtype(dtype)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of every array: planes, height, width."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of every array."""
        return self._dtype

    @property
    def device(self) -> tuple[int, int]:
        """DLPack's type and number of the host."""
        return HOST

    @property
    def out_of_bounds(self) -> int:
        """Events so far whose coordinates lay outside the sensor."""
        return self._native.out_of_bounds

    def make(self, cut: Slice, /, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The array of a slice.

        Args:
            cut: coordinates on this sensor. Events outside it are counted in `out_of_bounds`.
            out: an array of `shape` and `dtype` in C order, written and returned; a new one when
                None.

        Raises:
            SaccadeError: `out` is not such an array.
            TypeError, ValueError: a packet's columns are not what `Packet` says, or not contiguous.
        """
        if out is None:
            out = np.empty(self._shape, self._dtype)
        check_out(out, self._shape, self._dtype)
        self._fill(cut, out)
        return out

    def view(self, cut: Slice, /) -> NDArray[Any]:
        """As `make`, in the accumulator's own memory: read-only, overwritten by the next slice."""
        self._fill(cut, None)
        return self._native.array

    @abstractmethod
    def _fill(self, cut: Slice, out: NDArray[Any] | None) -> None:
        """Makes the array in `out`, or in the accumulator's own memory when None."""


class Histogram(_Representation):
    """[2, H, W]: how many OFF and how many ON events each pixel gave."""

    def __init__(self, width: int, height: int, dtype: DTypeLike = np.uint16) -> None:
        """Counts in uint16, which stop at 65535, or in float32, which stop at 2^24.

        Raises:
            SaccadeError: a side is not from 1 to 8192 pixels, or the type is another.
        """
        super().__init__(2, width, height, dtype)
        if self._dtype == np.uint16:
            self._native = _native.Histogram16(width, height)
        elif self._dtype == np.float32:
            self._native = _native.HistogramF(width, height)
        else:
            raise SaccadeError(f"histogram of {self._dtype}: use uint16 or float32")

    @property
    def saturated(self) -> int:
        """Events so far that met a counter at its end."""
        return self._native.saturated

    def _fill(self, cut: Slice, out: NDArray[Any] | None) -> None:
        self._native.fill(columns(cut), out)


class VoxelGrid(_Representation):
    """[B, H, W]: polarity p = +1 or -1 of each event, spread over the two nearest of B moments.

    V(b) = sum of p max(0, 1 - |b - t*|) over a pixel's events, with t* = (B-1) (t - begin) / (end -
    begin), as in Zhu et al. 2019 (arXiv 1812.08156), E2VID and EVREAL. Times outside the interval
    count as its nearer end, and where it is empty t* is 0 for all.

    Sums are float32, as in those: a pixel of n events is exact to some 1e-7 of the sum of their
    weights, and to 1e-5 of it where n is 100,000.
    """

    def __init__(
        self,
        width: int,
        height: int,
        bins: int = 5,
        interval: Interval = "events",
        normalise: bool = False,
    ) -> None:
        """Grids of `bins` moments.

        Args:
            width, height: the sensor's size in pixels.
            bins: B.
            interval: "events" is from the slice's earliest event to its latest, as in the
                literature above; "window" is the slice's own, [t_begin_us, t_end_us), so that two
                slices have one scale.
            normalise: then bring the voxels that are not 0 to mean 0 and standard deviation 1 (of
                the population), as E2VID and FireNet want it; to mean 0 alone where they are all
                alike. FireNet+ wants it without.

        Raises:
            SaccadeError: one of them is not what it may be.
        """
        super().__init__(bins, width, height)
        check_voxels(bins, interval)
        self._interval: Interval = interval
        self._normalise = normalise
        self._native = _native.VoxelGrid(width, height, bins)

    def _fill(self, cut: Slice, out: NDArray[Any] | None) -> None:
        span = interval_of(cut, self._interval)
        self._native.fill(columns(cut), *span, self._normalise, out)


class TimeSurface(_Representation):
    """[2, H, W]: what is left, at the slice's end, of each pixel's last OFF and last ON event.

    With a = t_end_us - t_last, exp(-a / tau) (HOTS, Lagorce et al. 2017), or max(0, 1 - a /
    tau); 0 where there was none. Both lie in [0, 1]. The last event is the last that came, and one
    later than the slice's end has a = 0. The exponential is cut to 0 at 17 tau, where it is 4e-8.
    """

    def __init__(
        self,
        width: int,
        height: int,
        tau_us: int,
        decay: Decay = "exponential",
        memory: bool = True,
    ) -> None:
        """Surfaces that fade with `tau_us`.

        Args:
            width, height: the sensor's size in pixels.
            tau_us: the exponential's time constant, or when the linear one has come to 0.
            decay: which of the two.
            memory: events of the slices before count, as in HOTS; False begins each slice anew.
                Where the clock falls (a slice ends before the one before it did) the memory is
                emptied.

        Raises:
            SaccadeError: one of them is not what it may be.
        """
        super().__init__(2, width, height)
        check_surface(tau_us, decay)
        self._memory = memory
        self._native = _native.TimeSurface(width, height, decay == "linear", tau_us)

    def _fill(self, cut: Slice, out: NDArray[Any] | None) -> None:
        packets = columns(cut)
        if not self._memory:
            self._native.forget()
        self._native.fill(packets, microseconds(cut.t_end_us), out)


def check_voxels(bins: int, interval: str) -> None:
    """Raises SaccadeError where a voxel grid cannot be of these."""
    if not 1 <= bins <= MAX_BINS:
        raise SaccadeError(f"bins {bins}: must be from 1 to {MAX_BINS}")
    if interval not in get_args(Interval):
        raise SaccadeError(f"interval {interval!r}: unknown; use events or window")


def check_surface(tau_us: int, decay: str) -> None:
    """Raises SaccadeError where a time surface cannot be of these."""
    if not 1 <= tau_us <= MAX_TAU_US:
        raise SaccadeError(f"tau {tau_us} us: must be from 1 us to {MAX_TAU_US // 10**6} s")
    if decay not in get_args(Decay):
        raise SaccadeError(f"decay {decay!r}: unknown; use exponential or linear")


def columns(cut: Slice) -> list[Columns]:
    """t, x, y and on of each packet."""
    return [(packet.t, packet.x, packet.y, packet.on) for packet in cut]


def interval_of(cut: Slice, interval: Interval) -> tuple[int, int]:
    """The first and the last moment of a slice's voxel grid, in us."""
    begin, end = cut.t_begin_us, cut.t_end_us
    if interval == "events":
        packets = [packet for packet in cut if len(packet)]
        begin = min((int(packet.t.min()) for packet in packets), default=0)
        end = max((int(packet.t.max()) for packet in packets), default=0)
    return microseconds(begin), microseconds(end)


def microseconds(t_us: int) -> int:
    """A time that the native core takes: from 0 to 2^64 - 1."""
    return min(max(t_us, 0), _MAX_US)
