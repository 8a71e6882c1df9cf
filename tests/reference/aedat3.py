"""AEDAT 3.1: packets written, and read one event after the other without a look at the decoder."""

import struct
from collections import Counter
from collections.abc import Iterable

from tests.reference.evt2 import Event

HEADER = struct.Struct("<Hhiiiiii")  # as in libcaer's events/common.h
SPECIAL, POLARITY, FRAME, IMU6, IMU9 = range(5)
CLASSES = {SPECIAL: "special", FRAME: "frames", IMU6: "imu", IMU9: "imu"}
SIZES = {SPECIAL: 8, POLARITY: 8, IMU6: 36, IMU9: 48}

# t us with the overflows, x, y, on, valid
Polarity = tuple[int, int, int, bool, bool]


def file_header(source: str = "DAVIS240C", format: str = "RAW") -> bytes:
    lines = ["#!AER-DAT3.1", f"#Format: {format}", f"#Source 1: {source}"]
    lines += ["#Start-Time: 2016-09-01 12:00:00 (TZ+0200)", "#!END-HEADER"]
    return "".join(f"{line}\r\n" for line in lines).encode()


def packet(
    type: int, size: int, body: bytes, overflow: int = 0, capacity: int | None = None, n: int = -1
) -> bytes:
    """A packet of n events (by default as many as there are) of `size` bytes."""
    n = len(body) // size if n < 0 else n
    at = 4 if size < 36 else size - 4
    header = HEADER.pack(type, 1, size, at, overflow, n if capacity is None else capacity, n, n)
    return header + body


def polarity(events: Iterable[Polarity], overflow: int) -> bytes:
    """A packet of polarity events, whose times all have this count of overflows."""
    body = b"".join(
        struct.pack("<II", x << 17 | y << 2 | on << 1 | valid, t - (overflow << 31))
        for t, x, y, on, valid in events
    )
    return packet(POLARITY, 8, body, overflow)


def decode(
    data: bytes, width: int, height: int, png_frames: bool = False
) -> tuple[list[Event], Counter[str], int | None]:
    """The events of whole packets and of the last one's whole events, what else was there, by
    class, and where the first damaged packet begins."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    at, last = 0, 0
    while len(data) - at >= HEADER.size:
        type_, _, size, time_at, overflow, capacity, n, valid = HEADER.unpack_from(data, at)
        n_bytes = n * size
        compressed = type_ == 0x8000 + FRAME and png_frames
        if compressed:
            type_, n_bytes = FRAME, capacity
        known = type_ <= 13 or 100 <= type_ < 0x8000
        sized = size == SIZES[type_] if type_ in SIZES else size >= (36 if type_ == FRAME else 8)
        timed = 0 <= time_at <= size - 4 and not (type_ == POLARITY and time_at != 4)
        counted = 0 <= valid <= n and (capacity >= 0 if compressed else capacity == n)
        if not (known and sized and timed and counted and overflow >= 0):
            return events, seen, at
        at += HEADER.size
        if type_ == POLARITY:
            for i in range(at, min(at + n_bytes, len(data)) - 7, 8):
                word, low = struct.unpack_from("<II", data, i)
                t, x, y = (overflow << 31) + low, word >> 17, word >> 2 & 0x7FFF
                if not word & 1:
                    seen["marked_invalid"] += 1
                elif low >> 31:
                    seen["negative_time"] += 1
                elif x >= width or y >= height:
                    seen["out_of_bounds"] += 1
                else:
                    seen["time_backwards"] += t < last
                    events.append((t, x, y, bool(word & 2)))
                    last = t
        else:
            seen[CLASSES.get(type_, "others")] += n
        at += n_bytes
    return events, seen, None
