"""EVT3 words that are copied, not decoded: what a reader must know before it reads on.

The meaning of a word depends on those before it (the format: `native/decoders/evt3.cpp`). Where
some are missing, the ones behind would get the wrong time or row: either the missing ones are
written again (`Evt3State.words`), or what depends on them is left out (`Resync`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ROW, _ONE, _BASE, _VECTOR_12, _VECTOR_8, _LOW, _HIGH, _TRIGGER = 0, 2, 3, 4, 5, 6, 8, 10
_MOST = 0xFFF  # of a TIME_HIGH
_STEP = 0x7FF  # a TIME_HIGH further away than this may be taken for one in the other direction
_SIDE = 2048
#: Words that leave no base: a vector of no event, past every sensor's width. What follows on it
#: lies outside.
NO_BASE = np.array([_BASE << 12 | (_SIDE - 1), _VECTOR_12 << 12], "<u2").tobytes()


class Evt3State(NamedTuple):
    """What words have set for those to come, as `_native.Evt3Decoder.state`.

    Attributes:
        high: TIME_HIGH, its wraps included: 4096 us each.
        low: TIME_LOW, us.
        row: ADDR_Y; -1 before the first.
        base: x of the next vector's first bit; -1 before the first.
        on: the next vector's polarity.
    """

    high: int
    low: int
    row: int
    base: int
    on: bool

    def words(self) -> bytes:
        """Bring a reader whose clock has come to `high` into this state."""
        words = [_HIGH << 12 | (self.high & _MOST), _LOW << 12 | self.low]
        if self.row >= 0:
            words.append(_ROW << 12 | self.row)
        if self.base >= 0:
            words.append(_BASE << 12 | int(self.on) << 11 | min(self.base, _SIDE - 1))
            if self.base >= _SIDE:
                words.append(_VECTOR_12 << 12)  # of no event
        return np.array(words, "<u2").tobytes()


def clock_words(at: int, to: int) -> bytes:
    """TIME_HIGH words that lead a reader from one to another (wraps included), however far.

    A wrap is always the step from the last value to 0, as `native/encoders/clock.hpp` has it.
    """
    words: list[int] = []
    while at != to:
        first, last = at & ~_MOST, at | _MOST
        if to > at:
            at = at + 1 if at == last else min(to, last, at + _STEP)
        else:
            at = at - 1 if at == first else max(to, first, at - _STEP)
        words.append(_HIGH << 12 | (at & _MOST))
    return np.array(words, "<u2").tobytes()


def first_high(raw: bytes | memoryview) -> int:
    """The first TIME_HIGH in words that have one."""
    words = np.frombuffer(raw, "<u2")
    return int(words[np.argmax(words >> 12 == _HIGH)]) & _MOST


class Resync:
    """Reads on in words of which some before are missing, or the first ones of a camera.

    Events without a row or a full time are left out, and so are vectors without a base.

    Attributes:
        left_out: such events so far.
    """

    def __init__(self) -> None:
        """Knows nothing yet."""
        self.left_out = 0
        self._known: dict[int, bool] = dict.fromkeys((_HIGH, _LOW, _ROW, _BASE), False)

    @property
    def done(self) -> bool:
        """Nothing is missing any more, but perhaps a base: further words can be read as they are.

        Those of a sensor that sends no vectors never have one; see `needs_no_base`.
        """
        return all(self._known[kind] for kind in (_HIGH, _LOW, _ROW))

    @property
    def needs_no_base(self) -> bool:
        """Whether there was no base, so that `NO_BASE` has to be read before further words."""
        return not self._known[_BASE]

    def feed(self, words: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Those of the next words that can be read, uint16 [N]."""
        kinds, n = words >> 12, len(words)

        def first(kind: int, begin: int) -> int:
            if self._known[kind]:
                return begin
            found = np.flatnonzero(kinds[begin:] == kind)
            self._known[kind] = len(found) > 0
            return begin + int(found[0]) if len(found) else n

        high = first(_HIGH, 0)
        low, row, base = (first(kind, high) for kind in (_LOW, _ROW, _BASE))
        at = np.arange(n)
        vector = (kinds == _VECTOR_12) | (kinds == _VECTOR_8)
        unplaced = ((kinds == _ONE) | vector) & (at < max(low, row))
        unplaced |= vector & (at < base)
        gone = (at < high) | unplaced | ((kinds == _TRIGGER) & (at < low))
        hollow = vector & unplaced & (at >= base)  # the next one begins where it ends
        self.left_out += _events(words[gone])
        kept = np.array(words, np.uint16)
        kept[hollow] &= 0xF000
        return kept[~gone | hollow]


def _events(words: NDArray[np.uint16]) -> int:
    """How many events they encode."""
    kinds = words >> 12
    twelve, eight = words[kinds == _VECTOR_12] & 0xFFF, words[kinds == _VECTOR_8] & 0xFF
    bits = np.unpackbits(np.frombuffer(twelve.tobytes() + eight.tobytes(), np.uint8))
    return int(np.count_nonzero(kinds == _ONE)) + int(np.count_nonzero(bits))
