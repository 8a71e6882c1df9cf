"""A socket that a source reads: whole pieces, with a turn for the reader while it waits."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


class ConnectionEndedError(Exception):
    """The other side is gone, or `close` was called."""


class Connection:
    """A connected stream socket. One thread reads; any may close."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reading = False
        self.closed = False

    def fill(self, out: memoryview, timeout_s: float) -> Iterator[None]:
        """Reads until `out` is full, with a None each time that nothing came for so long.

        Raises ConnectionEndedError where it ends before.
        """
        self._reading = True
        try:
            filled = 0
            while filled < len(out):
                try:
                    self._socket.settimeout(timeout_s)  # fails where it was closed before
                    n = self._socket.recv_into(out[filled:])
                except TimeoutError:
                    yield None
                    continue
                except OSError as error:
                    raise ConnectionEndedError(error.strerror or str(error)) from None
                if n == 0:
                    raise ConnectionEndedError("it closed the connection")
                filled += n
        finally:
            self._reading = False
            if self.closed:
                self._socket.close()

    def read(self, size: int, timeout_s: float) -> bytes:
        """So many bytes; ConnectionEndedError where nothing comes for `timeout_s`, too."""
        out = bytearray(size)
        for _ in self.fill(memoryview(out), timeout_s):
            raise ConnectionEndedError(f"nothing comes for {timeout_s:g} s")
        return bytes(out)

    def close(self) -> None:
        """Ends `fill` in another thread; the descriptor stays its own until then."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if not self._reading:
            self._socket.close()
