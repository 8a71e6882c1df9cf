"""The damage that every format must take: cut off anywhere, bits flipped, bytes at random.

SACCADE_LONG=1 runs the long form: every byte, every bit, a million mutations over all formats.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from saccade.camera.errors import RecordingError
from saccade.camera.events import EVENT_DTYPE, MAX_SIDE
from saccade.camera.recordings import open_recording

LONG = os.environ.get("SACCADE_LONG") == "1"
LIMIT_S = 1.0
STALL_S = 30.0  # by the clock: a busy machine may well let a test wait for seconds

Read = tuple[np.ndarray, RecordingError | None]


def read_bytes(path: Path, data: bytes, geometry: tuple[int, int] | None = None) -> Read:
    """What a file of these bytes gives, within a second of work; checks what holds for any file."""
    path.write_bytes(data)
    parts, found = [np.empty(0, EVENT_DTYPE)], None
    begun, worked = time.perf_counter(), time.process_time()
    try:
        with open_recording(path, geometry) as recording:
            for packet in recording.packets():
                assert 0 < len(packet) <= 65_536
                assert packet.x.max() < recording.width <= MAX_SIDE
                assert packet.y.max() < recording.height <= MAX_SIDE
                parts.append(packet.to_array())
    except RecordingError as error:
        found = error
        assert error.offset is None or 0 <= error.offset <= len(data)
        assert "\n" not in str(error)
    assert time.process_time() - worked < LIMIT_S
    assert time.perf_counter() - begun < STALL_S
    return np.concatenate(parts), found


def check_truncation(
    path: Path,
    data: bytes,
    *,
    geometry: tuple[int, int] | None = None,
    short_step: int = 1,
) -> None:
    """Cut off at every byte (short form: every `short_step`-th), what is whole is delivered."""
    whole, error = read_bytes(path, data, geometry)
    assert error is None
    assert len(whole) > 0
    delivered = 0
    for size in range(1, len(data), 1 if LONG else short_step):
        events, _ = read_bytes(path, data[:size], geometry)
        assert np.array_equal(events, whole[: len(events)])
        assert len(events) >= delivered
        delivered = len(events)


def check_flipped_bits(
    path: Path,
    data: bytes,
    *,
    geometry: tuple[int, int] | None = None,
    short_step: int = 1,
) -> None:
    """Each bit of the first 4 kB (short form: every `short_step`-th) flipped."""
    damaged = bytearray(data)
    for bit in range(0, 8 * min(len(data), 4096), 1 if LONG else short_step):
        damaged[bit // 8] ^= 1 << bit % 8
        read_bytes(path, damaged, geometry)
        damaged[bit // 8] ^= 1 << bit % 8


def mutations(data: bytes, n: int, seed: int = 7) -> Iterator[bytes]:
    """n copies with bytes changed, cut out and put in at random."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        damaged = bytearray(data)
        for at in rng.integers(0, len(data), rng.integers(1, 6)):
            damaged[at] = rng.integers(0, 256)
        start, size = int(rng.integers(0, len(data))), int(rng.integers(0, 40))
        if rng.random() < 0.3:
            del damaged[start : start + size]
        elif rng.random() < 0.3:
            damaged[start:start] = rng.bytes(size)
        yield bytes(damaged)


def check_mutations(
    path: Path,
    data: bytes,
    *,
    geometry: tuple[int, int] | None = None,
    short: int = 1000,
    long: int = 50_000,
    also: Callable[[np.ndarray, RecordingError | None], None] | None = None,
) -> None:
    """Random mutations: `short` of them, or `long` in the long form."""
    for damaged in mutations(data, long if LONG else short):
        result = read_bytes(path, damaged, geometry)
        if also is not None:
            also(*result)
