"""A virtual camera's bytes, made before they are needed: a loop of events, encoded once, that is
sent again and again while its clock goes on.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import events_payload
from saccade.camera.formats.output import contiguous
from saccade.camera.sources.sim_options import SimOptions
from saccade.camera.sources.sim_scenes import film

#: EVT3's TIME_HIGH: a loop is of whole ones, and each is sent whether there are events or not.
HIGH_US = 4096
_HIGH_MASK = 0xFFF
#: Events of a loop, about; and the longest, which few events a second need.
_LOOP_EVENTS = 4_000_000
_LOOP_US = 1 << 24
_TRANSFER_EVENTS = 65_536
_TRANSFER_US = (1024, 512, 256)
#: A readout's period: its events share their time and come row by row, as a sensor sends them.
_READOUT_US = 32
_DV_HEAD = 32  # bytes of `events_payload` before its events, and of each event
_DV_EVENT = np.dtype({"names": ["t"], "formats": ["<i8"], "offsets": [0], "itemsize": 16})


class _Transfer(Protocol):
    """Encoded events whose clock can be set."""

    def at(self, time_us: int) -> memoryview:
        """The bytes where the loop started at that time, of whole `HIGH_US`; until the next call.

        Empty ones are not to be sent.
        """
        ...


class Loop:
    """Transfers of `length_us` in all.

    Attributes:
        length_us: whole `HIGH_US`.
        end_us: when the last event of each transfer is due, from the loop's start.
        events: how many are in each.
        transfers: themselves.
    """

    def __init__(self, options: SimOptions, rate: float | None) -> None:
        packet, self.length_us = _timed(options, rate)
        per_us = len(packet) / self.length_us
        fitting = (us for us in _TRANSFER_US if us * per_us <= _TRANSFER_EVENTS)
        step = next(fitting, _TRANSFER_US[-1])
        ends = np.arange(step, self.length_us + 1, step, dtype=np.uint64)
        edges = np.concatenate([[0], np.searchsorted(packet.t, ends)])
        self.end_us: list[int] = ends.tolist()
        self.events: list[int] = np.diff(edges).tolist()
        dv, width = options.encoding == "dv", options.width
        parts = (packet[begin:end] for begin, end in pairwise(edges))
        self.transfers: list[_Transfer] = [
            _DvTransfer(part) if dv else _Evt3Transfer(part, end - step, width)
            for part, end in zip(parts, self.end_us, strict=True)
        ]


class _Evt3Transfer:
    """Begins with its time and row, so that the loss of one before leaves it whole."""

    def __init__(self, part: Packet, start_us: int, width: int) -> None:
        self._words = _evt3(part, start_us, width)
        self._where = np.flatnonzero(self._words >> 12 == 8)
        self._high = self._words[self._where] & _HIGH_MASK
        self._data = self._words.data.cast("B")

    def at(self, time_us: int) -> memoryview:
        base = np.uint16((time_us >> 12) & _HIGH_MASK)
        self._words[self._where] = 0x8000 | ((self._high + base) & _HIGH_MASK)
        return self._data


class _DvTransfer:
    """A flatbuffer as iniVation's software sends it, not compressed."""

    def __init__(self, part: Packet) -> None:
        self._data = bytearray(events_payload(part)) if len(part) else bytearray()
        self._t = part.t.astype(np.int64)

    def at(self, time_us: int) -> memoryview:
        if len(self._t):
            times = np.frombuffer(self._data, _DV_EVENT, len(self._t), _DV_HEAD)["t"]
            times[:] = self._t + time_us
        return memoryview(self._data)


def _evt3(part: Packet, start_us: int, width: int) -> NDArray[np.uint16]:
    """A transfer's words; without events its clock alone, as far as that moves in it."""
    high = start_us >> 12
    if not len(part):
        clock = [0x8000 | (high & _HIGH_MASK)] if start_us % HIGH_US == 0 else []
        return np.array(clock, np.uint16)
    high = int(part.t[0]) >> 12
    encoder = _native.Evt3Encoder(width, high << 12)
    words = np.array(np.frombuffer(encoder.encode(*contiguous(part)).data, np.uint16))
    where = words >> 12 == 8  # counted from the origin, so that the words do not begin at time 0
    words[where] = 0x8000 | ((words[where] + np.uint16(high & _HIGH_MASK)) & _HIGH_MASK)
    return words


def _timed(options: SimOptions, rate: float | None) -> tuple[Packet, int]:
    """A scene's events at a rate, repeated where they are too few, and the loop's length in us."""
    if rate == 0:
        return film(options, 1)[:0], HIGH_US
    if rate is None:
        packet = film(options, _LOOP_EVENTS)
        return packet, (int(packet.t[-1]) // HIGH_US + 1) * HIGH_US
    longest = _LOOP_US if options.burst is None else options.burst.length_us // 2
    length = min(longest, round(_LOOP_EVENTS / rate * 1e6)) // HIGH_US * HIGH_US or HIGH_US
    n = max(1, round(rate * length / 1e6))
    scene = film(options, n)
    t = np.arange(n, dtype=np.uint64) * np.uint64(length) // np.uint64(n)
    t = t // np.uint64(_READOUT_US) * np.uint64(_READOUT_US)
    x, y, on = np.resize(scene.x, n), np.resize(scene.y, n), np.resize(scene.on, n)
    order = np.lexsort((x, on, y, t))
    return Packet(t, x[order], y[order], on[order]), length
