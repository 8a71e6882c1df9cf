"""CURVE keys: the files they lie in, and who may come.

A key file holds both halves and is only its owner's (0600). A list of public keys has one a line,
its first word; what stands behind is for people, and so are lines that begin with "#".
"""

from __future__ import annotations

import os
import re
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from saccade.camera.errors import SaccadeError

_KEY = re.compile(r"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")  # Z85
_FILE = re.compile(r"(?:#[^\n]*\n)*public (\S{40})\nsecret (\S{40})\n")
_HEAD = "# A key of saccade. Keep this file to yourself; `saccade keys show FILE` is for others.\n"
_MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Key:
    """A pair of CURVE keys, 40 characters of Z85 each."""

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What a socket that is bound needs: its own key, and the public keys of who may come."""

    own: Key
    allowed: frozenset[str]

    @classmethod
    def read(cls, key: str | Path, allow: str | Path) -> ServerKeys:
        """From the file of our own key, and that of the clients' public keys.

        Raises:
            SaccadeError: a file that cannot be read, that others may read, or with bad keys.
        """
        return cls(read_key(key), frozenset(_read_list(Path(allow))))


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a socket that connects needs: its own key, and the public key of who is there."""

    own: Key
    server: str

    @classmethod
    def read(cls, key: str | Path, server: str | Path) -> ClientKeys:
        """From the file of our own key, and the server's public key or a file with it alone.

        Raises:
            SaccadeError: a file that cannot be read, that others may read, or with bad keys.
        """
        own = read_key(key)
        if isinstance(server, str) and not Path(server).exists() and _is_key(server):
            return cls(own, server)
        found = _read_list(Path(server))
        if len(found) != 1:
            raise SaccadeError(f"server {str(server)!r}: {len(found)} keys; give its own alone")
        return cls(own, found[0])


def server_keys(key: str | None, allow: str | None) -> ServerKeys | None:
    """Of `--key` and `--allow`; None without either.

    Raises:
        SaccadeError: one without the other, and as `ServerKeys.read`.
    """
    if key is None and allow is None:
        return None
    if key is None or allow is None:
        missing = "--allow FILE, the public keys of who may come" if key else "--key FILE, our own"
        raise SaccadeError(f"keys: no {missing}; --key and --allow need each other")
    return ServerKeys.read(key, allow)


def client_keys(key: str | None, server: str | None) -> ClientKeys | None:
    """Of `--key` and `--server`; None without either.

    Raises:
        SaccadeError: one without the other, and as `ClientKeys.read`.
    """
    if key is None and server is None:
        return None
    if key is None or server is None:
        missing = "--server KEY, the run's public key" if key else "--key FILE, our own"
        raise SaccadeError(f"keys: no {missing}; --key and --server need each other")
    return ClientKeys.read(key, server)


def make_key(path: Path) -> Key:
    """A new key, in a file that is made for it.

    Raises:
        SaccadeError: something is there already, or it cannot be written.
    """
    _check_curve()
    public, secret = (half.decode() for half in zmq.curve_keypair())
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SaccadeError(f"key {str(path)!r}: is there already; choose another name") from None
    except OSError as error:
        raise SaccadeError(f"key {str(path)!r}: {error.strerror}; choose another place") from None
    try:
        with os.fdopen(opened, "w", encoding="ascii") as file:
            file.write(f"{_HEAD}public {public}\nsecret {secret}\n")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise SaccadeError(f"key {str(path)!r}: {error.strerror}; choose another place") from None
    return Key(public, secret)


def read_key(path: str | Path) -> Key:
    """The key in a file of `make_key`.

    Raises:
        SaccadeError: it cannot be read, others may read it, or it is no key.
    """
    _check_curve()
    path = Path(path)
    text = _read(path, "key")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise SaccadeError(f"key {str(path)!r}: others may read it ({mode:04o}); chmod 600 it")
    match = _FILE.fullmatch(text)
    if match is None or not _is_key(match[1]) or not _is_key(match[2]):
        raise SaccadeError(f"key {str(path)!r}: no key; make one with `saccade keys make`")
    if zmq.curve_public(match[2].encode()).decode() != match[1]:
        raise SaccadeError(f"key {str(path)!r}: its halves do not belong together; make another")
    return Key(match[1], match[2])


def _check_curve() -> None:
    if not zmq.has("curve"):
        raise SaccadeError("keys: this libzmq was built without CURVE; pip install pyzmq has it")


def _read_list(path: Path) -> list[str]:
    """The public keys of a file, one a line."""
    found: list[str] = []
    for number, line in enumerate(_read(path, "keys").splitlines(), 1):
        word = line.split(maxsplit=1)[0] if line.strip() else "#"
        if _is_key(word):
            found.append(word)
        elif not word.startswith("#"):
            raise SaccadeError(
                f"keys {str(path)!r}: line {number} begins with no public key; "
                f"`saccade keys show FILE` says one"
            )
    if not found:
        raise SaccadeError(f"keys {str(path)!r}: no key in it; put in who may come, one a line")
    return found


def _read(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SaccadeError(f"{what} {str(path)!r}: {why}; name a file that can be read") from None


def _is_key(text: str) -> bool:
    """40 characters of Z85 that are 32 bytes: five of them may be above 2^32."""
    if not _KEY.fullmatch(text):
        return False
    try:
        return len(z85.decode(text.encode())) == 32
    except struct.error:
        return False
