"""The settings that every socket here needs: libzmq's defaults trust the network."""

from __future__ import annotations

import errno
import os
import socket as unix
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import zmq

from saccade.camera.errors import SaccadeError
from saccade.stream.addresses import Address, bind_address, connect_address
from saccade.stream.handshakes import Door, Greeting, stop_watching
from saccade.stream.keys import ClientKeys, ServerKeys

SEND_HWM = 1000
RECEIVE_HWM = 10_000
ROUTER_HWM = 100  # requests that wait, and replies that a client has not taken yet
# Subscribers send nothing but subscriptions: a topic's prefix.
_MAX_REQUEST_BYTES = 1024
# A peer that was stopped or unplugged is let go after this long: its queue is memory of ours.
_HEARTBEAT_MS = 1000
_SILENCE_MS = 5000
# Short and without back-off: a short recording is over before a patient client is back.
_RECONNECT_MS = 20
_CURVE_BYTES = 33  # what encryption adds to a part


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that is bound, with a context of its own.

    Attributes:
        address: where, with the port that was found for 0.
        door: who may come, where it has keys.
    """

    context: zmq.Context[zmq.Socket[bytes]]
    socket: zmq.Socket[bytes]
    address: str
    door: Door | None

    def close(self) -> None:
        """Closes it; waits for what it lingers over."""
        if self.door is not None:
            stop_watching(self.socket)
            self.door.close()
        self.socket.close()
        self.context.term()


@dataclass(frozen=True, slots=True)
class Connected:
    """A socket that connects, with a context of its own, and whether it is let in."""

    context: zmq.Context[zmq.Socket[bytes]]
    socket: zmq.Socket[bytes]
    greeting: Greeting

    def check(self) -> None:
        """Raises SaccadeError where there will be no connection: it is refused."""
        if self.greeting.refused is not None:
            raise SaccadeError(self.greeting.refused)

    def close(self) -> None:
        """Closes it, with what it has not sent."""
        if self.socket.closed:
            return
        stop_watching(self.socket)
        self.greeting.close()
        self.socket.close(0)
        self.context.term()


def _set_options(
    socket: zmq.Socket[bytes],
    address: Address,
    *,
    linger_ms: int,
    max_part_bytes: int,
    curve: bool,
) -> None:
    """Bounds for a socket before it binds or connects: part size, heartbeats, linger, IPv6."""
    socket.setsockopt(zmq.LINGER, linger_ms)
    socket.setsockopt(zmq.MAXMSGSIZE, max_part_bytes + _CURVE_BYTES * curve)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _SILENCE_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _SILENCE_MS)
    socket.setsockopt(zmq.IPV6, int(address.ipv6))


def bind_xpub(
    address: str,
    linger_ms: int,
    keys: ServerKeys | None = None,
    insecure_no_auth: bool = False,
) -> Bound:
    """A bound XPUB socket.

    Raises:
        SaccadeError: a bad address, or one that is taken or not ours to bind; off loopback without
            keys, unless `insecure_no_auth`; both of them.
    """
    if keys is not None and insecure_no_auth:
        raise SaccadeError("keys and insecure_no_auth: one forbids what the other allows; give one")
    # VERBOSER passes on every subscription and its end, not only the first and the last:
    # each new subscriber is to be answered, and all of them counted.
    options: dict[int, int] = {zmq.SNDHWM: SEND_HWM, zmq.XPUB_VERBOSER: 1}
    guarded = keys is not None or insecure_no_auth
    return _bind(zmq.XPUB, address, linger_ms, _MAX_REQUEST_BYTES, options, keys, guarded)


def bind_router(
    address: str, linger_ms: int, max_part_bytes: int, keys: ServerKeys | None = None
) -> Bound:
    """A bound ROUTER socket, off loopback only with keys; where it is a file, only for this user.

    A peer that takes no replies loses them: sending never waits.

    Raises:
        SaccadeError: a bad address, or one that is taken or not ours to bind.
    """
    options: dict[int, int] = {zmq.SNDHWM: ROUTER_HWM, zmq.RCVHWM: ROUTER_HWM}
    guarded = keys is not None
    bound = _bind(zmq.ROUTER, address, linger_ms, max_part_bytes, options, keys, guarded)
    if address.startswith("ipc://"):
        Path(address.removeprefix("ipc://")).chmod(0o600)
    return bound


def connect(
    kind: int,
    address: str,
    *,
    max_part_bytes: int,
    keys: ClientKeys | None = None,
    topics: tuple[str, ...] = (),
    say_doubts: bool = True,
) -> Connected:
    """A socket that connects in the background: nobody need be there yet.

    Args:
        kind: `zmq.SUB`, with its `topics`, or `zmq.DEALER`.
        say_doubts: warns where it looks as if it will not be let in.

    Raises:
        SaccadeError: an address that cannot be connected to.
    """
    parsed = connect_address(address)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    curve = keys is not None
    _set_options(socket, parsed, linger_ms=0, max_part_bytes=max_part_bytes, curve=curve)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    if kind == zmq.SUB:
        socket.setsockopt(zmq.RCVHWM, RECEIVE_HWM)
    for topic in topics:
        socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
    connected = Connected(context, socket, Greeting(context, socket, address, keys, say_doubts))
    try:
        socket.connect(parsed.endpoint)
    except zmq.ZMQError as error:
        connected.close()
        raise SaccadeError(
            f"address {address!r}: cannot connect ({error.strerror}); check host and port"
        ) from error
    return connected


def _bind(
    kind: int,
    address: str,
    linger_ms: int,
    max_part_bytes: int,
    options: Mapping[int, int],
    keys: ServerKeys | None,
    guarded: bool,
) -> Bound:
    parsed = bind_address(address, guarded)
    if parsed.path:
        _check_ipc_path(address, Path(parsed.path))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    curve = keys is not None
    _set_options(socket, parsed, linger_ms=linger_ms, max_part_bytes=max_part_bytes, curve=curve)
    for option, value in options.items():
        socket.setsockopt(option, value)
    door = None if keys is None else Door(context, socket, keys)
    try:
        socket.bind(parsed.endpoint)
    except zmq.ZMQError as error:
        Bound(context, socket, address, door).close()
        raise SaccadeError(f"address {address!r}: {_bind_fault(error)}") from error
    if not parsed.path:
        endpoint = str(socket.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")
        address = endpoint.replace("tcp://", "zmq://", 1)
    return Bound(context, socket, address, door)


def check_process(pid: int, what: str) -> None:
    """Refuses to use a socket in a forked child, where it would corrupt the parent's.

    Raises:
        SaccadeError: this process is not the one, `pid`, that opened it.
    """
    if os.getpid() != pid:
        raise SaccadeError(f"{what} was opened before a fork; open one in the process that uses it")


def _bind_fault(error: zmq.ZMQError) -> str:
    if error.errno == zmq.EADDRINUSE:
        return "already in use; stop the other publisher or choose another port"
    if error.errno == errno.EACCES:
        return "not permitted; choose a port above 1023 or a folder that you may write to"
    return f"cannot bind ({error.strerror}); bind to 127.0.0.1 or to an ipc:// path"


def _check_ipc_path(address: str, path: Path) -> None:
    """libzmq deletes whatever is at the path before it binds: a live socket, or a user's file."""
    if not path.parent.is_dir():
        raise SaccadeError(f"address {address!r}: no folder {str(path.parent)!r}; make it first")
    if not path.exists():
        return
    if not path.is_socket():
        raise SaccadeError(f"address {address!r}: a file is there; choose another path")
    with unix.socket(unix.AF_UNIX, unix.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return  # left by a process that died
        except OSError as error:
            fault = f"cannot be tried ({error.strerror}); choose another path"
            raise SaccadeError(f"address {address!r}: {fault}") from error
    raise SaccadeError(
        f"address {address!r}: already in use; stop the other publisher or choose another path"
    )
