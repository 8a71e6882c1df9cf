"""Reads `.npz`: columns t, x, y, p as arrays of one length, or one array of records with them.

Taken names: t, ts, time, timestamp, timestamps; x; y; p, pol, polarity, polarities, on. Whole
times are microseconds unless `t_us`, `t_ms`, `t_ns`, `t_s` or an array `time_unit` says otherwise;
times with decimals are refused without one. p is 0 or -1, and 1. The size is that of the arrays
`width` and `height`; records named `event_data` are N-ImageNet's, 640x480 (Kim et al., 2021).

A zip cut off has lost its directory, and with it most columns: nothing is read then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.base import FileRecording
from saccade.camera.formats.file import RecordingFile, check_geometry
from saccade.camera.formats.npy import NpyMember, damage, read_members
from saccade.camera.formats.stream import CHUNK_EVENTS

_NAMES = {
    "t": ("t", "ts", "time", "timestamp", "timestamps"),
    "x": ("x",),
    "y": ("y",),
    "p": ("p", "pol", "polarity", "polarities", "on"),
}
_UNIT = re.compile(r"_(us|ms|ns|s)$")
_US = {"us": (1, 1), "ms": (1000, 1), "s": (1_000_000, 1), "ns": (1, 1000)}  # times, over
_LATEST = 1 << 63
_LARGEST_RECORD = 64  # bytes
_N_IMAGENET, _N_IMAGENET_SIZE = "event_data", (640, 480)

_Columns = dict[str, NDArray[Any]]


def open_npz(file: RecordingFile, geometry: tuple[int, int] | None = None) -> NpzRecording:
    """An `.npz` of events.

    Raises RecordingError where it is damaged, has no such columns, or does not tell the unit of
    its times or (without `geometry`) the sensor's size.
    """
    return NpzRecording(file, geometry)


class NpzRecording(FileRecording):
    """See `saccade.camera.recordings.Recording`."""

    format, sensor = "npz", ""

    def __init__(self, file: RecordingFile, geometry: tuple[int, int] | None) -> None:
        super().__init__(file)
        members = read_members(file)
        self._source = _find_columns(self.path, members)
        self._scale = _time_scale(self.path, members, self._source)
        self.width, self.height = geometry or self._stated_size(members)
        check_geometry(self.path, self.width, self.height)
        self._n = next(iter(self._source.values()))[0].shape[0]
        if self._n == 0:
            raise RecordingError(self.path, "there is no event in it", "record again")
        self._dropped, self._skipped = {"out_of_bounds": 0}, {"time_backwards": 0}

    def packets(self, since_us: int | None = None) -> Iterator[Packet]:
        """One pass over the events, in packets of at most 65,536; `since_us` is of no use here.

        Raises RecordingError at the array that is damaged, after the events before. The zip's
        checksums are those of whole arrays: their damage shows in the last packet.
        """
        del since_us
        self.position = done = last = 0
        for columns in self._blocks():
            t, good_t = self._times(columns["t"])
            on, good_p = _polarities(columns["p"])
            good = good_t & good_p
            bad = None if good.all() else int(np.argmin(good))
            packet, inside = self._cut(t[:bad], columns["x"][:bad], columns["y"][:bad], on[:bad])
            if len(inside):
                back = np.count_nonzero(t[1:bad] < t[: len(inside) - 1])
                self._skipped["time_backwards"] += int(back) + (int(t[0]) < last)
                last = int(t[len(inside) - 1])
            done += len(inside)
            self._dropped["out_of_bounds"] += len(inside) - len(packet)
            self._events += len(packet)
            self.position = self.size_bytes * done // self._n
            if len(packet):
                yield packet
            if bad is not None:
                letter, what = ("p", "polarity") if good_t[bad] else ("t", "time")
                raise self._error(letter, f"the {what} of event {done} is {columns[letter][bad]}")

    def _blocks(self) -> Iterator[_Columns]:
        """The columns of the next events; a member that holds several is read once.

        Raises as `packets`, after what stands before the damage in all columns.
        """
        members = {member.name: member for member, _ in self._source.values()}
        streams = {name: member.blocks(CHUNK_EVENTS) for name, member in members.items()}
        for start in range(0, self._n, CHUNK_EVENTS):
            blocks: dict[str, NDArray[Any]] = {}
            for name, member in members.items():
                with self._damage(member):
                    blocks[name] = next(streams[name])
            size = min(len(block) for block in blocks.values())
            yield {
                letter: (blocks[member.name][field] if field else blocks[member.name])[:size]
                for letter, (member, field) in self._source.items()
            }
            if size < min(CHUNK_EVENTS, self._n - start):
                short = next(name for name in members if len(blocks[name]) == size)
                with self._damage(members[short]):
                    next(streams[short])

    def _damage(self, member: NpyMember) -> AbstractContextManager[None]:
        return damage(self.path, member.offset, f"the array {member.name!r} is damaged")

    def _times(self, stated: NDArray[Any]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Microseconds, floats rounded to the nearest; and where there is one."""
        times, over = self._scale
        if stated.dtype.kind == "f":
            us = np.rint(stated.astype(np.float64) * times / over)
            good = np.isfinite(us) & (us >= 0) & (us < _LATEST)
            return np.where(good, us, 0).astype(np.uint64), good
        good = (stated >= 0) & (stated < _LATEST // times)
        us = stated.astype(np.uint64)
        return us if times == over else us * np.uint64(times) // np.uint64(over), good

    def _cut(
        self, t: NDArray[np.uint64], x: NDArray[Any], y: NDArray[Any], on: NDArray[np.bool_]
    ) -> tuple[Packet, NDArray[np.bool_]]:
        """The events inside the sensor, and which they are."""
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        packet = Packet(t, x.astype(np.uint16), y.astype(np.uint16), on)
        if inside.all():
            return packet, inside
        return Packet(t[inside], packet.x[inside], packet.y[inside], on[inside]), inside

    def _stated_size(self, members: Mapping[str, NpyMember]) -> tuple[int, int]:
        size: list[int] = []
        for name in ("width", "height"):
            if name in members:
                with self._damage(members[name]):
                    size.append(int(str(members[name].value())))
        if len(size) == 2:
            return size[0], size[1]
        if self._source["t"][0].name == _N_IMAGENET and self._source["t"][1]:
            return _N_IMAGENET_SIZE
        what = "an npz without width and height"
        raise RecordingError(self.path, what, "give them with --geometry WxH")

    def _error(self, letter: str, what: str) -> RecordingError:
        return self.damaged(what, self._source[letter][0].offset)


def _polarities(stated: NDArray[Any]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a pixel got brighter, and where that is told."""
    if stated.dtype.kind == "b":  # a damaged bool may be any byte
        stated = np.frombuffer(np.ascontiguousarray(stated).tobytes(), np.uint8)
    return stated > 0, (stated <= 1) & (stated >= -1)


def _find_columns(path: str, members: Mapping[str, NpyMember]) -> dict[str, tuple[NpyMember, str]]:
    """For t, x, y, p: the array, and the field of its records or ""."""
    found = _match({name: (member, "") for name, member in members.items()})
    for member in members.values():
        fields = member.dtype.names
        if len(found) < 4 and fields:
            found = _match({field: (member, field) for field in fields})
    if len(found) < 4:
        names = ", ".join(members) or "none"
        what = f"it has no columns t, x, y, p (its arrays: {names[:80]})"
        raise RecordingError(path, what, "save them with numpy.savez(path, t=t, x=x, y=y, p=p)")
    lengths = {member.shape for member, _ in found.values()}
    if len(lengths) > 1 or len(next(iter(lengths))) != 1:
        raise RecordingError(path, "its columns differ in length", "save columns of one length")
    for letter, (member, field) in found.items():
        dtype: np.dtype[Any] = member.dtype[field] if field else member.dtype
        kinds = {"t": "iuf", "p": "iub"}.get(letter, "iu")
        if dtype.kind not in kinds or dtype.shape or member.dtype.itemsize > _LARGEST_RECORD:
            what = f"its column {letter} holds {dtype}"
            raise RecordingError(
                path, what, "save integers (p may be bool) and nothing else", member.offset
            )
    return found


def _match(named: Mapping[str, tuple[NpyMember, str]]) -> dict[str, tuple[NpyMember, str]]:
    """By letter; t may name its unit."""
    found: dict[str, tuple[NpyMember, str]] = {}
    for name, source in named.items():
        for letter, names in _NAMES.items():
            if letter not in found and (_UNIT.sub("", name) if letter == "t" else name) in names:
                found[letter] = source
    return found


def _time_scale(
    path: str, members: Mapping[str, NpyMember], source: Mapping[str, tuple[NpyMember, str]]
) -> tuple[int, int]:
    """What a time is to be multiplied by and divided by to be microseconds."""
    member, field = source["t"]
    suffix = _UNIT.search(field or member.name)
    unit = suffix[1] if suffix else ""
    if not unit and "time_unit" in members:
        stated = members["time_unit"]
        with damage(path, stated.offset, "the array 'time_unit' is damaged"):
            unit = str(stated.value())
    dtype: np.dtype[Any] = member.dtype[field] if field else member.dtype
    if not unit and dtype.kind == "f":
        what = "its times have decimals, but no unit is named"
        raise RecordingError(path, what, "name the array t_s where they are seconds")
    if (unit or "us") not in _US:
        what = f"its time_unit is {unit[:20]!r}"
        raise RecordingError(path, what, "it must be s, ms, us or ns")
    return _US[unit or "us"]
