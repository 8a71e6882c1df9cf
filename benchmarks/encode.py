"""Encoders of the formats that saccade reads, in numpy: they make the benchmark's files."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet

_Words = NDArray[np.int64]


def _columns(packet: Packet) -> tuple[_Words, _Words, _Words, _Words]:
    t, x, y, on = packet.t, packet.x, packet.y, packet.on
    return t.astype(np.int64), x.astype(np.int64), y.astype(np.int64), on.astype(np.int64)


def _changes(values: _Words) -> NDArray[np.bool_]:
    return np.concatenate([[True], values[1:] != values[:-1]])


def _kept(words: _Words, dtype: str) -> bytes:
    """The words that are set (not -1), row by row."""
    return words[words >= 0].astype(dtype).tobytes()


def _vectors(packet: Packet) -> tuple[_Words, _Words, _Words, _Words, _Words]:
    """t, y, on, x/32 and the mask of each group of events that one 32-pixel vector holds."""
    t, x, y, on = _columns(packet)
    order = np.lexsort((x, on, y, t))
    t, x, y, on = t[order], x[order], y[order], on[order]
    new = _changes(t) | _changes(y) | _changes(on) | _changes(x // 32)
    masks = np.bitwise_or.reduceat(np.int64(1) << (x % 32), np.flatnonzero(new))
    return t[new], y[new], on[new], x[new] // 32, masks


def evt3(packet: Packet) -> bytes:
    """EVT3 as sensors send it: VECT_BASE_X + VECT_12 + VECT_12 + VECT_8, or a lone ADDR_X."""
    t, y, on, x32, mask = _vectors(packet)
    words = np.full((len(t), 7), -1, np.int64)
    high, low = (t >> 12) & 0xFFF, t & 0xFFF
    later = _changes(t)
    new_high = _changes(high)
    words[new_high, 0] = 0x8000 | high[new_high]
    words[later, 1] = 0x6000 | low[later]
    row = _changes(y) | later
    words[row, 2] = y[row]
    single = (mask & (mask - 1)) == 0
    at = np.log2(mask).astype(np.int64)
    words[:, 3] = np.where(single, 0x2000 | x32 * 32 + at, 0x3000 | x32 * 32) | on << 11
    for column, (kind, shift, bits) in enumerate([(4, 0, 0xFFF), (4, 12, 0xFFF), (5, 24, 0xFF)], 4):
        words[~single, column] = kind << 12 | (mask[~single] >> shift) & bits
    return _kept(words, "<u2")


def evt2(packet: Packet) -> bytes:
    """EVT2: a TIME_HIGH where the upper time changes, then one word an event."""
    t, x, y, on = _columns(packet)
    words = np.full((len(t), 2), -1, np.int64)
    new = _changes(t >> 6)
    words[new, 0] = 0x8 << 28 | (t[new] >> 6) & 0xFFFFFFF
    words[:, 1] = on << 28 | (t & 63) << 22 | x << 11 | y
    return _kept(words, "<u4")


def evt21(packet: Packet, legacy: bool = False) -> bytes:
    """EVT2.1: one 64-bit word a vector; `legacy` swaps the halves."""
    t, y, on, x32, mask = _vectors(packet)
    new = _changes(t >> 6)
    time_high, event = 0x8 << 28 | (t >> 6) & 0xFFFFFFF, on << 28 | (t & 63) << 22 | x32 << 16 | y
    upper, lower = np.stack([time_high, event], 1), np.stack([np.zeros_like(mask), mask], 1)
    words = (upper << 32 | lower) if not legacy else (lower << 32 | upper)
    keep = np.stack([new, np.ones_like(new)], 1)
    return words[keep].astype("<i8").tobytes()


def dat(packet: Packet) -> bytes:
    """DAT version 2."""
    t, x, y, on = _columns(packet)
    words = np.stack([t & 0xFFFFFFFF, on << 28 | y << 14 | x], 1)
    return words.astype("<u4").tobytes()


def es(packet: Packet, height: int) -> bytes:
    """Event Stream of a DVS: time since the event before, y from the bottom; from time 0."""
    t, x, y, on = _columns(packet)
    elapsed = np.diff(t, prepend=0)
    pauses = elapsed // 127  # each a byte of its own, above the record
    last = np.cumsum(pauses + 5)
    out = np.full(last[-1] if len(last) else 0, 0xFF, np.uint8)
    y = height - 1 - y
    record = (elapsed % 127 << 1 | on, x & 0xFF, x >> 8, y & 0xFF, y >> 8)
    for column, values in enumerate(record):
        out[last - 5 + column] = values
    return out.tobytes()


def nmnist(packet: Packet) -> bytes:
    """N-MNIST: x, y, polarity and 23 bits of time, big-endian."""
    t, x, y, on = _columns(packet)
    columns = (x, y, on << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF)
    return np.stack(columns, 1).astype(np.uint8).tobytes()


def aedat2(packet: Packet) -> bytes:
    """AEDAT 2.0 of a DAVIS."""
    t, x, y, on = _columns(packet)
    return np.stack([y << 22 | x << 12 | on << 11, t], 1).astype(">u4").tobytes()


def aedat3(packet: Packet) -> bytes:
    """AEDAT 3.1: one packet of polarity events, all valid."""
    t, x, y, on = _columns(packet)
    n = len(t)
    head = struct.pack("<Hhiiiiii", 1, 1, 8, 4, 0, n, n, n)
    return head + np.stack([x << 17 | y << 2 | on << 1 | 1, t], 1).astype("<u4").tobytes()


def ecf(packet: Packet) -> bytes:
    """One chunk of Metavision's HDF5 (at most 65,535 events): runs of t, y and p, masks of x."""
    t, x, y, on = _columns(packet)
    head = struct.pack("<IQ", len(t) << 2, int(t[0]))
    # A word of x holds x and which of the five pixels after it follow.
    rows = _changes(t) | _changes(y) | _changes(on) | _changes(x // 6)
    first = np.flatnonzero(rows)
    group = np.cumsum(rows) - 1
    after = x - x[first][group]
    mask = np.add.reduceat(np.where(after, 1 << (5 - after), 0), first)
    xs = (x[first] << 5 | mask).astype("<u2").tobytes()
    return head + _ecf_times(t) + _ecf_runs(y, 5, 2) + xs + _ecf_runs(on, 7, 1)


def _runs(values: _Words) -> tuple[_Words, _Words]:
    """Each run's value and length."""
    first = np.flatnonzero(_changes(values))
    return values[first], np.diff(first, append=len(values))


def _ecf_times(t: _Words) -> bytes:
    times, runs = _runs(t)
    steps = np.diff(times, prepend=times[0])
    if steps.max() >= 1 << 16:
        raise ValueError("a pause of more than 65 ms")
    long, many = steps >= 15, runs >= 15
    out = np.full((len(times), 7), -1, np.int64)
    for digit in range(4):  # of a long step, lowest first
        more = long & (steps >> 4 * digit > 0)
        out[more, digit] = 0xF0 | steps[more] >> 4 * digit & 15
    out[:, 4] = np.where(long, 0, steps) << 4 | np.minimum(runs, 15)
    out[many, 5], out[many, 6] = runs[many] & 0xFF, runs[many] >> 8
    return _kept(out, "u1")


def _ecf_runs(values: _Words, bits: int, size: int) -> bytes:
    value, runs = _runs(values)
    most = (1 << bits) - 1
    words = value << bits | np.minimum(runs, most)
    many = runs >= most
    out = np.full((len(words), size + 2), -1, np.int64)
    for byte in range(size):
        out[:, byte] = words >> 8 * byte & 0xFF
    out[many, size], out[many, size + 1] = runs[many] & 0xFF, runs[many] >> 8
    return _kept(out, "u1")


#: By format: the file's start, given the size, and the encoder of its packets.
RAW: dict[str, tuple[Callable[[int, int], bytes], Callable[[Packet], bytes]]] = {
    "evt3": (lambda w, h: b"% evt 3.0\n" + _format("EVT3", w, h), evt3),
    "evt2": (lambda w, h: b"% evt 2.0\n" + _format("EVT2", w, h), evt2),
    "evt21": (lambda w, h: _format("EVT21;endianness=little", w, h), evt21),
    "evt21-legacy": (
        lambda w, h: _format("EVT21;endianness=legacy", w, h),
        lambda packet: evt21(packet, legacy=True),
    ),
    "dat": (
        lambda w, h: f"% Data file containing CD events.\n% Version 2\n% Height {h}\n"
        f"% Width {w}\n".encode()
        + struct.pack("BB", 0x0C, 8),
        dat,
    ),
}


def _format(name: str, width: int, height: int) -> bytes:
    size = f"height={height};width={width}\n% geometry {width}x{height}"
    return f"% format {name};{size}\n% end\n".encode()
