"""Reads one event_camera_msgs/EventPacket as ROS 1 and ROS 2 serialise it, every length checked.

Fields: std_msgs/Header header, uint32 height, uint32 width, uint64 seq, uint64 time_base,
string encoding, bool is_bigendian, uint8[] events.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from saccade.camera.errors import RecordingError
from saccade.camera.formats.base import COPY_AGAIN
from saccade.camera.formats.unpack import TooLargeError

_ZSTD = b"\x28\xb5\x2f\xfd"
_CDR_HEADER = 4
_BYTE = struct.Struct("B")
_NUMBERS = {
    order: (struct.Struct(order + "I"), struct.Struct(order + "II"), struct.Struct(order + "QQ"))
    for order in "<>"
}


class Message(NamedTuple):
    """A message of a bag.

    Attributes:
        topic: its topic's name.
        type: as the bag states it, "event_camera_msgs/EventPacket".
        encoding: how it is serialised, "ros1" or "cdr".
        data: the serialised message.
        offset: where in the file it lies, or the chunk that has it.
    """

    topic: str
    type: str
    encoding: str
    data: memoryview
    offset: int


class EventPacket(NamedTuple):
    """A packet of events, encoded.

    Attributes:
        width, height: the sensor's size in pixels.
        sequence: rises by one from packet to packet.
        time_base: what the packet's times are added to, in the encoding's unit.
        encoding: of `events`, "evt3".
        events: uint8 [N].
    """

    width: int
    height: int
    sequence: int
    time_base: int
    encoding: str
    events: memoryview


def read_event_packet(path: str, message: Message) -> EventPacket:
    """The fields of an EventPacket.

    Raises RecordingError at the message's offset where it is damaged, compressed on its own or has
    big-endian events.
    """
    if bytes(message.data[:4]) == _ZSTD:
        what, remedy = (
            "its messages are compressed one by one",
            "convert it with `ros2 bag convert`",
        )
        raise RecordingError(path, what, remedy, message.offset)
    try:
        packet, big = _parse(message)
    except (ValueError, struct.error, IndexError) as error:
        cut = "it is cut off"
        what = f"its message is damaged: {error if isinstance(error, ValueError) else cut}"
        raise RecordingError(path, what, "copy the file again", message.offset) from error
    if big:
        what, remedy = "its events are big-endian", "record on a little-endian machine"
        raise RecordingError(path, what, remedy, message.offset)
    return packet


def _parse(message: Message) -> tuple[EventPacket, int]:
    """The packet, and whether its events are big-endian. Reads past the end raise."""
    order, data = "<", message.data
    align = at = 0
    if message.encoding == "cdr":
        if data[0] != 0 or data[1] > 1:
            raise ValueError("it is no plain CDR")
        data, order = data[_CDR_HEADER:], "<" if data[1] else ">"
        align, at = -1, 8  # after the recorder's time
    elif message.encoding == "ros1":
        at = 12  # after another sequence number and the recorder's time
    else:
        raise ValueError(f"it is serialised in {message.encoding[:40]!r}, neither ros1 nor cdr")
    one, pair, long_pair = _NUMBERS[order]
    at += 4 + one.unpack_from(data, at)[0]  # frame_id
    at += -at % 4 & align
    height, width = pair.unpack_from(data, at)
    at += 8 + (-at % 8 & align)
    sequence, base = long_pair.unpack_from(data, at)
    (size,) = one.unpack_from(data, at + 16)
    encoding = bytes(data[at + 20 : at + 20 + size]).rstrip(b"\0").decode(errors="replace")
    at += 20 + size
    (big,) = _BYTE.unpack_from(data, at)
    at += 1 + (-(at + 1) % 4 & align)
    (size,) = one.unpack_from(data, at)
    events = data[at + 4 : at + 4 + size]
    if len(events) < size:
        raise ValueError(f"it has {len(events)} of {size} bytes of events")
    return EventPacket(width, height, sequence, base, encoding, events), big


def damage(path: str, what: str | ValueError, offset: int) -> RecordingError:
    """What is wrong with a bag at `offset`: an error to raise."""
    remedy = COPY_AGAIN
    if isinstance(what, TooLargeError):
        what, remedy = f"a chunk is not read: {what}", "record in chunks of a few MiB"
    return RecordingError(path, str(what), remedy, offset)
