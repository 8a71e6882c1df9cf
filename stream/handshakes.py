"""Who comes to a socket with keys, and why a connection is not made: libzmq says neither by itself.

Each watcher is a thread that reads its socket's events, and ends with the socket.
"""

from __future__ import annotations

import itertools
import logging
import struct
import threading
import time
from collections import Counter

import zmq
from zmq.utils import z85

from saccade.stream.keys import ClientKeys, ServerKeys

_LOG = logging.getLogger(__name__)
_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_OTHER_KEY = 0x11000001  # ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
_OTHER_MECHANISM = 0x11000002  # ..._ZMTP_MECHANISM_MISMATCH
_ZAP = "inproc://zeromq.zap.01"
_SAY_AGAIN_S = 10.0  # a refusal of one kind fills no log
_CLOSED_OFTEN = 3  # connections in a row: an SSH tunnel to nowhere closes them too
_NUMBER = itertools.count()


def _events_of(
    context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], events: int
) -> zmq.Socket[bytes]:
    """A socket that gets these events of `socket`, and then its end."""
    endpoint = f"inproc://saccade-events-{next(_NUMBER)}"
    socket.monitor(endpoint, events | zmq.EVENT_MONITOR_STOPPED)
    pair = context.socket(zmq.PAIR)
    pair.setsockopt(zmq.LINGER, 0)
    pair.connect(endpoint)
    return pair


def _event_of(parts: list[bytes]) -> tuple[int, int]:
    """The event and its value; zmq.utils.monitor would do it and imports asyncio."""
    event, value = struct.unpack("=HI", parts[0])
    return event, value


def stop_watching(socket: zmq.Socket[bytes]) -> None:
    """Ends the watcher of a socket that is about to be closed."""
    socket.disable_monitor()


class Door:
    """Lets those on a list come to a socket that is about to be bound (ZAP), and nobody else.

    Attributes:
        refused: handshakes that failed, for whichever reason.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        socket: zmq.Socket[bytes],
        keys: ServerKeys,
    ) -> None:
        """Sets the keys and begins to answer; the context is this socket's alone."""
        self.refused = 0
        self._allowed = keys.allowed
        self._said: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()
        self._requests = context.socket(zmq.REP)
        self._requests.setsockopt(zmq.LINGER, 0)
        self._requests.bind(_ZAP)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.own.public.encode())
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.own.secret.encode())
        socket.setsockopt(zmq.ZAP_DOMAIN, b"saccade")
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # where nobody answers, nobody comes in
        self._events = _events_of(context, socket, _FAILED & ~zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        self._thread = threading.Thread(target=self._watch, name="saccade-door", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for the thread, which ends with `stop_watching`."""
        self._thread.join()

    def _watch(self) -> None:
        poller = zmq.Poller()
        for socket in (self._requests, self._events):
            poller.register(socket, zmq.POLLIN)
        ended = False
        try:
            while not ended:
                ready = dict(poller.poll())
                if self._requests in ready:
                    self._answer(self._requests.recv_multipart())
                if self._events in ready:
                    event, value = _event_of(self._events.recv_multipart())
                    ended = event == zmq.EVENT_MONITOR_STOPPED
                    if not ended:
                        self._heed(event, value)
        except zmq.ContextTerminated:
            pass
        finally:
            self._requests.close(0)
            self._events.close(0)

    def _answer(self, request: list[bytes]) -> None:
        """One ZAP request: version, id, domain, address, identity, mechanism, the client's key."""
        key = z85.encode(request[6]).decode() if len(request) == 7 else ""
        known = request[5] == b"CURVE" and key in self._allowed
        code, text = (b"200", b"OK") if known else (b"400", b"not on the list")
        self._requests.send_multipart([*request[:2], code, text, b"", b""])
        if not known:
            where = request[3].decode("latin-1")
            self._refuse("unlisted", f"a client at {where}: its key {key} is not on --allow")

    def _heed(self, event: int, value: int) -> None:
        """A handshake that failed; a client that sees first that we differ leaves by itself."""
        if event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._refuse(
                "keyless", "a client that left at once: it has no keys, or is none of ours"
            )
        elif value == _OTHER_MECHANISM:
            self._refuse("keyless", "a client that has no keys; it needs --key and --server")
        elif value == _OTHER_KEY:
            self._refuse("other key", "a client that takes us for another; see its --server")
        else:
            self.refused += 1  # it speaks another language

    def _refuse(self, kind: str, text: str) -> None:
        self.refused += 1
        now = time.monotonic()
        if now < self._said.get(kind, 0.0):
            self._unsaid[kind] += 1
            return
        self._said[kind] = now + _SAY_AGAIN_S
        more = self._unsaid.pop(kind, 0)
        _LOG.warning("refused %s%s", text, f" (and {more} before)" if more else "")


class Greeting:
    """Watches whether a socket that connects is let in.

    Attributes:
        refused: why there will be no connection, in one line; None while there may be.
        doubt: why there probably will be none; None where there is no reason to think so.
        met: whether there was a connection.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        socket: zmq.Socket[bytes],
        address: str,
        keys: ClientKeys | None,
        say_doubts: bool,
    ) -> None:
        """Sets the keys and begins to watch, before the socket connects.

        Args:
            say_doubts: warns of a doubt when there is one.
        """
        self.refused: str | None = None
        self.doubt: str | None = None
        self.met = False
        self._address, self._keys, self._closed_in_a_row = address, keys, 0
        self._say_doubts = say_doubts
        if keys is not None:
            socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server.encode())
            socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.own.public.encode())
            socket.setsockopt(zmq.CURVE_SECRETKEY, keys.own.secret.encode())
        self._events = _events_of(context, socket, _FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._thread = threading.Thread(target=self._watch, name="saccade-greeting", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Waits for the thread, which ends with `stop_watching`."""
        self._thread.join()

    def _watch(self) -> None:
        try:
            while True:
                event, value = _event_of(self._events.recv_multipart())
                if event == zmq.EVENT_MONITOR_STOPPED:
                    return
                self._heed(event, value)
        except zmq.ContextTerminated:
            pass
        finally:
            self._events.close(0)

    def _heed(self, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.met, self.doubt, self._closed_in_a_row = True, None, 0
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self.refused = f"address {self._address!r}: refuses us" + (
                f", for our key is not on its list; add {self._keys.own.public} to its --allow"
                if self._keys
                else "; give --key FILE and --server KEY"
            )
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == _OTHER_MECHANISM:
            self.refused = f"address {self._address!r}: " + (
                "wants keys; give --key FILE and --server KEY"
                if self._keys is None
                else "has no keys; leave out --key and --server"
            )
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._closed_in_a_row += 1
            if self._closed_in_a_row == _CLOSED_OFTEN and self.doubt is None:
                self._doubt()

    def _doubt(self) -> None:
        why = (
            "it wants keys (--key FILE --server KEY)"
            if self._keys is None
            else "it has another key than --server says, or none"
        )
        self.doubt = (
            f"address {self._address!r}: closes every connection: {why}, or nobody is behind it yet"
        )
        if self._say_doubts:
            _LOG.warning("%s; still trying", self.doubt)
