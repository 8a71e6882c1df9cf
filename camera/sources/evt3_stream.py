"""The EVT3 words of a camera: read in order as they arrive, and kept so that they can be copied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from saccade.camera import _native
from saccade.camera.formats.evt3_words import NO_BASE, Resync
from saccade.camera.sources.base import LivePacket
from saccade.camera.sources.contents import Evt3Words

#: A transfer is damaged where more than one word in 16, and two more, are of types that there are
#: not: of random words it is one in three.
_SPARED = 32


class Evt3Stream:
    """Makes a `LivePacket` of each transfer; where bytes were lost, none gets a wrong time or row.

    One thread at a time.

    Attributes:
        damaged: transfers left out as a whole, for they hold what no sensor sends. Any word can be
            read, and each of random ones would set the clock, the row or an event.
    """

    def __init__(self, width: int, height: int) -> None:
        """Of a sensor of so many pixels."""
        self._size = width, height
        self._before: dict[str, int] = {}  # dropped until the last restart
        self._after_loss = self.damaged = 0
        self._decoder = _native.Evt3Decoder(width, height)
        self._last: LivePacket | None = None
        self.lose()

    @property
    def dropped(self) -> dict[str, int]:
        """Events left out so far, by class.

        Those of the decoder, and `after_loss`: their time or row went with what was lost.
        """
        now = self._decoder.dropped
        found = {name: count + self._before.get(name, 0) for name, count in now.items()}
        return {**found, "after_loss": self._after_loss}

    def restart(self) -> None:
        """The camera was opened again: its clock begins anew."""
        self._read_last()
        self._before = self.dropped
        self._decoder = _native.Evt3Decoder(*self._size)
        self.lose()

    def lose(self) -> None:
        """Bytes are missing before what comes next."""
        self._odd = b""  # a half word
        self._no_base = False  # the words before the next packet left none
        self._resync: Resync | None = Resync()

    def packet(
        self, data: bytes | memoryview, received_ns: int, losses: Sequence[int] = ()
    ) -> LivePacket | None:
        """What a transfer holds; None where that is nothing that can be read.

        Args:
            losses: where in `data` bytes are missing, rising.
        """
        self._read_last()
        if self._no_base:
            self._forget_base()
        view, parts = memoryview(data), list[bytes | memoryview]()
        for begin, end in pairwise((0, *losses, len(data))):
            if parts:
                self.lose()
            parts.append(self._readable(view[begin:end]))
        raw = parts[0] if len(parts) == 1 else b"".join(parts)
        if not len(raw):
            return None
        self._last = LivePacket(Evt3Words(self._decoder, raw), received_ns)
        return self._last

    def _readable(self, data: memoryview) -> bytes | memoryview:
        """Whole words, without those that lack others."""
        if self._odd or len(data) % 2:
            whole = memoryview(self._odd + bytes(data))
            n = len(whole) // 2 * 2
            data, self._odd = whole[:n], bytes(whole[n:])
        n_words = len(data) // 2
        if 16 * _native.count_reserved_evt3(data) > n_words + _SPARED:
            self.damaged += 1
            self.lose()
            return b""
        if self._resync is None:
            return data
        before = self._resync.left_out
        kept = self._resync.feed(np.frombuffer(data, "<u2")).tobytes()
        self._after_loss += self._resync.left_out - before
        if self._resync.done:
            self._no_base, self._resync = self._resync.needs_no_base, None
        return kept

    def _forget_base(self) -> None:
        """That of before a loss is of no vector behind it."""
        self._no_base = False
        state = self._decoder.state
        if state is not None and state[3] >= 0:
            self._decoder.decode(NO_BASE)

    def _read_last(self) -> None:
        """The decoder has read all that came: one who did not look at a packet may do so later."""
        if self._last is not None and not self._last.is_read:
            _ = self._last.events
        self._last = None
