"""Event Stream, one event after the other: slow, written without a look at the native decoder."""

from collections import Counter

from tests.reference.evt2 import Event

#: By kind: bits of the first byte below the elapsed time, and the most that one byte can elapse.
KINDS = {"dvs": (1, 127), "atis": (2, 63), "colour": (0, 254)}


def decode(data: bytes, width: int, height: int, kind: str) -> tuple[list[Event], Counter[str]]:
    """The events of whole records, and what else was there, by class."""
    flags, most = KINDS[kind]
    size = 8 if kind == "colour" else 5
    events: list[Event] = []
    seen: Counter[str] = Counter()
    luma: dict[tuple[int, int], int] = {}
    t = i = 0
    while i < len(data):
        head = data[i]
        if head >= (252 if kind == "atis" else 254):
            t += most * (head & 3) if kind == "atis" else most * (head == 255)
            i += 1
            continue
        record = data[i : i + size]
        if len(record) < size:
            break
        i += size
        t += head >> flags
        x, y = int.from_bytes(record[1:3], "little"), int.from_bytes(record[3:5], "little")
        if kind == "atis" and head & 1:
            seen["exposures"] += 1
        elif x >= width or y >= height:
            seen["out_of_bounds"] += 1
        else:
            if kind == "colour":
                r, g, b = record[5:]
                now = (299 * r + 587 * g + 114 * b) // 1000
                on = now >= luma.get((x, y), 0)
                luma[x, y] = now
            else:
                on = bool(head & (1 if kind == "dvs" else 2))
            events.append((t, x, height - 1 - y, on))
    return events, seen
