"""EVT3, one word after the other: slow, and written without a look at the native decoder."""

from collections import Counter

from tests.reference.evt2 import Clock, Event

_OTHERS = {10: "triggers", 14: "others", 7: "continued", 15: "continued"}


class Decoder:
    """The sensor's state, as the words so far have set it."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.high = Clock(12)
        self.low = 0
        self.y: int | None = None
        self.base: int | None = None
        self.on = False
        self.events: list[Event] = []
        self.seen: Counter[str] = Counter()

    def word(self, word: int) -> None:
        kind, value = word >> 12, word & 0xFFF
        if kind == 0:
            self.y = value & 0x7FF
        elif kind == 2:
            self.event(value & 0x7FF, value >= 0x800)
        elif kind == 3:
            self.base, self.on = value & 0x7FF, value >= 0x800
        elif kind in (4, 5):
            for bit in range(12 if kind == 4 else 8):
                if value >> bit & 1:
                    self.event(None if self.base is None else self.base + bit, self.on)
            if self.base is not None:
                self.base += 12 if kind == 4 else 8
        elif kind == 6:
            self.low = value
        elif kind == 8:
            self.seen["time_backwards"] += not self.high.read(value)
        else:
            self.seen[_OTHERS.get(kind, "unknown_word")] += 1

    def event(self, x: int | None, on: bool) -> None:
        if self.high.now is None:
            self.seen["before_time"] += 1
        elif self.y is None:
            self.seen["missing_y"] += 1
        elif x is None:
            self.seen["missing_base"] += 1
        elif x >= self.width or self.y >= self.height:
            self.seen["out_of_bounds"] += 1
        else:
            self.events.append((self.high.now * 4096 + self.low, x, self.y, on))


def decode(data: bytes, width: int, height: int) -> tuple[list[Event], Counter[str]]:
    """The events of whole words, and what else was there, by class."""
    decoder = Decoder(width, height)
    for i in range(0, len(data) - 1, 2):
        decoder.word(int.from_bytes(data[i : i + 2], "little"))
    return decoder.events, decoder.seen
