"""Capture: a live source is read on a thread of its own, into a ring."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from saccade.camera.clock import SensorClock
from saccade.camera.events import Packet
from saccade.camera.realtime import check_realtime, set_realtime
from saccade.camera.ring import RING_BYTES, Ring
from saccade.camera.sources.base import LivePacket, LiveSource
from saccade.camera.sources.reopening import Reopening

#: A source says at least this often that nothing came: a stop is noticed so soon.
POLL_S = 0.1
#: Classes of `LiveSource.dropped` that count words, which need not have been events.
_NO_EVENTS = ("unknown_word",)

if TYPE_CHECKING:
    from saccade.camera.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Captured:
    """A packet in the ring, and what the source had lost before it.

    Attributes:
        arrived: its events, which one who asks for them decodes where they were counted before.
        refused: events so far that the driver lost or the decoder left out.
        losses: what else it lost so far, by class, such as transfers of unknown events.
        outages: how often the source was gone and came back until then, its clock from anywhere.
        packet: as it came, bytes included; None where nobody keeps them (`Capture.keep_bytes`).
        nbytes: that it held when it was put into the ring.
    """

    arrived: LivePacket
    refused: int
    losses: dict[str, int]
    outages: int
    packet: LivePacket | None
    nbytes: int

    @property
    def events(self) -> Packet:
        """Its events."""
        return self.arrived.events

    @property
    def n_events(self) -> int:
        """How many there are."""
        return self.arrived.n_events

    @property
    def ends_us(self) -> tuple[int, int]:
        """Times of the first and the last of them; there is one."""
        return self.arrived.ends_us

    @property
    def received_ns(self) -> int:
        """See `LivePacket`."""
        return self.arrived.received_ns


class Counter(Protocol):
    """What counts events as they arrive, on the capture's thread."""

    @property
    def on(self) -> int:
        """How many of those that were counted so far were ON; any thread."""
        ...

    def count(self, packet: LivePacket, outages: int, keep: bool) -> None:
        """Counts a packet's events, after so many outages; notes the clock.

        `keep`: its events are asked for afterwards, by others.
        """
        ...

    def finish(self, error: BaseException | None) -> None:
        """No packet follows, for the source has ended, by an error or without."""
        ...


class Capture:
    """Reads `source` from `start` on until it ends or `stop`.

    Attributes:
        source: the source; closing it is the caller's.
        ring: where its packets are.
        clock: of the sensor.
        events: those that arrived.
        error: what ended the source, once it has; None for its end or a stop.
        keep_bytes: whether the ring also holds the bytes that events came as.
        recorder: what writes them to a file meanwhile; None where nothing does.
        counter: what counts events without columns, where somebody wants no more of them; the ring
            is for others then, such as a recorder. Set before `start`.
    """

    def __init__(
        self, source: LiveSource, ring_bytes: int = RING_BYTES, realtime: bool = False
    ) -> None:
        """Starts nothing yet.

        Args:
            source: is read by one capture.
            ring_bytes: what the ring may hold.
            realtime: the thread goes before all others that have no such priority.

        Raises:
            SaccadeError: the system does not allow that.
        """
        if realtime:
            check_realtime()
        self._realtime = realtime
        self.source = source
        self.ring: Ring[Captured] = Ring(ring_bytes)
        self.clock = SensorClock()
        self.events = self._on = 0
        self.error: BaseException | None = None
        self._outages = 0  # before the packet that came last
        self.keep_bytes = False
        self.recorder: Recorder | None = None
        self.counter: Counter | None = None
        self._stop = threading.Event()
        self._last = math.inf  # when events came last, or when it was started
        self._thread = threading.Thread(target=self._run, name="saccade-capture", daemon=True)

    def start(self) -> None:
        """Begins to read; what a source holds from before comes first."""
        self._last = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Nothing more is read; what is in the ring stays for those who read it."""
        self._stop.set()

    def close(self, timeout_s: float = 2.0) -> bool:
        """Stops, and waits for the thread; whether it has ended in time."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def on(self) -> int:
        """How many of the events that arrived were ON."""
        return self._on if self.counter is None else self.counter.on

    @property
    def quiet_s(self) -> float:
        """Seconds without an event until now."""
        return max(0.0, time.monotonic() - self._last)

    @property
    def refused(self) -> int:
        """Events so far that never came to the ring: lost by the driver, or left out as damaged."""
        dropped = self.source.dropped.items()
        left_out = sum(n for kind, n in dropped if kind not in _NO_EVENTS)
        return self.source.lost.get("events", 0) + left_out

    @property
    def outages(self) -> int:
        """How often the source was lost, where it is opened again then; else 0."""
        return self.source.outages if isinstance(self.source, Reopening) else 0

    @property
    def losses(self) -> dict[str, int]:
        """What the driver lost so far of which it does not know the events, by class."""
        return {kind: n for kind, n in self.source.lost.items() if kind != "events" and n}

    def _run(self) -> None:
        try:
            if self._realtime:
                set_realtime()
            for packet in self.source.packets(POLL_S):
                if packet is not None:
                    self._put(packet)
                if self._stop.is_set():
                    break
        except BaseException as error:  # carried to the readers, whatever it is
            self.error = error
        if self.counter is not None:
            self.counter.finish(self.error)
        self.ring.end(self.error)

    def _put(self, packet: LivePacket) -> None:
        outages = self.outages
        if outages != self._outages:
            self._outages = outages
            self.clock.begin_anew()
        read, keep_bytes = self.ring.is_read, self.keep_bytes
        if self.counter is not None:
            self.counter.count(packet, outages, read)
        else:
            self._look_at(packet)
            if not keep_bytes:
                packet = LivePacket(packet.events, packet.received_ns)
        if packet.n_events:
            self._last = time.monotonic()
            self.events += packet.n_events
        if read and (packet.n_events or keep_bytes):
            kept = packet if keep_bytes else None
            lost = self.refused, self.losses
            self.ring.put(Captured(packet, *lost, outages, kept, packet.nbytes))

    def _look_at(self, packet: LivePacket) -> None:
        if packet.n_events:
            self.clock.note(*packet.ends_us, packet.received_ns)
            self._on += int(np.count_nonzero(packet.events.on))
