"""Events as the decoders give them: columns, not records.

A frame needs x, y and polarity; a slicer needs t. Columns let each stage read only what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Pixels on a side: no event camera comes near, so a header that claims more is damaged.
MAX_SIDE = 8192

#: One event as a record (13 bytes): t in microseconds, x from the left, y from the top, on where
#: the pixel got brighter.
EVENT_DTYPE = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")])


@dataclass(frozen=True, slots=True)
class Packet:
    """A batch of events as it came from a source, in columns of one length N.

    Attributes:
        t: uint64 [N], microseconds of the sensor's clock.
        x: uint16 [N], pixels from the left, below the sensor's width.
        y: uint16 [N], pixels from the top, below the sensor's height.
        on: bool [N], True where the pixel got brighter.
    """

    t: NDArray[np.uint64]
    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    on: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, part: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Packet:
        """The events of a slice of indices, as views; of a mask or of indices, as copies."""
        return Packet(self.t[part], self.x[part], self.y[part], self.on[part])

    @staticmethod
    def joined(packets: Sequence[Packet]) -> Packet:
        """The events of one or more packets in one, in their order (copies of several)."""
        if len(packets) == 1:
            return packets[0]
        return Packet(
            np.concatenate([packet.t for packet in packets]),
            np.concatenate([packet.x for packet in packets]),
            np.concatenate([packet.y for packet in packets]),
            np.concatenate([packet.on for packet in packets]),
        )

    def split(self, n: int) -> Iterator[Packet]:
        """The events in their order, in views of at most n."""
        for start in range(0, len(self), n):
            yield self[start : start + n]

    def to_array(self) -> NDArray[np.void]:
        """The same events as one array of `EVENT_DTYPE` [N] (a copy)."""
        array = np.empty(len(self), EVENT_DTYPE)
        array["t"], array["x"], array["y"], array["on"] = self.t, self.x, self.y, self.on
        return array

    @staticmethod
    def from_array(events: NDArray[np.void]) -> Packet:
        """Columns (copies) of an array of `EVENT_DTYPE` [N]."""
        return Packet(
            np.ascontiguousarray(events["t"]),
            np.ascontiguousarray(events["x"]),
            np.ascontiguousarray(events["y"]),
            np.ascontiguousarray(events["on"]),
        )
