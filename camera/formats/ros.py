"""Reads the events of a ROS bag (ROS 1, ROS 2 db3 or MCAP): event_camera_msgs/EventPacket.

Times are the sensor's: for "evt3" its own clock, for "libcaer", "libcaer_cmp" and "mono" what the
packets' time bases state, for libcaer us since 1970.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import cast

from saccade.camera import _native
from saccade.camera.counting import count_packets
from saccade.camera.errors import RecordingError, printable
from saccade.camera.events import Packet
from saccade.camera.formats.base import FileRecording
from saccade.camera.formats.file import RecordingFile, check_geometry
from saccade.camera.formats.ros_message import EventPacket, Message, read_event_packet
from saccade.camera.formats.stream import (
    CHUNK_BYTES,
    CHUNK_EVENTS,
    CountingDecoder,
    Decoder,
    Losses,
)
from saccade.camera.streams import Stream

#: One pass over a bag's messages, in the order in which they were recorded. The file and a
#: function that is told how far it has been read; see ros_bag1, ros_db3, ros_mcap.
Messages = Callable[[RecordingFile, Callable[[int], None]], Iterator[Message]]

#: The types of messages that are packets of events. EventArray is an older name of the same.
_TYPES = (
    "event_camera_msgs/EventPacket",
    "event_camera_msgs/msg/EventPacket",
    "event_array_msgs/EventArray",
    "event_array_msgs/msg/EventArray",
)
_DECODERS: dict[str, Callable[[int, int], Decoder]] = {
    "evt3": _native.Evt3Decoder,
    "libcaer": _native.LibcaerDecoder,
    "libcaer_cmp": _native.LibcaerCmpDecoder,
    "mono": _native.MonoDecoder,
}
_WORD_BYTES = {"evt3": 2, "libcaer": 8, "libcaer_cmp": 2, "mono": 8}


def open_bag1(file: RecordingFile, geometry: tuple[int, int] | None = None) -> RosRecording:
    """A ROS 1 bag; `file` starts with #ROSBAG V2.0."""
    from saccade.camera.formats.ros_bag1 import messages

    return RosRecording(file, messages, geometry)


def open_db3(file: RecordingFile, geometry: tuple[int, int] | None = None) -> RosRecording:
    """A ROS 2 bag in SQLite; `file` starts with SQLite's magic."""
    from saccade.camera.formats.ros_db3 import check_no_journal, messages

    check_no_journal(file.path)
    return RosRecording(file, messages, geometry)


def open_mcap(file: RecordingFile, geometry: tuple[int, int] | None = None) -> RosRecording:
    """A ROS bag in MCAP; `file` starts with MCAP's magic."""
    from saccade.camera.formats.ros_mcap import messages

    return RosRecording(file, messages, geometry)


