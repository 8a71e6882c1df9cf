"""What a run and the process that writes its recording say to each other, over a socket.

Each message is a length, a MessagePack of one of the structs here, and the bytes of a `Chunk`.
Either side sees at once that the other is gone: the system closes its end, and what was sent before
is still received.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Any, Literal, TypeAlias

import msgspec

from saccade.camera.formats.evt3_words import Evt3State

#: Asked of the system for what is on its way; it may grant less.
_BUFFER_BYTES = 4 << 20
_HEAD = struct.Struct("<II")  # bytes of the message, and of what follows it


class SourceFacts(msgspec.Struct):
    """What a recording says of its camera; as `LiveSource` has it."""

    name: str
    sensor: str
    serial: str
    width: int
    height: int
    settings: dict[str, Any]


class Start(msgspec.Struct, tag=True):
    """What to record, first of all.

    Attributes:
        path: the file, as `os.fsencode` has it.
        raw: a RAW file, not AEDAT4.
        source: whose events.
    """

    path: bytes
    raw: bool
    source: SourceFacts


class Chunk(msgspec.Struct, tag=True):
    """Events that arrived at once; their bytes follow.

    Attributes:
        kind: of the bytes: "evt3" or "dv" as the camera sent them (`Content`), or "columns": t, x,
            y, on of all events one after the other, 8, 2, 2 and 1 bytes each.
        events: how many.
        first_us, last_us: times of the first and the last; 0 where there is none.
        before, after: of EVT3, as `Content` has them.
    """

    kind: Literal["evt3", "dv", "columns"]
    events: int
    first_us: int
    last_us: int
    before: Evt3State | None = None
    after: Evt3State | None = None


class Missing(msgspec.Struct, tag=True):
    """Events that never come, after the chunk before; as `RecordedGap`."""

    by: str
    from_us: int
    to_us: int
    events: int
    losses: dict[str, int] = {}


class Finish(msgspec.Struct, tag=True):
    """Nothing follows.

    Attributes:
        left: events that waited to be handed over when the recording ended before its time.
        error: what ended it, where that was not the process itself.
    """

    left: int = 0
    error: str = ""


class Written(msgspec.Struct, tag=True):
    """How far the recording is.

    Attributes:
        events: in the file.
        first_us, last_us: times of the first and the last of them.
        lost: as `Sidecar` counts them.
        gaps: how many it lists.
        content: what the file holds.
        error: what ended it before its time.
        over: both files are finished.
    """

    events: int
    first_us: int | None
    last_us: int | None
    lost: dict[str, int]
    gaps: int
    content: str
    error: str
    over: bool


Message: TypeAlias = Start | Chunk | Missing | Finish | Written


class Channel:
    """One end of the socket."""

    def __init__(self, end: socket.socket) -> None:
        """It is closed with this."""
        self._socket = end
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Message)

    def send(self, message: Message, *content: memoryview) -> None:
        """Sends a message, and the bytes that belong to it; waits while the other has no room.

        Raises:
            ConnectionError: the other end is gone.
        """
        body = self._encoder.encode(message)
        parts = [part.cast("B") for part in content]
        head = _HEAD.pack(len(body), sum(map(len, parts))) + body
        left = [part for part in (memoryview(head), *parts) if len(part)]
        while left:
            sent = self._socket.sendmsg(left)
            while left and sent >= len(left[0]):
                sent -= len(left.pop(0))
            if sent:
                left[0] = left[0][sent:]

    def waits(self, timeout_s: float) -> bool:
        """Whether something was sent, or the other end is gone; waits for that."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(1000 * timeout_s))

    def receive(self) -> tuple[Message, memoryview]:
        """The next message and the bytes that belong to it; waits for them.

        Raises:
            EOFError: the other end is gone, before the message was whole.
        """
        body, content = _HEAD.unpack(self._exactly(_HEAD.size))
        message = self._decoder.decode(self._exactly(body))
        return message, self._exactly(content)

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()

    def _exactly(self, n: int) -> memoryview:
        data = memoryview(bytearray(n))
        at = 0
        while at < n:
            try:
                got = self._socket.recv_into(data[at:])
            except ConnectionError:
                got = 0
            if not got:
                raise EOFError
            at += got
        return data
