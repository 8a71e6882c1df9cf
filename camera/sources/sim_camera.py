"""A virtual camera, in a process of its own.

A URI and the path of a socket are its arguments. Its bytes are made first; "ready" on its standard
output says so. It ends with its standard input.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from saccade.camera.formats.evt3_words import clock_words
from saccade.camera.sources.sim_bytes import HIGH_US, Loop
from saccade.camera.sources.sim_link import END, EVENTS, Head
from saccade.camera.sources.sim_options import Fault, SimOptions, read_options
from saccade.camera.sources.uri import SourceUri

#: How often a transfer that the driver does not take looks up whether the cable was pulled.
_LOOK_S = 0.02
_BUFFER_BYTES = 4 << 20  # the kernel gives what it may


class _GoneError(Exception):
    """The connection is over: the driver left."""


class _UnpluggedError(Exception):
    """The connection is over: the cable was pulled."""


class _EndedError(Exception):
    """The camera's time is over."""


class Camera:
    """The sensor, its clock, and what goes wrong with them."""

    def __init__(self, options: SimOptions, path: Path) -> None:
        self._options, self._path = options, path
        self._loop = Loop(options, options.rate)
        self._fast = Loop(options, options.burst.rate) if options.burst else None
        self._faults = _fault_times(options)
        self._next = next(self._faults, None)
        self._made = self._lost = 0
        self._opened_ns: int | None = None
        self._start_ns = 0  # when the sensor's clock was 0
        self._jumped_us = 0  # how far the clock is ahead of that
        self._listener = self._listen()

    def run(self) -> None:
        """Serves one driver after another until the camera's time is over."""
        while True:
            connection, _ = self._listener.accept()
            if self._opened_ns is None:
                self._opened_ns = time.monotonic_ns()
            with connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
                connection.settimeout(_LOOK_S)
                try:
                    self._stream(connection)
                except _EndedError:
                    with contextlib.suppress(OSError):
                        connection.settimeout(1)
                        connection.sendall(self._head(0, END))
                    return
                except _GoneError:
                    continue
                except _UnpluggedError:  # off the bus first: who is told finds nobody
                    self._listener.close()
                    self._path.unlink()
            self._stay_away()

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        listener.listen(1)
        return listener

    def _stay_away(self) -> None:
        """As a device that is not on the bus: nobody can connect."""
        fault = self._next
        assert fault is not None
        self._next = next(self._faults, None)
        if fault.for_us == 0:
            threading.Event().wait()
        time.sleep(max(0.0, (self._at_ns(fault.at_us + fault.for_us) - _now()) / 1e9))
        self._listener = self._listen()

    def _stream(self, connection: socket.socket) -> None:
        self._start_ns, self._jumped_us = _now(), 0
        rng = random.Random(self._options.seed)
        for loop, begin_us in self._timeline():
            for k, transfer in enumerate(loop.transfers):
                due = self._start_ns + (begin_us + loop.end_us[k]) * 1000
                self._wait(due, connection, begin_us + loop.end_us[k])
                self._made += loop.events[k]
                if _now() - due > self._options.fifo_us * 1000:
                    self._lost += loop.events[k]
                    continue
                data = transfer.at(begin_us + self._jumped_us)
                if not data:
                    continue
                if rng.random() < self._options.drop:
                    self._lost += loop.events[k]
                    continue
                if rng.random() < self._options.garbage:
                    data = rng.randbytes(len(data))
                self._send(connection, data)

    def _timeline(self) -> Iterator[tuple[Loop, int]]:
        """Loops and when they start, microseconds after the clock's 0."""
        at, burst = 0, self._options.burst
        while True:
            fast = burst and self._fast and at % burst.every_us >= burst.every_us - burst.length_us
            loop = self._fast if fast and self._fast else self._loop
            yield loop, at
            at += loop.length_us

    def _wait(self, due_ns: int, connection: socket.socket, made_us: int) -> None:
        """Until a time, while faults happen."""
        while True:
            self._check_cable()
            fault = self._next
            if fault is not None and _now() >= self._at_ns(fault.at_us):
                self._next = next(self._faults, None)
                if fault.kind == "stall":
                    time.sleep(fault.for_us / 1e6)
                else:
                    self._jump(connection, fault.for_us, made_us)
                continue
            left = due_ns - _now()
            if left <= 0:
                return
            time.sleep(min(left / 1e9, _LOOK_S))

    def _jump(self, connection: socket.socket, by_us: int, made_us: int) -> None:
        """The clock goes on from another time; `made_us` is what it would be without any jump."""
        shown_us = (made_us + self._jumped_us) // HIGH_US * HIGH_US
        by_us = max(by_us, -shown_us) // HIGH_US * HIGH_US
        self._jumped_us += by_us
        if self._options.encoding == "evt3":
            self._send(connection, clock_words(shown_us // HIGH_US, (shown_us + by_us) // HIGH_US))

    def _check_cable(self) -> None:
        """Raises where it was pulled, or the camera's time is over."""
        seconds, fault = self._options.seconds, self._next
        if seconds is not None and _now() >= self._at_ns(round(seconds * 1e6)):
            raise _EndedError
        if fault is not None and fault.kind == "unplug" and _now() >= self._at_ns(fault.at_us):
            raise _UnpluggedError

    def _send(self, connection: socket.socket, data: memoryview | bytes) -> None:
        parts = memoryview(b"".join((self._head(len(data), EVENTS), data)))
        while parts:
            try:
                parts = parts[connection.send(parts) :]
            except TimeoutError:
                self._check_cable()
            except OSError:
                raise _GoneError from None

    def _head(self, size: int, kind: int) -> bytes:
        return Head(size, kind, self._made, self._lost, self._start_ns).pack()

    def _at_ns(self, after_us: int) -> int:
        assert self._opened_ns is not None
        return self._opened_ns + after_us * 1000


def _fault_times(options: SimOptions) -> Iterator[Fault]:
    shift = 0
    while options.faults:
        for fault in options.faults:
            yield Fault(fault.kind, fault.at_us + shift, fault.for_us)
        if not options.every_us:
            return
        shift += options.every_us


def _now() -> int:
    return time.monotonic_ns()


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def main() -> None:
    """The camera's process."""
    uri, path = sys.argv[1:]
    threading.Thread(target=_end_with_input, daemon=True).start()
    camera = Camera(read_options(SourceUri(uri)), Path(path))
    print("ready", flush=True)
    camera.run()
