"""The settings that every socket here needs: libzmq's defaults trust the network."""

from __future__ import annotations

import errno
import os
import socket as unix
from collections.abc import Mapping
from pathlib import Path

import zmq

from saccade.camera.errors import SaccadeError
from saccade.stream.addresses import Address, bind_address

SEND_HWM = 1000
ROUTER_HWM = 100  # requests that wait, and replies that a client has not taken yet
# Subscribers send nothing but subscriptions: a topic's prefix.
_MAX_REQUEST_BYTES = 1024
# A peer that was stopped or unplugged is let go after this long: its queue is memory of ours.
_HEARTBEAT_MS = 1000
_SILENCE_MS = 5000


def set_options(
    socket: zmq.Socket[bytes], address: Address, *, linger_ms: int, max_part_bytes: int
) -> None:
    """Bounds for a socket before it binds or connects: part size, heartbeats, linger, IPv6."""
    socket.setsockopt(zmq.LINGER, linger_ms)
    socket.setsockopt(zmq.MAXMSGSIZE, max_part_bytes)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _SILENCE_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _SILENCE_MS)
    socket.setsockopt(zmq.IPV6, int(address.ipv6))


def bind_xpub(
    address: str, linger_ms: int
) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes], str]:
    """A bound XPUB socket with a context of its own, and its address (with the port found for 0).

    Raises:
        SaccadeError: a bad address, or one that is taken or not ours to bind.
    """
    # VERBOSER passes on every subscription and its end, not only the first and the last:
    # each new subscriber is to be answered, and all of them counted.
    options: dict[int, int] = {zmq.SNDHWM: SEND_HWM, zmq.XPUB_VERBOSER: 1}
    return _bind(zmq.XPUB, address, linger_ms, _MAX_REQUEST_BYTES, options)


def bind_router(
    address: str, linger_ms: int, max_part_bytes: int
) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes], str]:
    """A bound ROUTER socket, as `bind_xpub`; where it is a file, only for this user.

    A peer that takes no replies loses them: sending never waits.

    Raises:
        SaccadeError: a bad address, or one that is taken or not ours to bind.
    """
    options: dict[int, int] = {zmq.SNDHWM: ROUTER_HWM, zmq.RCVHWM: ROUTER_HWM}
    bound = _bind(zmq.ROUTER, address, linger_ms, max_part_bytes, options)
    if address.startswith("ipc://"):
        Path(address.removeprefix("ipc://")).chmod(0o600)
    return bound


def _bind(
    kind: int, address: str, linger_ms: int, max_part_bytes: int, options: Mapping[int, int]
) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes], str]:
    parsed = bind_address(address)
    if parsed.path:
        _check_ipc_path(address, Path(parsed.path))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(kind)
    try:
        set_options(socket, parsed, linger_ms=linger_ms, max_part_bytes=max_part_bytes)
        for option, value in options.items():
            socket.setsockopt(option, value)
        socket.bind(parsed.endpoint)
    except zmq.ZMQError as error:
        socket.close(0)
        context.term()
        raise SaccadeError(f"address {address!r}: {_bind_fault(error)}") from error
    if parsed.path:
        return context, socket, address
    endpoint = str(socket.getsockopt_string(zmq.LAST_ENDPOINT)).rstrip("\0")
    return context, socket, endpoint.replace("tcp://", "zmq://", 1)


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
