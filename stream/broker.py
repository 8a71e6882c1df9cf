"""`saccade broker`: several publishers on one address; their topics say which camera is which.

Each publisher is subscribed to as a whole, whoever listens: a subscriber can reach none of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import zmq

from saccade.camera.errors import SaccadeError
from saccade.stream.headers import MAX_BLOB_BYTES
from saccade.stream.keys import ClientKeys, ServerKeys
from saccade.stream.outlet import Outlet
from saccade.stream.sockets import Connected, connect
from saccade.stream.wire import WireError, check_sizes, split_topic

_POLL_MS = 50
_LINGER_MS = 1000
_IN_A_ROW = 200  # messages of one publisher, before the next one's
_KEPT = ("status", "vocabulary")
#: A status comes every second: a publisher that was silent for this long no longer has its stream.
_SILENCE_S = 5.0
_MAX_STREAMS = 1024


@dataclass
class _Source:
    """A publisher that is subscribed to."""

    address: str
    connected: Connected
    refused: str | None = None  # said already


class Broker:
    """Passes on what publishers send, as it is, and keeps the last values for late subscribers.

    Two publishers of one stream's name would be one mess: the second is not passed on while the
    first is heard, and `warnings` says so.

    Attributes:
        address: where it is bound, with the port that was found when 0 was asked for.
        passed: messages sent on.
        malformed: messages that were none of saccade's.
        doubled: messages of streams that another publisher has.
    """

    def __init__(
        self,
        sources: Sequence[tuple[str, ClientKeys | None]],
        address: str,
        keys: ServerKeys | None = None,
        insecure_no_auth: bool = False,
    ) -> None:
        """Binds at once, and connects in the background: no publisher need be there yet.

        Args:
            sources: addresses of publishers, and for each our key and theirs.
            address: where to bind.
            keys, insecure_no_auth: who may subscribe, as in `Publisher`.

        Raises:
            SaccadeError: a bad address, a port in use, a bind off loopback without keys, one
                publisher twice.
        """
        addresses = [each for each, _ in sources]
        if len(set(addresses)) < len(addresses) or not addresses:
            raise SaccadeError("broker: name one publisher or more, each of them once")
        self.passed = self.malformed = self.doubled = 0
        self._owners: dict[str, tuple[_Source, float]] = {}  # stream -> whose, and when heard
        self._said: set[tuple[str, str]] = set()
        self._sources: list[_Source] = []
        self._outlet = Outlet(address, _LINGER_MS, (), keys, insecure_no_auth)
        self.address = self._outlet.address
        try:
            for each, own in sources:
                connected = connect(
                    zmq.SUB, each, max_part_bytes=MAX_BLOB_BYTES, keys=own, topics=("",)
                )
                self._sources.append(_Source(each, connected))
        except SaccadeError:
            self.close()
            raise
        self._poller = zmq.Poller()
        for socket in (self._outlet.socket, *(s.connected.socket for s in self._sources)):
            self._poller.register(socket, zmq.POLLIN)

    @property
    def streams(self) -> dict[str, str]:
        """The streams that are heard, and the address that each comes from."""
        return {name: source.address for name, (source, _) in self._owners.items()}

    def turn(self) -> list[str]:
        """Passes on what is there, after waiting for it 50 ms at most.

        Returns:
            New warnings: publishers that refuse us, streams that two of them have.
        """
        ready = dict(self._poller.poll(_POLL_MS))
        warnings: list[str] = []
        for source in self._sources:
            if source.connected.socket in ready:
                self._pass_on(source, warnings)
            refused = source.connected.greeting.refused
            if refused is not None and source.refused is None:
                source.refused = refused
                warnings.append(refused)
        self._outlet.answer()
        return warnings

    def close(self) -> None:
        """Disconnects; who has not yet taken what was sent gets a second for it."""
        for source in self._sources:
            source.connected.close()
        self._outlet.close()

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pass_on(self, source: _Source, warnings: list[str]) -> None:
        for _ in range(_IN_A_ROW):
            try:
                parts = source.connected.socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                topic, kind, stream, latest = split_topic(parts)
                check_sizes((topic, parts[0]) if latest else parts)
            except WireError:
                self.malformed += 1
                continue
            if not self._owns(source, stream, warnings):
                self.doubled += 1
                continue
            self._outlet.send(parts)
            self.passed += 1
            if latest or kind in _KEPT:
                self._outlet.keep(topic, parts)

    def _owns(self, source: _Source, stream: str, warnings: list[str]) -> bool:
        now = time.monotonic()
        owner, heard = self._owners.get(stream, (source, now))
        if owner is not source and now < heard + _SILENCE_S:
            if (stream, source.address) not in self._said and len(self._said) < _MAX_STREAMS:
                self._said.add((stream, source.address))
                warnings.append(
                    f"stream {stream!r} of {source.address} is not passed on: {owner.address} has "
                    f"one of that name; give each its own (saccade run --stream NAME)"
                )
            return False
        if stream not in self._owners and len(self._owners) >= _MAX_STREAMS:
            del self._owners[next(iter(self._owners))]
        self._owners[stream] = source, now
        return True
