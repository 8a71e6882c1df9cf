"""The sensor's clock against this machine's: where it is now, and how evenly its events arrive."""

from __future__ import annotations

#: The offset is the least of the last one to two of these: it follows two clocks that drift.
_BLOCK_NS = 10_000_000_000
#: Arrivals that are later than this by the clock, or sooner, mean that the clock was set.
_SET_NS = 1_000_000_000
#: A packet that gathers events for longer is taken for one of a damaged clock.
_MAX_GATHERED_US = 1_000_000


class SensorClock:
    """Follows a sensor's clock by the arrival of its packets; one thread notes, any reads.

    Attributes:
        jitter_us: mean change of the delay from one packet to the next, over the last sixteen or so
            (the interarrival jitter of RFC 3550).
    """

    def __init__(self) -> None:
        self.jitter_us = 0.0
        self._before_ns: int | None = None  # the offset that the packet before had
        # Of the block before and of this one: least offset, and longest wait for the first event.
        self._blocks: tuple[tuple[int, int], tuple[int, int]] | None = None
        self._until_ns = 0

    def note(self, first_us: int, last_us: int, received_ns: int) -> None:
        """A packet came, of events from `first_us` to `last_us`."""
        offset = received_ns - last_us * 1000
        block = offset, max(0, last_us - first_us)
        if self._before_ns is not None and abs(offset - self._before_ns) < _SET_NS:
            change_us = abs(offset - self._before_ns) / 1000
            self.jitter_us += (change_us - self.jitter_us) / 16
        else:
            self._blocks = None
        self._before_ns = offset
        if self._blocks is None:
            self._blocks = block, block
            self._until_ns = received_ns + _BLOCK_NS
        elif received_ns > self._until_ns:
            self._blocks = self._blocks[1], block
            self._until_ns = received_ns + _BLOCK_NS
        else:
            before, now = self._blocks
            self._blocks = before, (min(now[0], offset), max(now[1], block[1]))

    def begin_anew(self) -> None:
        """The next packet is of another clock: its source was opened again."""
        self._before_ns = None

    def passed_us(self, now_ns: int) -> int | None:
        """The sensor's time that no event is before which is still to come; None without a packet.

        That is the time by its clock now, less what a packet has gathered before it was sent.
        """
        blocks = self._blocks
        if blocks is None:
            return None
        offset = min(blocks[0][0], blocks[1][0])
        gathered_us = min(_MAX_GATHERED_US, max(blocks[0][1], blocks[1][1]))
        return max(0, (now_ns - offset) // 1000 - gathered_us)
