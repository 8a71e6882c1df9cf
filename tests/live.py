"""A live source of a script: packets, silence and errors, for tests."""

from __future__ import annotations

import threading
import time

import numpy as np

from saccade.camera.events import Packet
from saccade.camera.sources import LivePacket
from saccade.camera.sources.evt3_stream import Evt3Stream


def packet(n, t0, t1, x=3, y=3, on=None):
    """n events at one pixel, their times spread evenly over [t0, t1)."""
    t = np.linspace(t0, t1, n, endpoint=False).astype(np.uint64)
    columns = np.full(n, x, np.uint16), np.full(n, y, np.uint16)
    return Packet(t, *columns, np.arange(n) % 2 == 0 if on is None else np.full(n, on))


class ScriptedSource:
    """Gives what a script holds: a Packet; a number, seconds to wait in silence; an error.

    Attributes:
        sent: events given.
    """

    name = "script://test"
    sensor = "SCRIPT"
    serial = "1"

    def __init__(self, script, width=16, height=16):
        self.width, self.height = width, height
        self.lost: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.sent = 0
        self.closed = threading.Event()
        self._script = iter(script)

    def packets(self, timeout_s):
        for item in self._script:
            if isinstance(item, Exception):
                raise item
            if isinstance(item, dict):
                self.lost = item
            elif isinstance(item, Packet):
                self.sent += len(item)
                yield LivePacket(item, time.monotonic_ns())
            else:
                until = time.monotonic() + item
                while time.monotonic() < until:
                    self.closed.wait(min(timeout_s, max(0.0, until - time.monotonic())))
                    yield None
            if self.closed.is_set():
                return

    def reopen(self):
        raise AssertionError("not of a script")

    def settings(self):
        return {"biases": {"diff": 3}}

    def close(self):
        self.closed.set()


class WordSource(ScriptedSource):
    """Sends transfers of EVT3; `losses` says where in each bytes are missing."""

    sensor = "WORDS"

    def __init__(self, transfers, width, height, losses=(), every_s=0.0):
        super().__init__(transfers, width, height)
        self._stream = Evt3Stream(width, height)
        self._losses = iter(losses)
        self._every_s = every_s

    def packets(self, timeout_s):
        for data in self._script:
            time.sleep(self._every_s)
            torn = next(self._losses, ())
            if torn:
                self.lost = {"overflows": self.lost.get("overflows", 0) + len(torn)}
            packet = self._stream.packet(data, time.monotonic_ns(), torn)
            self.dropped = self._stream.dropped
            if packet is not None:
                self.sent += len(packet.events)
                yield packet
            if self.closed.is_set():
                return


def steady(seconds, rate=100_000, every_s=0.005, t0=1_000_000):
    """A script of `rate` events a second, in packets as they come, paced by the clock."""
    begun = time.monotonic()
    n = 0
    while n * every_s < seconds:
        begin, end = (round(t0 + 1e6 * every_s * k) for k in (n, n + 1))
        n += 1
        yield max(0.0, begun + n * every_s - time.monotonic())
        yield packet(round(rate * every_s), begin, end)
