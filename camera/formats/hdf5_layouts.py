"""The layouts of HDF5 recordings: which dataset holds what, in which unit. Runs in the child.

Metavision: https://docs.prophesee.ai/stable/data/file_formats/hdf5.html; DSEC:
https://dsec.ifi.uzh.ch/data-format; MVSEC: https://daniilidis-group.github.io/mvsec.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Columns = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]

#: What one read holds in memory at most: rows, and bytes of a compressed chunk when unpacked.
BLOCK_ROWS = 65_536
MAX_CHUNK_BYTES = 16 << 20
#: h5py has these filters itself: deflate, shuffle, fletcher32, szip, nbit, scale-offset, LZF.
_BUILT_IN = {1, 2, 3, 4, 5, 6, 32000}
ECF_FILTER = 0x8ECF


class LayoutError(Exception):
    """(what, remedy) of a file that is not read."""


@dataclass
class Layout:
    """One recording in an HDF5 file.

    Attributes:
        name: as `saccade inspect` shows it.
        rows: number of events.
        size: (width, height) in pixels; None where neither file nor layout tells.
        datasets: every dataset that `read` reads.
        read: rows from, to -> t in microseconds (int64 or uint64), x, y, p > 0 is ON.
        first_row: time in microseconds -> a row at or before the first event of that time.
    """

    name: str
    rows: int
    size: tuple[int, int] | None
    datasets: list[Any]
    read: Callable[[int, int], Columns]
    first_row: Callable[[int], int]
    ecf: bool = False


def find_layout(file: Any) -> Layout:
    """The layout of an open h5py.File; raises LayoutError with what was found instead."""
    for names, layout in _LAYOUTS:
        if all(_holds(file, name) for name in names):
            return layout(file)
    found: list[str] = []
    _list_datasets(file, "", found)
    what = f"its HDF5 layout is not known (it holds {', '.join(found) or 'nothing'})"
    raise LayoutError(what, "Metavision, DSEC, MVSEC and evlib files are read")


def _list_datasets(group: Any, path: str, found: list[str], depth: int = 3) -> None:
    for name in group:
        if len(found) == 8:
            return
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        kind = group.get(name, getclass=True)
        if kind is h5py.Group and depth > 0:
            _list_datasets(group[name], f"{path}/{name}"[:60], found, depth - 1)
        else:
            found.append(f"{path}/{name}"[:60])


def _holds(file: Any, path: str) -> bool:
    """A dataset of this file: links that lead into other files are not followed."""
    group = file
    for name in path.split("/"):
        if not isinstance(group, h5py.Group) or name not in group:
            return False
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise LayoutError(f"{path} is a link", "copy the events into the file with h5repack")
        group = group[name]
    return isinstance(group, h5py.Dataset)


def _dataset(file: Any, path: str, kinds: str, ndim: int = 1) -> Any:
    """A dataset whose numbers are of these kinds (numpy's letters), stored in this file."""
    data = file[path]
    if data.dtype.kind not in kinds or data.ndim != ndim:
        what = f"{path} is {data.dtype} with {data.ndim} dimensions"
        raise LayoutError(what, "this is no recording of the layout that its names say")
    if data.is_virtual or data.external:
        raise LayoutError(f"{path} lies in other files", "join them with h5repack")
    if data.chunks and np.prod(data.chunks) * data.dtype.itemsize > MAX_CHUNK_BYTES:
        what = f"the chunks of {path} are larger than {MAX_CHUNK_BYTES >> 20} MiB"
        raise LayoutError(what, "store it in smaller ones with h5repack")
    return data


def filters(data: Any) -> list[int]:
    """The ids of a dataset's filters, in the order of writing."""
    plist = data.id.get_create_plist()
    return [int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters())]


def _check_filters(datasets: list[Any]) -> None:
    needed = {id for data in datasets for id in filters(data)} - _BUILT_IN
    if ECF_FILTER in needed:
        raise LayoutError("ECF beside other filters is not read", "convert it with Metavision")
    if needed:
        try:
            importlib.import_module("hdf5plugin")  # which registers its filters
        except ImportError as error:
            what = f"it is compressed with HDF5 filter {min(needed)}, which hdf5plugin reads"
            raise LayoutError(what, "pip install 'saccade[hdf5]'") from error
    for id in needed:
        if not h5py.h5z.filter_avail(id):
            what = f"it is compressed with HDF5 filter {id}, which nothing here reads"
            raise LayoutError(what, "store it with gzip with h5repack")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def _rows(*columns: Any) -> int:
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        what = f"its columns have different lengths ({', '.join(map(str, sorted(lengths)))})"
        raise LayoutError(what, "copy the file again")
    return lengths.pop()


def _bisect(time_at: Callable[[int], int], rows: int, since_us: int) -> int:
    """The first row whose time is not before `since_us`, where times rise."""
    low, high = 0, rows
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if time_at(middle) < since_us else (low, middle)
    return low


