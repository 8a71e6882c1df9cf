"""Windows of recordings: the centre for tests, anywhere in training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.recordings import open_recording


def read_events(path: Path, geometry: tuple[int, int] | None) -> tuple[Packet, int, int]:
    """All events of a recording, and its sensor's width and height.

    They are held in memory: 13 bytes each.

    Args:
        path: of any format that saccade reads.
        geometry: for a file that does not state it; one that does keeps its own.

    Raises:
        RecordingError: it cannot be read, or not to its end, or has no event.
    """
    try:
        recording = open_recording(path)
    except RecordingError:
        if geometry is None:
            raise
        recording = open_recording(path, geometry)
    with recording:
        packets = list(recording.packets())
        size = recording.width, recording.height
    if not packets:
        raise RecordingError(str(path), "there is no event in it", "remove it from the data")
    return Packet.joined(packets), *size


def by_count(packet: Packet, events: int, rng: np.random.Generator | None) -> Packet:
    """That many consecutive events: those in the middle, or anywhere where `rng` is given.

    All of them where there are no more.
    """
    room = max(len(packet) - events, 0)
    first = room // 2 if rng is None else int(rng.integers(0, room + 1))
    return packet[first : first + events]


def by_time(packet: Packet, window_us: int, rng: np.random.Generator | None) -> Packet:
    """The events of so many microseconds: in the middle, or anywhere where `rng` is given.

    All of them where the recording is no longer. Times that step back a little are sorted first.
    """
    order = np.argsort(packet.t, kind="stable")
    t = packet.t[order]
    room = max(int(t[-1] - t[0]) + 1 - window_us, 0) if len(t) else 0
    start = room // 2 if rng is None else int(rng.integers(0, room + 1))
    begin = int(t[0]) + start if len(t) else 0
    chosen = order[np.searchsorted(t, begin) : np.searchsorted(t, begin + window_us)]
    return packet[chosen]