class RosRecording(FileRecording):
    """The first event topic of a bag; see `saccade.camera.recordings.Recording`.

    skipped, besides the decoder's classes: other_event_topics (their packets) and sequence_gaps
    (where packets of the topic are missing, as their sequence numbers tell).

    Args:
        file: the open file; closed by `close`.
        messages: reads the container.
        geometry: (width, height) in pixels, over what the packets state.
    """

    def __init__(
        self, file: RecordingFile, messages: Messages, geometry: tuple[int, int] | None = None
    ) -> None:
        super().__init__(file)
        self._messages = messages
        self._topic, first = self._first_packet()
        self._stated = first.width, first.height
        self.width, self.height = geometry or self._stated
        check_geometry(self.path, self.width, self.height)
        self.format, self.sensor = first.encoding, ""
        if first.encoding not in _DECODERS:
            what = f"the encoding {printable(first.encoding[:40])!r} of its events is not read"
            raise RecordingError(self.path, what, f"record in one of {', '.join(_DECODERS)}")
        decoder = self._new_decoder()
        own = {"other_event_topics": 0, "sequence_gaps": 0}
        self._dropped, self._skipped = decoder.dropped, decoder.skipped | own  # all 0

    @property
    def streams(self) -> list[Stream]:
        """The events of the topic; its packets' triggers are in `skipped`."""
        return [Stream("events", self._topic, self._events)]

    def packets(self, since_us: int | None = None) -> Iterator[Packet]:
        """One pass over the topic's events, in packets of at most 65,536.

        Args:
            since_us: no use is made of it: a bag's index has the recorder's clock, not the
                sensor's.

        Raises RecordingError where the container or a message is damaged, or where a packet differs
        from the first one in its size or its encoding.
        """
        decoder = self._new_decoder()
        losses = Losses(decoder, self._dropped, self._skipped)
        for data in self._joined(decoder):
            events = Packet(*decoder.decode(data))
            losses.count()
            self._events += len(events)
            yield from events.split(CHUNK_EVENTS)

    def count(self, slices: _native.SliceCounter, threads: int | None = None) -> Generator[None]:
        """One pass that counts the events; see `saccade.camera.counting.Countable`."""
        decoder = self._new_decoder()
        if not isinstance(decoder, CountingDecoder):
            yield from count_packets(self.packets(), slices)
            return
        losses = Losses(decoder, self._dropped, self._skipped)
        for data in self._joined(decoder):
            at, before, words = 0, slices.events, memoryview(data)
            while at < len(words):
                at += decoder.count(words[at:], slices)
                losses.count()
                if slices.due:
                    yield
            self._events += slices.events - before

    def _joined(self, decoder: Decoder) -> Iterator[bytes]:
        """The bytes of the topic's packets, as many as are decoded together.

        What was read before damage comes before the RecordingError.
        """
        batch, sequence = _Batch(decoder), -1
        try:
            for message in self._messages(self._file, self._set_position):
                if message.type not in _TYPES:
                    continue
                if message.topic != self._topic:
                    self._skipped["other_event_topics"] += 1
                    continue
                packet = self._read(message)
                if sequence >= 0 and packet.sequence != sequence + 1:
                    self._skipped["sequence_gaps"] += 1
                sequence = packet.sequence
                yield from batch.add(packet)
        except RecordingError:
            yield from batch.take()
            raise
        yield from batch.take()

    def _set_position(self, position: int) -> None:
        self.position = position

    def _new_decoder(self) -> Decoder:
        return _DECODERS[self.format](self.width, self.height)

    def _first_packet(self) -> tuple[str, EventPacket]:
        """The topic whose packets are read, and the first one of them."""
        others: Counter[str] = Counter()
        for message in self._messages(self._file, self._set_position):
            if message.type in _TYPES:
                return message.topic, read_event_packet(self.path, message)
            others[message.type] += 1
        types = ", ".join(printable(name[:60]) for name, _ in others.most_common(3))
        what = f"it has no event_camera_msgs/EventPacket, only {types}" if others else "it is empty"
        raise RecordingError(self.path, what, "record the topic of the event camera's driver")

    def _read(self, message: Message) -> EventPacket:
        packet = read_event_packet(self.path, message)
        if (packet.width, packet.height) != self._stated:
            stated = "{}x{}".format(*self._stated)
            what = f"a packet of {packet.width}x{packet.height} pixels follows ones of {stated}"
            raise self.damaged(what, message.offset)
        if packet.encoding != self.format:
            encoding = printable(packet.encoding[:40])
            what = f"a packet encoded in {encoding!r} follows ones in {self.format}"
            raise self.damaged(what, message.offset)
        if len(packet.events) % _WORD_BYTES[self.format] != 0:
            what = f"its packet of {len(packet.events)} bytes ends inside a word"
            raise self.damaged(what, message.offset)
        return packet


class _Batch:
    """Packets that are decoded together, since many are of a few kilobytes; bounds the memory."""

    def __init__(self, decoder: Decoder) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        timed = not isinstance(decoder, _native.Evt3Decoder)
        self._announce = cast(_native.LibcaerDecoder, decoder).announce if timed else None

    def add(self, packet: EventPacket) -> Iterator[bytes]:
        """Takes a packet; gives the bytes of all so far where they are many."""
        if self._announce is not None:
            self._announce(packet.time_base, len(packet.events))
        for start in range(0, len(packet.events), CHUNK_BYTES):
            # Copied: a view would keep the whole chunk of the bag in memory, images and all.
            part = bytes(packet.events[start : start + CHUNK_BYTES])
            self._parts.append(part)
            self._size += len(part)
            if self._size >= CHUNK_BYTES:
                yield from self.take()

    def take(self) -> Iterator[bytes]:
        """The bytes that were taken since the last call, if there are any."""
        data, self._parts, self._size = b"".join(self._parts), [], 0
        if data:
            yield data
