"""The encodings of event_camera_msgs, packet by packet: slow, and written without a look at the
native decoders. A packet is (time base in ns, bytes). With encoders for tests."""

from collections import Counter
from collections.abc import Iterable

Event = tuple[int, int, int, bool]  # t us, x, y, on
Packets = Iterable[tuple[int, bytes]]
Read = tuple[list[Event], Counter[str]]


class _Out:
    def __init__(self, width: int, height: int) -> None:
        self.events: list[Event] = []
        self.seen: Counter[str] = Counter()
        self.size = width, height

    def add(self, t: int, x: int, y: int, on: bool) -> None:
        if x >= self.size[0] or y >= self.size[1]:
            self.seen["out_of_bounds"] += 1
            return
        if self.events and t < self.events[-1][0]:
            self.seen["time_backwards"] += 1
        self.events.append((t, x, y, on))


def mono(packets: Packets, width: int, height: int) -> Read:
    out = _Out(width, height)
    for base, data in packets:
        for i in range(0, len(data) - 7, 8):
            ns, x, y = (
                int.from_bytes(data[i + a : i + b], "little") for a, b in ((0, 4), (4, 6), (6, 8))
            )
            out.add((base + ns) // 1000, x, y % 0x8000, y >= 0x8000)
    return out.events, out.seen


def libcaer(packets: Packets, width: int, height: int) -> Read:
    out, period = _Out(width, height), 1 << 31
    for base, data in packets:
        now = 0
        for i in range(0, len(data) - 7, 8):
            word = int.from_bytes(data[i : i + 4], "little")
            low = int.from_bytes(data[i + 4 : i + 8], "little")
            if low < period:
                epoch = now // period
                near = [low + k * period for k in (epoch, epoch - 1, epoch + 1) if k >= 0]
                now = min(near, key=lambda t: abs(t - now))
            if not word & 1:
                out.seen["marked_invalid"] += 1
            elif low >= period:
                out.seen["negative_time"] += 1
            else:
                out.add(base // 1000 + now, word >> 17, word >> 2 & 0x7FFF, bool(word & 2))
    return out.events, out.seen


def libcaer_cmp(packets: Packets, width: int, height: int) -> Read:
    out = _Out(width, height)
    x: int | None = None
    vector: int | None = None
    on = False

    def add(t: int, y: int | None, on: bool) -> None:
        if x is None or y is None:
            out.seen["missing_x" if x is None else "missing_base"] += 1
        else:
            out.add(t, x, y, on)

    for base, data in packets:
        clock = {0: 0, 1: 0}
        for i in range(0, len(data) - 1, 2):
            kind, value = divmod(int.from_bytes(data[i : i + 2], "little"), 1 << 12)
            t, y = base // 1000 + clock[0] * 4096 + clock[1], value & 0x7FF
            if kind in clock:
                clock[kind] = value
            elif kind == 2:
                x = y
            elif kind == 3:
                add(t, y, value > y)
            elif kind == 4:
                vector, on = y, value > y
            elif kind == 5:
                for bit in range(8):
                    if value >> bit & 1:
                        add(t, None if vector is None else vector + bit, on)
                vector = None if vector is None else vector + 8
            else:
                out.seen["unknown_word"] += 1
    return out.events, out.seen


def encode_mono(base: int, events: Iterable[Event]) -> bytes:
    """`base` in ns; of events within 4.2 s of it."""
    return b"".join(
        (on << 63 | y << 48 | x << 32 | (t * 1000 - base)).to_bytes(8, "little")
        for t, x, y, on in events
    )


def encode_libcaer(base: int, events: Iterable[Event]) -> bytes:
    """`base` in ns."""
    return b"".join(
        (x << 17 | y << 2 | on << 1 | 1).to_bytes(4, "little")
        + ((t - base // 1000) % (1 << 31)).to_bytes(4, "little")
        for t, x, y, on in events
    )


def encode_libcaer_cmp(base: int, events: Iterable[Event]) -> bytes:
    """`base` in ns; of events within 16.7 s of it. Neighbours in a column become vectors."""
    words: list[int] = []
    state: dict[int, int] = {0: 0, 1: 0}
    open_vector = None
    for t, x, y, on in events:
        dt = t - base // 1000
        for kind, value in ((0, dt >> 12), (1, dt & 0xFFF), (2, x)):
            if state.get(kind) != value:
                state[kind] = value
                words.append(kind << 12 | value)
                open_vector = None
        if open_vector == (y // 8, on) and words[-1] & 0xFF < 1 << y % 8:
            words[-1] |= 1 << y % 8
        elif y % 3:
            words.append(3 << 12 | on << 11 | y)
            open_vector = None
        else:
            words += [4 << 12 | on << 11 | y & ~7, 5 << 12 | 1 << y % 8]
            open_vector = y // 8, on
    return b"".join(word.to_bytes(2, "little") for word in words)
