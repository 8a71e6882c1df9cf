"""What goes over a virtual camera's cable: transfers, each below a head of fixed size."""

from __future__ import annotations

import struct
from typing import NamedTuple

#: Of a transfer.
EVENTS, END = 1, 2
_HEAD = struct.Struct("<IIQQq")
HEAD_BYTES = _HEAD.size


class Head(NamedTuple):
    """What a driver learns of a transfer.

    Attributes:
        size: bytes that follow.
        kind: `EVENTS`, or `END`: the camera's time is over.
        made: events that the sensor made since the camera was first opened, these included.
        lost: how many of them were lost on the way here.
        start_ns: of `time.monotonic_ns`, when the sensor's clock was 0.
    """

    size: int
    kind: int
    made: int
    lost: int
    start_ns: int

    def pack(self) -> bytes:
        """Its bytes."""
        return _HEAD.pack(*self)


def unpack_head(data: bytes | bytearray | memoryview) -> Head:
    """The head in `HEAD_BYTES` bytes."""
    return Head(*_HEAD.unpack(data))
