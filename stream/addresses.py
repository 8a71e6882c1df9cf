"""Where results go and come from: `zmq://127.0.0.1:5556`, `tcp://...`, `ipc:///path`.

Loopback is the default and, without keys (CURVE), the only place to bind: whoever can reach the
port can read what the camera sees, or at the control socket change the words.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from saccade.camera.errors import SaccadeError

DEFAULT_ADDRESS = "zmq://127.0.0.1:5556"
_EXAMPLE = f"write it like {DEFAULT_ADDRESS} or ipc:///tmp/saccade.sock"
_TCP = re.compile(r"(?:zmq|tcp)://(\[[^\[\]/]*\]|[^\[\]:/]*):([0-9]{1,9})")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.\-]{0,252})")
# sun_path holds 108 bytes, the last one NUL: libzmq cuts nothing, it fails with a puzzling errno.
_MAX_IPC_BYTES = 107


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address.

    Attributes:
        text: as the user gave it.
        host: IP address, `*` or name; empty for ipc.
        port: TCP port, 0 for any free one; 0 for ipc.
        path: absolute path of the ipc socket; empty for TCP.
    """

    text: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def endpoint(self) -> str:
        """What libzmq wants: `tcp://127.0.0.1:5556`, `tcp://[::1]:5556` or `ipc:///path`."""
        if self.path:
            return f"ipc://{self.path}"
        host = f"[{self.host}]" if self.ipv6 else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def ipv6(self) -> bool:
        """Whether the host is an IPv6 address: libzmq has to be told."""
        return ":" in self.host

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host as an IP address, or None for a name, `*` and ipc."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def parse_address(address: str) -> Address:
    """An address from its text; `localhost` becomes 127.0.0.1.

    Raises:
        SaccadeError: not `zmq://`, `tcp://` or `ipc://`, a bad host, port or path.
    """
    if address.startswith("ipc://"):
        return _parse_ipc(address)
    match = _TCP.fullmatch(address)
    if match is None:
        raise SaccadeError(f"address {address!r}: not scheme://host:port; {_EXAMPLE}")
    host, port = match[1], int(match[2])
    if port > 65535:
        raise SaccadeError(f"address {address!r}: port {port} is above 65535; {_EXAMPLE}")
    return Address(address, _check_host(address, host), port)


def bind_address(address: str, guarded: bool = False) -> Address:
    """Where a publisher or a control socket may bind. Port 0 takes a free one.

    Args:
        guarded: it has keys, or the user said that it needs none; else only loopback or ipc.

    Raises:
        SaccadeError: a bad address, a name, or a place that other machines can reach.
    """
    parsed = parse_address(address)
    if parsed.path:
        return parsed
    ip = parsed.ip
    if ip is None and parsed.host != "*":
        raise SaccadeError(
            f"address {address!r}: cannot bind to the name {parsed.host!r}; use 127.0.0.1 or [::1]"
        )
    if not guarded and (ip is None or not ip.is_loopback):
        raise SaccadeError(
            f"address {address!r}: other machines could reach it; give keys (CURVE: "
            f"`saccade keys make`, then --key and --allow), or bind to 127.0.0.1"
        )
    return parsed


def connect_address(address: str) -> Address:
    """Where a subscriber may connect: anywhere, by IP address or name.

    Raises:
        SaccadeError: a bad address, port 0, or one that only a publisher can use (`*`, 0.0.0.0).
    """
    parsed = parse_address(address)
    if parsed.path:
        return parsed
    if parsed.port == 0:
        raise SaccadeError(f"address {address!r}: port 0 is nowhere to connect to; {_EXAMPLE}")
    if parsed.host == "*" or (parsed.ip is not None and parsed.ip.is_unspecified):
        raise SaccadeError(
            f"address {address!r}: {parsed.host} is nowhere to connect to; name the publisher's"
        )
    return parsed


def _parse_ipc(address: str) -> Address:
    path = address.removeprefix("ipc://")
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise SaccadeError(f"address {address!r}: not ipc:// and an absolute path; {_EXAMPLE}")
    size = len(path.encode(errors="surrogateescape"))
    if size > _MAX_IPC_BYTES:
        raise SaccadeError(
            f"address {address!r}: a path of {size} bytes, at most {_MAX_IPC_BYTES}; shorten it"
        )
    return Address(address, path=path)


def _check_host(address: str, host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        if host.startswith("["):
            return str(ipaddress.IPv6Address(host[1:-1]))
        # 256.1.1.1 looks like a name to the expression below.
        if host and set(host) <= set("0123456789."):
            return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise SaccadeError(f"address {address!r}: {error}; {_EXAMPLE}") from error
    if host != "*" and not _NAME.fullmatch(host):
        raise SaccadeError(f"address {address!r}: bad host {host!r}; {_EXAMPLE}")
    return host
