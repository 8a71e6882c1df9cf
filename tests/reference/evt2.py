"""EVT2, one word after the other: slow, and written without a look at the native decoder."""

from collections import Counter

Event = tuple[int, int, int, bool]  # t us, x, y, on


class Clock:
    """The absolute reading of a clock of `bits` bits."""

    def __init__(self, bits: int) -> None:
        self.period = 1 << bits
        self.now: int | None = None
        self.before_a_jump: int | None = None

    def read(self, value: int) -> bool:
        """Takes what lies nearest the reading before; False where that goes back in time."""
        now = self.now
        if now is None or value == now % self.period:
            self.now = value if now is None else now
            return True
        epoch = now // self.period
        candidates = [value + (epoch + k) * self.period for k in (-1, 0, 1) if epoch + k >= 0]
        self.now = min(candidates, key=lambda c: (abs(c - now), c < now))
        # Far ahead in the first period: a jump, unless the next reading belongs before it.
        before, self.before_a_jump = self.before_a_jump, None
        if before is not None and (value - before) % self.period < (value - now) % self.period:
            self.now = before + (value - before) % self.period
        elif self.now - now > self.period // 2:
            self.before_a_jump = now
        return self.now > now


def decode(data: bytes, width: int, height: int) -> tuple[list[Event], Counter[str]]:
    """The events of whole words, and what else was there, by class."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    clock = Clock(28)
    for i in range(0, len(data) - 3, 4):
        word = int.from_bytes(data[i : i + 4], "little")
        kind = word >> 28
        if kind in (0, 1):
            x, y = word >> 11 & 0x7FF, word & 0x7FF
            if clock.now is None:
                seen["before_time"] += 1
            elif x >= width or y >= height:
                seen["out_of_bounds"] += 1
            else:
                events.append((clock.now * 64 + (word >> 22 & 0x3F), x, y, kind == 1))
        elif kind == 8:
            seen["time_backwards"] += not clock.read(word & 0xFFFFFFF)
        else:
            seen[{10: "triggers", 14: "others", 15: "continued"}.get(kind, "unknown_word")] += 1
    return events, seen
