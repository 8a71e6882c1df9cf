"""Events counted slice by slice as they are decoded: what recordings offer for `camera.fused`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Protocol, runtime_checkable

from saccade.camera import _native
from saccade.camera.events import Packet


@runtime_checkable
class Countable(Protocol):
    """A recording whose bytes can be counted without columns between."""

    def count(self, slices: _native.SliceCounter, threads: int | None = None) -> Generator[None]:
        """One pass over the events; yields where a slice is due, which is to be taken then.

        Args:
            slices: where they are counted.
            threads: how many unfold what comes next, where a format is compressed, the caller's
                among them while it waits; None: as many as are worth it.

        Raises as `packets` does, after every event before the damage has been counted.
        """
        ...


def count_packets(packets: Iterable[Packet], slices: _native.SliceCounter) -> Generator[None]:
    """Counts columns: what `Countable.count` does where bytes cannot be."""
    for packet in packets:
        at = 0
        while at < len(packet):
            part = packet[at:]
            at += slices.add(part.t, part.x, part.y, part.on)
            if slices.due:
                yield