def _metavision(file: Any) -> Layout:
    events = _dataset(file, "CD/events", "V")
    names = events.dtype.names or ()
    if sorted(names) != ["p", "t", "x", "y"]:
        raise LayoutError("CD/events has other fields than x, y, p, t", "convert it again")
    if any(events.dtype[name].kind not in "iu" for name in names):
        raise LayoutError("CD/events has fields that are no integers", "convert it again")
    stated = re.fullmatch(r"(\d{1,6})x(\d{1,6})", _text(file.attrs.get("geometry", "")).strip())
    size = (int(stated[1]), int(stated[2])) if stated else None
    ecf = filters(events) == [ECF_FILTER] and events.chunks is not None
    if not ecf:
        _check_filters([events])

    def read(start: int, end: int) -> Columns:
        block = events[start:end]
        return block["t"], block["x"], block["y"], block["p"]

    def time_at(row: int) -> int:
        if not ecf:
            return int(events[row]["t"])
        _, chunk = events.id.read_direct_chunk((row,))  # which has its first time at byte 4
        return int.from_bytes(chunk[4:12], "little", signed=True)

    def first_row(since_us: int) -> int:
        # Every chunk starts with its first time, so that CD/indexes, if damaged, cannot mislead.
        if not ecf:
            return _bisect(time_at, len(events), since_us)
        side = int(events.chunks[0])
        n_chunks = -(-len(events) // side)
        found = _bisect(lambda chunk: time_at(chunk * side), n_chunks, since_us)
        return max(found - 1, 0) * side

    return Layout("hdf5-metavision", len(events), size, [events], read, first_row, ecf)


def _dsec(file: Any) -> Layout:
    x, y, p, t = (_dataset(file, f"events/{name}", "iub") for name in ("x", "y", "p", "t"))
    start_ms = _dataset(file, "ms_to_idx", "iu")
    _check_filters([x, y, p, t, start_ms])
    offset = _dataset(file, "t_offset", "iu", 0)[()]

    def read(start: int, end: int) -> Columns:
        return (
            t[start:end].astype(np.int64) + np.int64(offset),
            x[start:end],
            y[start:end],
            p[start:end],
        )

    def first_row(since_us: int) -> int:
        ms = (since_us - int(offset)) // 1000
        if ms < 0 or len(start_ms) == 0:
            return 0
        return int(start_ms[min(ms, len(start_ms) - 1)])

    return Layout("hdf5-dsec", _rows(x, y, p, t), (640, 480), [x, y, p, t], read, first_row)


def _mvsec(path: str) -> Callable[[Any], Layout]:
    def layout(file: Any) -> Layout:
        events = _dataset(file, path, "f", 2)
        if events.shape[1] != 4:
            raise LayoutError(f"{path} has {events.shape[1]} columns instead of 4", "copy it again")
        _check_filters([events])

        def read(start: int, end: int) -> Columns:
            block = events[start:end].astype(np.float64)
            return (
                _microseconds(block[:, 2] * 1e6),
                _pixels(block[:, 0]),
                _pixels(block[:, 1]),
                block[:, 3],
            )

        def time_at(row: int) -> int:
            return int(_microseconds(np.array([events[row, 2] * 1e6]))[0])

        def first_row(since_us: int) -> int:
            return _bisect(time_at, len(events), since_us)

        return Layout("hdf5-mvsec", len(events), (346, 260), [events], read, first_row)

    return layout


def _evlib(file: Any) -> Layout:
    x, y, p, t = (_dataset(file, f"events/{name}", "iufb") for name in ("xs", "ys", "ps", "ts"))
    _check_filters([x, y, p, t])
    scale = _evlib_scale(t)

    def read(start: int, end: int) -> Columns:
        times = t[start:end]
        if times.dtype.kind == "f":
            times = _microseconds(times * scale)
        return times, _pixels(x[start:end]), _pixels(y[start:end]), p[start:end]

    def time_at(row: int) -> int:
        return int(t[row] * scale)

    def first_row(since_us: int) -> int:
        return _bisect(time_at, len(t), since_us)

    return Layout("hdf5-evlib", _rows(x, y, p, t), None, [x, y, p, t], read, first_row)


_UNITS = {"us": 1.0, "microseconds": 1.0, "s": 1e6, "seconds": 1e6}


def _evlib_scale(t: Any) -> float:
    """Microseconds in one unit of `ts`: stated, or integers (evlib: microseconds).

    evlib writes float64 without a unit, and both seconds and microseconds occur. They are told
    apart by what a number can be: seconds have fractions, and none lie 30,000 years ahead.
    """
    for name in ("unit", "units", "time_unit"):
        if name in t.attrs:
            unit = _text(t.attrs[name]).strip().lower()
            if unit not in _UNITS:
                raise LayoutError(f"the time unit {unit[:20]!r} is not known", "use us or s")
            return _UNITS[unit]
    if t.dtype.kind in "iu":
        return 1.0
    some = t[: min(len(t), BLOCK_ROWS)]
    if len(some) and np.all(some == np.floor(some)) and some.min() >= 1e12:
        return 1.0
    what = "its times are floats without a unit"
    raise LayoutError(what, "set the attribute 'unit' of events/ts to 'us' or 's'")


def _microseconds(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rounded; what is no time (NaN, beyond 2^62 us) becomes negative and is dropped as such."""
    good = np.abs(times) < 2.0**62
    return np.where(good, np.rint(np.where(good, times, 0)), -1).astype(np.int64)


def _pixels(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers; what is none becomes -1, which is out of bounds."""
    if values.dtype.kind != "f":
        return values
    good = (np.abs(values) < 2.0**31) & (values == np.floor(values))
    return np.where(good, values, -1).astype(np.int64)


_LAYOUTS: list[tuple[tuple[str, ...], Callable[[Any], Layout]]] = [
    (("CD/events",), _metavision),
    (("events/x", "events/y", "events/p", "events/t", "ms_to_idx", "t_offset"), _dsec),
    (("davis/left/events",), _mvsec("davis/left/events")),
    (("davis/right/events",), _mvsec("davis/right/events")),
    (("events/xs", "events/ys", "events/ts", "events/ps"), _evlib),
]
