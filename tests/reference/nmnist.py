"""N-MNIST, one record after the other: slow, and written without a look at the native decoder."""

from collections import Counter

from tests.reference.evt2 import Event


def decode(data: bytes, width: int, height: int) -> tuple[list[Event], Counter[str]]:
    """The events of whole records, and what else was there, by class."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    overflow = last = 0
    for i in range(0, len(data) - 4, 5):
        x, y, word = data[i], data[i + 1], int.from_bytes(data[i + 2 : i + 5], "big")
        if y == 240:
            seen["time_overflows"] += 1
            overflow += 1 << 13
            continue
        t = overflow + (word & 0x7FFFFF)
        seen["time_backwards"] += t < last
        last = t
        if x < width and y < height:
            events.append((t, x, y, word >> 23 == 1))
        else:
            seen["out_of_bounds"] += 1
    return events, seen
