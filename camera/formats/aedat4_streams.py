"""AEDAT4's streams next to the events: one decompressed payload each, as columns.

Fields and their order: frame.fbs, imu.fbs and trigger.fbs of dv-processing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from saccade.camera import _native
from saccade.camera.streams import Frame, ImuPacket, Triggers

#: The kinds of streams that are read, by the identifier of their packets.
KINDS = {"EVTS": "events", "FRME": "frames", "IMUS": "imu", "TRIG": "triggers"}


def frame(payload: bytes | memoryview) -> tuple[Frame, int]:
    """The frame of a FRME payload, and 0: a frame's time may be negative.

    Raises ValueError with what is wrong where it is damaged.
    """
    t, begin, end, shape, position, first = _native.read_aedat4_frame(payload)
    n = shape[0] * shape[1] * shape[2]
    # A copy: a view would keep the whole buffer that the packet was unpacked into.
    pixels = np.reshape(np.array(np.frombuffer(payload, np.uint8, n, first)), shape)
    return Frame(t, (begin, end), pixels[:, :, 0] if shape[2] == 1 else pixels, position), 0


def imu(payload: bytes | memoryview) -> tuple[ImuPacket, int]:
    """The samples of an IMUS payload, and how many were dropped for a negative time.

    Raises ValueError with what is wrong where it is damaged.
    """
    t, temperature, a, g, m, negative = _native.read_aedat4_imu(payload)
    axes = (np.reshape(column, (-1, 3)) for column in (a, g, m))
    return ImuPacket(t, temperature, *axes), negative


def triggers(payload: bytes | memoryview) -> tuple[Triggers, int]:
    """The triggers of a TRIG payload, and how many were dropped for a negative time.

    Raises ValueError with what is wrong where it is damaged.
    """
    t, kind, negative = _native.read_aedat4_triggers(payload)
    return Triggers(t, kind), negative


#: Reads a payload of each kind of stream but the events.
PARSERS: dict[str, Callable[[bytes | memoryview], tuple[object, int]]] = {
    "FRME": frame,
    "IMUS": imu,
    "TRIG": triggers,
}
