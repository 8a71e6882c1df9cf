"""The events that slices which are not cut yet may still need."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import EVENT_DTYPE, Packet


class SliceBuffer:
    """The packets that a later slice may still need, with their place in the stream."""

    def __init__(self) -> None:
        # (index of its first event, its events, their times made non-decreasing)
        self.parts: deque[tuple[int, Packet, NDArray[np.uint64]]] = deque()
        self.end = 0

    def append(self, packet: Packet, times: NDArray[np.uint64]) -> None:
        if not len(packet):
            return
        self.parts.append((self.end, packet, times))
        self.end += len(packet)

    def index_at(self, t_us: int) -> int:
        """Index of the first event at or after `t_us`."""
        for start, _, times in self.parts:
            if int(times[-1]) >= t_us:
                return start + int(np.searchsorted(times, np.uint64(max(t_us, 0))))
        return self.end

    @property
    def nbytes(self) -> int:
        return EVENT_DTYPE.itemsize * sum(len(packet) for _, packet, _ in self.parts)

    def take(self, first: int, last: int) -> tuple[Packet, ...]:
        return tuple(
            packet[max(first - start, 0) : last - start]
            for start, packet, _ in self.parts
            if first < start + len(packet) and start < last
        )

    def discard_before(self, index: int) -> None:
        while self.parts and self.parts[0][0] + len(self.parts[0][1]) <= index:
            self.parts.popleft()
