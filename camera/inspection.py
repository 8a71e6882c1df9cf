"""What a recording holds: exact counts and sums, to compare it with other readers."""

from __future__ import annotations

import os

import msgspec
import numpy as np

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.recordings import open_recording
from saccade.camera.streams import Stream


class Inspection(msgspec.Struct):
    """The events of one recording.

    Attributes:
        format, sensor, width, height: as of the recording.
        n, n_on: events, and those where the pixel got brighter.
        t_first, t_last: us of the first and the last event; None without events.
        duration_us: t_last - t_first; 0 without events.
        sum_x, sum_y, sum_t: exact sums over all events.
        backward_steps: events whose time is before that of the event before them.
        dropped: events left out, by class.
        skipped: what is no event, by class.
        streams: the streams, with how many events, frames, samples or triggers each has; of those
            after the damage, what came before it.
        rate: events/s over the duration; 0 where there is no duration.
        error: the damage that ended the reading; None where there is none.
        error_offset: its byte offset; None where there is none, or where it has none.
    """

    format: str
    sensor: str
    width: int
    height: int
    n: int = 0
    n_on: int = 0
    t_first: int | None = None
    t_last: int | None = None
    duration_us: int = 0
    sum_x: int = 0
    sum_y: int = 0
    sum_t: int = 0
    backward_steps: int = 0
    skipped: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    streams: list[Stream] = msgspec.field(default_factory=list[Stream])
    error_offset: int | None = None
    dropped: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    rate: float = 0.0
    error: str | None = None


def inspect(path: str | os.PathLike[str], geometry: tuple[int, int] | None = None) -> Inspection:
    """Reads a recording once, in constant memory.

    Raises RecordingError where it cannot be opened; damage further on is in `error`.
    """
    with open_recording(path, geometry) as recording:
        out = Inspection(recording.format, recording.sensor, recording.width, recording.height)
        try:
            for packet in recording.packets():
                _add(out, packet)
            recording.count_streams()
        except RecordingError as error:
            out.error, out.error_offset = str(error), error.offset
        out.dropped, out.skipped = recording.dropped, recording.skipped
        out.streams = recording.streams
    if out.t_first is not None and out.t_last is not None:
        out.duration_us = out.t_last - out.t_first
    if out.duration_us > 0:
        out.rate = out.n * 1e6 / out.duration_us
    return out


def _add(out: Inspection, packet: Packet) -> None:
    if out.t_last is not None:
        out.backward_steps += int(packet.t[0]) < out.t_last
    out.backward_steps += int(np.count_nonzero(packet.t[1:] < packet.t[:-1]))
    if out.t_first is None:
        out.t_first = int(packet.t[0])
    out.t_last = int(packet.t[-1])
    out.n += len(packet)
    out.n_on += int(np.count_nonzero(packet.on))
    out.sum_x += int(packet.x.sum(dtype=np.uint64))
    out.sum_y += int(packet.y.sum(dtype=np.uint64))
    # In two halves: the sum of a packet's times in us can exceed 64 bits.
    high, low = packet.t >> np.uint64(32), packet.t & np.uint64(0xFFFFFFFF)
    out.sum_t += (int(high.sum()) << 32) + int(low.sum())
