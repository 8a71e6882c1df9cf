"""What cameras send, as `saccade.camera.sources.base.Content`: EVT3 words and DV's packets."""

from __future__ import annotations

from collections.abc import Generator

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.evt3_words import Evt3State


class Evt3Words:
    """Whole words, whose decoder has read all that came before."""

    def __init__(self, decoder: _native.Evt3Decoder, raw: bytes | memoryview) -> None:
        """`decoder` reads on with those behind them."""
        self._decoder, self.raw, self.encoding = decoder, raw, "evt3"
        self.before = _state(decoder)
        self.after: Evt3State | None = None

    def decode(self) -> Packet:
        """See `Content`."""
        events = Packet(*self._decoder.decode(self.raw))
        self.after = _state(self._decoder)
        return events

    def count(self, slices: _native.SliceCounter) -> Generator[None]:
        """See `Content`."""
        words, at = memoryview(self.raw), 0
        while at < len(words):
            at += self._decoder.count(words[at:], slices)
            if slices.due:
                yield
        self.after = _state(self._decoder)

    def copy(self) -> Evt3Words:
        """See `Content`."""
        return Evt3Words(self._decoder.copy(), self.raw)


class DvEvents:
    """A packet of AEDAT4's events, unpacked."""

    def __init__(
        self,
        raw: bytes | memoryview,
        size: tuple[int, int],
        dropped: dict[str, int],
    ) -> None:
        """Of a sensor of `size` pixels, (width, height); what it leaves out is added to `dropped`.

        Raises:
            ValueError: it is damaged.
        """
        self.raw, self.encoding = raw, "dv"
        self._size, self._dropped = size, dropped
        self.before: Evt3State | None = None
        self.after: Evt3State | None = None
        self._decoder = _native.Aedat4BatchDecoder(0, False, *size)
        self._decoder.add(raw)

    def decode(self) -> Packet:
        """See `Content`."""
        columns, dropped = self._decoder.events()
        self._leave(dropped)
        return Packet(*columns)

    def count(self, slices: _native.SliceCounter) -> Generator[None]:
        """See `Content`."""
        while not self._decoder.count(slices):
            yield
        if slices.due:
            yield
        self._leave(self._decoder.take_dropped())

    def copy(self) -> DvEvents:
        """See `Content`."""
        return DvEvents(self.raw, self._size, dict.fromkeys(self._dropped, 0))

    def _leave(self, dropped: dict[str, int]) -> None:
        self._decoder.clear()
        for name, count in dropped.items():
            self._dropped[name] += count


def _state(decoder: _native.Evt3Decoder) -> Evt3State | None:
    state = decoder.state
    return None if state is None else Evt3State(*state)
