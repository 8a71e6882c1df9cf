"""Reads one event_camera_msgs/EventPacket as ROS 1 and ROS 2 serialise it, every length checked.

Fields: std_msgs/Header header, uint32 height, uint32 width, uint64 seq, uint64 time_base,
string encoding, bool is_bigendian, uint8[] events.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from saccade.camera.errors import RecordingError
from saccade.camera.formats.unpack import TooLargeError

_ZSTD = b"\x28\xb5\x2f\xfd"
_CDR_HEADER = 4


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


class _Fields:
    """Takes fields off a message; raises ValueError where it ends before."""

    def __init__(self, data: memoryview, order: str, aligned: bool) -> None:
        self._data, self._order, self._aligned, self._at = data, order, aligned, 0

    def numbers(self, codes: str) -> tuple[int, ...]:
        """Numbers of one size."""
        size = struct.calcsize("=" + codes[0])
        if self._aligned:
            self._at += -self._at % size
        return struct.unpack(self._order + codes, self.bytes(size * len(codes)))

    def bytes(self, size: int) -> memoryview:
        if size > len(self._data) - self._at:
            raise ValueError(f"it ends inside a field of {size} bytes")
        self._at += size
        return self._data[self._at - size : self._at]

    def text(self) -> str:
        return bytes(self.bytes(*self.numbers("I"))).rstrip(b"\0").decode(errors="replace")


def read_event_packet(path: str, message: Message) -> EventPacket:
    """The fields of an EventPacket.

    Raises RecordingError at the message's offset where it is damaged, compressed on its own or has
    big-endian events.
    """
    if message.data[:4] == _ZSTD:
        what, remedy = (
            "its messages are compressed one by one",
            "convert it with `ros2 bag convert`",
        )
        raise RecordingError(path, what, remedy, message.offset)
    try:
        fields = _fields(message)
        fields.numbers("III" if message.encoding == "ros1" else "II")  # the recorder's clock
        fields.text()  # frame_id
        height, width = fields.numbers("II")
        sequence, base = fields.numbers("QQ")
        encoding, (big,) = fields.text(), fields.numbers("B")
        events = fields.bytes(*fields.numbers("I"))
    except ValueError as error:
        what, remedy = f"its message is damaged: {error}", "copy the file again"
        raise RecordingError(path, what, remedy, message.offset) from error
    if big:
        what, remedy = "its events are big-endian", "record on a little-endian machine"
        raise RecordingError(path, what, remedy, message.offset)
    return EventPacket(width, height, sequence, base, encoding, events)


def _fields(message: Message) -> _Fields:
    if message.encoding == "ros1":
        return _Fields(message.data, "<", aligned=False)
    if message.encoding != "cdr":
        raise ValueError(f"it is serialised in {message.encoding[:40]!r}, neither ros1 nor cdr")
    if len(message.data) < _CDR_HEADER or message.data[0] != 0 or message.data[1] > 1:
        raise ValueError("it is no plain CDR")
    return _Fields(message.data[_CDR_HEADER:], "<" if message.data[1] else ">", aligned=True)


def damage(path: str, what: str | ValueError, offset: int) -> RecordingError:
    """What is wrong with a bag at `offset`: an error to raise."""
    remedy = "the events before are good; copy the file again"
    if isinstance(what, TooLargeError):
        what, remedy = f"a chunk is not read: {what}", "record in chunks of a few MiB"
    return RecordingError(path, str(what), remedy, offset)
