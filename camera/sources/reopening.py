"""A source that comes back: a camera that was unplugged is opened again, the same one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from saccade.camera.sources.base import LivePacket, LiveSource, SourceLostError

#: Seconds between attempts: the first come fast, and the slowest still finds a camera that came
#: back well within 2 s.
FIRST_S, SLOWEST_S = 0.1, 1.0


class Reopening:
    """A source whose `packets` goes on over outages; a `LiveSource` itself.

    Attributes:
        source: the source itself.
        outages: how often it was lost.
        fault: what is wrong with it now, in one line; "" while it is there.
    """

    def __init__(
        self,
        source: LiveSource,
        tell: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tell` is called with a line when the source is lost and when it is back."""
        self.source, self._tell, self._clock = source, tell, clock
        self.outages = 0
        self.fault = ""
        self._out_s = 0.0
        self._lost_at: float | None = None
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def sensor(self) -> str:
        """The source's."""
        return self.source.sensor

    @property
    def serial(self) -> str:
        """The source's."""
        return self.source.serial

    @property
    def width(self) -> int:
        """The source's, pixels."""
        return self.source.width

    @property
    def height(self) -> int:
        """The source's, pixels."""
        return self.source.height

    @property
    def lost(self) -> dict[str, int]:
        """The source's."""
        return self.source.lost

    @property
    def dropped(self) -> dict[str, int]:
        """The source's."""
        return self.source.dropped

    @property
    def outage_s(self) -> float:
        """Seconds without the source so far, the present outage included."""
        lost_at = self._lost_at
        return self._out_s + (self._clock() - lost_at if lost_at is not None else 0.0)

    def settings(self) -> dict[str, Any]:
        """The source's."""
        return self.source.settings()

    def packets(self, timeout_s: float) -> Iterator[LivePacket | None]:
        """What arrives; None for each timeout, outages included. Ends where the source itself does.

        Raises SourceError where another camera is there instead, or it sends what cannot be read.
        """
        while not self._closed.is_set():
            try:
                yield from self.source.packets(timeout_s)
                return
            except SourceLostError as error:
                self._begin_outage(str(error))
            yield from self._reopened(timeout_s)

    def reopen(self) -> None:
        """As the source's; `packets` does it by itself."""
        self.source.reopen()

    def close(self) -> None:
        """Closes the source, and ends `packets`."""
        self._closed.set()
        self.source.close()

    def _reopened(self, timeout_s: float) -> Iterator[None]:
        """Tries until it is back or closed, with a None for each timeout."""
        wait_s = FIRST_S
        due = self._clock() + wait_s
        while not self._closed.wait(max(0.0, min(due - self._clock(), timeout_s))):
            if self._clock() < due:
                yield None
                continue
            try:
                self.source.reopen()
            except SourceLostError as error:
                self.fault = str(error)
                wait_s = min(2 * wait_s, SLOWEST_S)
                due = self._clock() + wait_s
                continue
            self._end_outage()
            return

    def _begin_outage(self, fault: str) -> None:
        self.outages += 1
        self._lost_at, self.fault = self._clock(), fault
        self._say(fault)

    def _end_outage(self) -> None:
        assert self._lost_at is not None
        seconds = self._clock() - self._lost_at
        self._out_s += seconds
        self._lost_at, self.fault = None, ""
        self._say(f"{self.name}: it is back after {seconds:.1f} s")

    def _say(self, line: str) -> None:
        if self._tell is not None:
            self._tell(line)
