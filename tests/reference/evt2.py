"""EVT2, one word after the other: slow, and written without a look at the native decoder."""

from collections import Counter

Event = tuple[int, int, int, bool]  # t us, x, y, on


def nearest(value: int, bits: int, previous: int | None) -> int:
    """The absolute reading of a clock of `bits` bits that lies nearest the previous one."""
    if previous is None:
        return value
    epoch = previous >> bits
    candidates = [value + (epoch + k << bits) for k in (-1, 0, 1) if epoch + k >= 0]
    return min(candidates, key=lambda c: (abs(c - previous), c < previous))


def decode(data: bytes, width: int, height: int) -> tuple[list[Event], Counter[str]]:
    """The events of whole words, and what else was there, by class."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    high: int | None = None
    for i in range(0, len(data) - 3, 4):
        word = int.from_bytes(data[i : i + 4], "little")
        kind = word >> 28
        if kind in (0, 1):
            x, y = word >> 11 & 0x7FF, word & 0x7FF
            if high is None:
                seen["before_time"] += 1
            elif x >= width or y >= height:
                seen["out_of_bounds"] += 1
            else:
                events.append((high * 64 + (word >> 22 & 0x3F), x, y, kind == 1))
        elif kind == 8:
            previous, high = high, nearest(word & 0xFFFFFFF, 28, high)
            seen["time_backwards"] += previous is not None and high < previous
        else:
            seen[{10: "triggers", 14: "others", 15: "continued"}.get(kind, "unknown_word")] += 1
    return events, seen
