"""EVT2.1, one word and one pixel after the other: slow, and written apart from the native code."""

from collections import Counter

from tests.reference.evt2 import Clock, Event


def decode(data: bytes, width: int, height: int, legacy: bool) -> tuple[list[Event], Counter[str]]:
    """The events of whole words, and what else was there, by class."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    clock = Clock(28)
    for i in range(0, len(data) - 7, 8):
        halves = data[i : i + 4], data[i + 4 : i + 8]
        head, mask = (
            int.from_bytes(half, "little") for half in (halves if legacy else halves[::-1])
        )
        kind = head >> 28
        if kind in (0, 1):
            base, y = head >> 11 & 0x7FF, head & 0x7FF
            for x in (base + k for k in range(32) if mask >> k & 1):
                if clock.now is None:
                    seen["before_time"] += 1
                elif x >= min(width, 2048) or y >= height:
                    seen["out_of_bounds"] += 1
                else:
                    events.append((clock.now * 64 + (head >> 22 & 0x3F), x, y, kind == 1))
        elif kind == 8:
            seen["time_backwards"] += not clock.read(head & 0xFFFFFFF)
        else:
            seen[{10: "triggers", 14: "others", 15: "continued"}.get(kind, "unknown_word")] += 1
    return events, seen
