"""AEDAT 2.0, one record after the other: slow, and written without a look at the native decoder."""

from collections import Counter

from tests.reference.evt2 import Clock, Event


def decode(data: bytes, width: int, height: int, davis: bool) -> tuple[list[Event], Counter[str]]:
    """The events of whole records, and what else was there, by class."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    clock = Clock(32)
    for i in range(0, len(data) - 7, 8):
        address = int.from_bytes(data[i : i + 4], "big")
        if davis and address >= 1 << 31:
            seen["imu" if address & 0xC00 == 0xC00 else "aps"] += 1
            continue
        if address & (0x400 if davis else 0x8000):
            seen["special"] += 1
            continue
        seen["time_backwards"] += not clock.read(int.from_bytes(data[i + 4 : i + 8], "big"))
        if davis:
            x, y, on = address >> 12 & 0x3FF, address >> 22 & 0x1FF, bool(address >> 11 & 1)
        else:
            x, y, on = address >> 1 & 0x7F, address >> 8 & 0x7F, not address & 1
        if x < width and y < height:
            events.append((clock.now, x, y, on))
        else:
            seen["out_of_bounds"] += 1
    return events, seen
