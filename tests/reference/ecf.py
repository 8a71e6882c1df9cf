"""ECF in plain Python, both ways: written from the format's description, not from native code."""

from __future__ import annotations

import struct
from itertools import groupby

Event = tuple[int, int, int, int]  # t, x, y, p


def decode(data: bytes) -> list[Event]:
    """The events of one chunk; raises ValueError where it is damaged."""
    try:
        return _decode(data)
    except (struct.error, IndexError) as error:
        raise ValueError("a chunk ends too early") from error


def _decode(data: bytes) -> list[Event]:
    (header,) = struct.unpack_from("<I", data, 0)
    n = header >> 2
    if n > 65535:
        raise ValueError("too many events")
    t, at = _times(data, n)
    if header & 2:
        values = _packed(data, at, n, 24)
        return [(t[i], v >> 1 & 2047, v >> 12 & 2047, v & 1) for i, v in enumerate(values)]
    y, at = _runs(data, at, n, 5)
    if header & 1:
        values = _packed(data, at, n, 12)
        return [(t[i], v >> 1, y[i], v & 1) for i, v in enumerate(values)]
    x: list[int] = []
    while len(x) < n:
        (word,) = struct.unpack_from("<H", data, at)
        at += 2
        x.append(word >> 5)
        x += [(word >> 5) + j for j in range(1, 6) if word >> (5 - j) & 1]
    p, at = _runs(data, at, n, 7)
    return [(t[i], x[i], y[i], p[i]) for i in range(n)]


def _times(data: bytes, n: int) -> tuple[list[int], int]:
    (time,) = struct.unpack_from("<Q", data, 4)
    at, t, nibbles = 12, list[int](), list[int]()
    while len(t) < n:
        step, run = data[at] >> 4, data[at] & 15
        at += 1
        if step == 15:
            if len(nibbles) == 16:
                raise ValueError("a step of more than 64 bits")
            nibbles.append(run)
            continue
        time = (time + step + sum(v << 4 * i for i, v in enumerate(nibbles))) % 2**64
        nibbles = []
        if run == 15:
            (run,) = struct.unpack_from("<H", data, at)
            at += 2
        t += [time] * run
        if len(t) > n:
            raise ValueError("a run is too long")
    return t, at


def _runs(data: bytes, at: int, n: int, bits: int) -> tuple[list[int], int]:
    """Runs of y (bits = 5, words of 2 bytes) or p (bits = 7, of 1 byte)."""
    values: list[int] = []
    form, most = ("<H", 31) if bits == 5 else ("<B", 127)
    while len(values) < n:
        (word,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
        run = word & most
        if run == most:
            (run,) = struct.unpack_from("<H", data, at)
            at += 2
        values += [word >> bits] * run
        if len(values) > n:
            raise ValueError("a run is too long")
    return values, at


def _packed(data: bytes, at: int, n: int, bits: int) -> list[int]:
    """Four values in three words: the first and the last are whole, the others lie around them."""
    size = 2 if bits == 12 else 4
    form, word = ("<3H", 16) if size == 2 else ("<3I", 32)
    low, values = word - bits, list[int]()
    for group in range(-(-n // 4)):
        a, b, c = struct.unpack_from(form, data, at + group * 3 * size)
        half = 2 * low
        values += [a >> low, (a & (1 << low) - 1) | (b >> half) << low]
        values += [(b & (1 << half) - 1) | (c >> 3 * low) << half, c & (1 << bits) - 1]
    return values[:n]


def encode(events: list[Event], style: str) -> bytes:
    """One chunk; `style` is "masked", "x_packed" or "all_packed". Times must not fall."""
    n = len(events)
    flags = {"masked": 0, "x_packed": 1, "all_packed": 2}[style]
    out = struct.pack("<I", n << 2 | flags) + _encode_times([e[0] for e in events])
    if style == "all_packed":
        return out + _pack([e[2] << 12 | e[1] << 1 | e[3] for e in events], 24)
    out += _encode_runs([e[2] for e in events], "<H", 5)
    if style == "x_packed":
        return out + _pack([e[1] << 1 | e[3] for e in events], 12)
    i = 0
    while i < n:
        first, mask = events[i][1], 0
        i += 1
        for j in range(1, 6):
            if i < n and events[i][1] == first + j:
                mask |= 1 << (5 - j)
                i += 1
        out += struct.pack("<H", first << 5 | mask)
    return out + _encode_runs([e[3] for e in events], "<B", 7)


def _encode_times(times: list[int]) -> bytes:
    before = times[0] if times else 0
    out = struct.pack("<Q", before)
    for time, same in groupby(times):
        step, run = time - before, len(list(same))
        if step >= 15:
            while step:
                out += bytes([0xF0 | step & 15])
                step >>= 4
        out += bytes([step << 4 | min(run, 15)])
        out += struct.pack("<H", run) if run >= 15 else b""
        before = time
    return out


def _encode_runs(values: list[int], form: str, bits: int) -> bytes:
    out, most = b"", (1 << bits) - 1
    for value, same in groupby(values):
        run = len(list(same))
        out += struct.pack(form, value << bits | min(run, most))
        out += struct.pack("<H", run) if run >= most else b""
    return out


def _pack(values: list[int], bits: int) -> bytes:
    form, low = ("<3H", 4) if bits == 12 else ("<3I", 8)
    values = values + [0] * (-len(values) % 4)
    out = b""
    for i in range(0, len(values), 4):
        a, b, c, d = values[i : i + 4]
        words = (
            a << low | b & (1 << low) - 1,
            b >> low << 2 * low | c & (1 << 2 * low) - 1,
            c >> 2 * low << 3 * low | d,
        )
        out += struct.pack(form, *words)
    return out
