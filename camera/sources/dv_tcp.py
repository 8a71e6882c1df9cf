"""`dv-tcp://host:port`: events that iniVation's software sends over the network.

DV's network output and dv-processing's `NetworkWriter` send what an AEDAT4 file holds behind its
first line: the header, then packet after packet, as soon as somebody connects.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from saccade.camera import _native
from saccade.camera.events import MAX_SIDE
from saccade.camera.formats.aedat4_events import PACKET_HEADER
from saccade.camera.formats.aedat4_info import StreamInfo, read_streams
from saccade.camera.formats.aedat4_writer import MAGIC
from saccade.camera.formats.unpack import COMPRESSIONS, PACKET_LIMIT, Compression, unpack
from saccade.camera.sources.base import LivePacket, SourceError, SourceLostError
from saccade.camera.sources.connection import Connection, ConnectionEndedError
from saccade.camera.sources.contents import DvEvents
from saccade.camera.sources.uri import SourceUri

_CONNECT_S = 3.0
_HEADER_LIMIT = 1 << 20
_SERVE = "start DV's network output (or dv-processing's NetworkWriter) there"


def open_dv_tcp(uri: SourceUri) -> DvTcpSource:
    """Connects to the server, and reads what it sends."""
    host, port = uri.host_and_port("dv-tcp://127.0.0.1:7777")
    uri.finish()
    return DvTcpSource(uri.text, host, port)


class DvTcpSource:
    """A server's event stream; see `saccade.camera.sources.base.LiveSource`.

    Attributes:
        sensor: what the server calls the camera, its serial number included as a rule.
    """

    serial = ""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self._place = name, (host, port)
        self._lost = {"damaged_packets": 0}
        self._dropped = {"out_of_bounds": 0, "negative_time": 0}
        self._closed = False
        self._connection: Connection
        self._stream: StreamInfo
        self._compression: Compression
        self._connection, self._stream, self._compression = self._connect()
        self.sensor = self._stream.source
        self.width, self.height = self._stream.width, self._stream.height

    @property
    def lost(self) -> dict[str, int]:
        """Packets whose content was damaged. The server does not tell what it leaves out."""
        return dict(self._lost)

    @property
    def dropped(self) -> dict[str, int]:
        """Events that were left out, by class."""
        return dict(self._dropped)

    def settings(self) -> dict[str, Any]:
        """None: the camera is the server's."""
        return {}

    def packets(self, timeout_s: float) -> Iterator[LivePacket | None]:
        """What arrives; see `LiveSource.packets`."""
        given = time.monotonic()
        try:
            for content in self._payloads(timeout_s):
                received_ns = time.monotonic_ns()
                events = self._open(content) if content is not None else None
                if events is not None:
                    packet = LivePacket(events, received_ns)
                    yield packet
                    given = time.monotonic() if packet.n_events else given
                if time.monotonic() - given >= timeout_s:  # images alone are no events
                    yield None
                    given = time.monotonic()
        except ConnectionEndedError as error:
            self._connection.close()
            if not self._closed:
                what = f"the connection ended: {error}"
                raise SourceLostError(self.name, what, _SERVE) from None

    def reopen(self) -> None:
        """Connects again; SourceError where another camera's events are sent there now."""
        self._connection.close()
        connection, stream, compression = self._connect()
        if (stream.source, stream.width, stream.height) != (self.sensor, self.width, self.height):
            connection.close()
            what = f"it sends {stream.source} of {stream.width}x{stream.height} now, "
            what += f"not {self.sensor} of {self.width}x{self.height}"
            raise SourceError(self.name, what, "start again")
        self._connection, self._stream, self._compression = connection, stream, compression

    def close(self) -> None:
        """Ends the connection."""
        self._closed = True
        self._connection.close()

    def _connect(self) -> tuple[Connection, StreamInfo, Compression]:
        try:
            connected = socket.create_connection(self._place, _CONNECT_S)
        except OSError as error:
            what = f"cannot connect: {error.strerror or error}"
            raise SourceLostError(self.name, what, _SERVE) from None
        _watch(connected)
        connection = Connection(connected)
        try:
            stream, compression = self._read_header(connection)
            return connection, stream, compression
        except ConnectionEndedError as error:
            connection.close()
            raise SourceLostError(self.name, f"it sends no header: {error}", _SERVE) from None
        except BaseException:
            connection.close()
            raise

    def _read_header(self, connection: Connection) -> tuple[StreamInfo, Compression]:
        """The first event stream, and how all are packed."""
        start = connection.read(4, _CONNECT_S)
        if start == MAGIC[:4]:  # as in a file, by a server that sends all of one
            connection.read(len(MAGIC) - 4, _CONNECT_S)
            start = connection.read(4, _CONNECT_S)
        size = int.from_bytes(start, "little")
        try:
            if size > _HEADER_LIMIT:
                raise ValueError("this is no AEDAT4 header")
            data = start + connection.read(size, _CONNECT_S)
            code, _, xml = _native.read_aedat4_header(data)
            if not 0 <= code < len(COMPRESSIONS):
                raise ValueError(f"compression {code} is unknown")
            streams = read_streams(xml).values()
        except ValueError as error:
            remedy = "check that DV's network output is at this port"
            raise SourceError(self.name, f"it sends something else: {error}", remedy) from None
        events = next((stream for stream in streams if stream.kind == "EVTS"), None)
        if events is None:
            kinds = ", ".join(stream.kind for stream in streams) or "no stream"
            raise SourceError(self.name, f"it sends {kinds}, no events", "let it send the events")
        if not (1 <= events.width <= MAX_SIDE and 1 <= events.height <= MAX_SIDE):
            what = f"it states a sensor of {events.width}x{events.height}"
            raise SourceError(self.name, what, "set the stream's resolution at the server")
        return events, COMPRESSIONS[code]

    def _payloads(self, timeout_s: float) -> Iterator[bytes | memoryview | None]:
        """The unpacked content of each packet of events; None for each timeout."""
        connection, head = self._connection, bytearray(PACKET_HEADER.size)
        while True:
            yield from connection.fill(memoryview(head), timeout_s)
            number, size = PACKET_HEADER.unpack(head)
            if not 0 <= size <= PACKET_LIMIT:
                raise ConnectionEndedError(f"a packet states {size} bytes")
            data = np.empty(size, np.uint8).data
            yield from connection.fill(data, timeout_s)
            if number != self._stream.number:
                continue
            try:
                yield unpack(data, self._compression)
            except ValueError:
                self._lost["damaged_packets"] += 1

    def _open(self, content: bytes | memoryview) -> DvEvents | None:
        try:
            return DvEvents(content, (self.width, self.height), self._dropped)
        except ValueError:
            self._lost["damaged_packets"] += 1
            return None


def _watch(connected: socket.socket) -> None:
    """A server that vanished without a word is noticed after 2 s, where the system allows."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"):
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), 1)
