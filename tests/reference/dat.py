"""DAT, one record after the other: slow, and written without a look at the native decoder."""

from collections import Counter

from tests.reference.evt2 import Clock, Event

#: By version: bits of x and of y; the polarity is the bit above.
BITS = {1: (9, 8), 2: (14, 14)}


def decode(data: bytes, width: int, height: int, version: int) -> tuple[list[Event], Counter[str]]:
    """The events of whole records, and what else was there, by class."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    clock = Clock(28)  # of the upper bits: damage of the lower ones is never taken for a wrap
    last = 0
    x_bits, y_bits = BITS[version]
    for i in range(0, len(data) - 7, 8):
        t, word = (int.from_bytes(data[j : j + 4], "little") for j in (i, i + 4))
        x, y = word % (1 << x_bits), (word >> x_bits) % (1 << y_bits)
        if x >= width or y >= height:
            seen["out_of_bounds"] += 1
            continue
        clock.read(t // 16)
        assert clock.now is not None
        time = clock.now * 16 + t % 16
        seen["time_backwards"] += time < last
        last = time
        events.append((time, x, y, bool(word >> (x_bits + y_bits) & 1)))
    return events, seen
