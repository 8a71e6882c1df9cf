"""Small recordings made by the tests, and readers of what a recording gives."""

from pathlib import Path

import numpy as np

from saccade.camera.errors import RecordingError
from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.recordings import open_recording

WIDTH, HEIGHT = 346, 260
RAW_HEADER = b"% evt 3.0\n% format EVT3;height=260;width=346\n% geometry 346x260\n% end\n"
EVT2_HEADER = b"% evt 2.0\n% format EVT2;height=260;width=346\n% end\n"


def some_events(n: int, seed: int = 1) -> Packet:
    """n events in the order of time, 1.6e15 us into the sensor's clock."""
    rng = np.random.default_rng(seed)
    return Packet(
        np.sort(rng.integers(1_600_000_000_000_000, 1_600_000_000_100_000, n)).astype(np.uint64),
        rng.integers(0, WIDTH, n).astype(np.uint16),
        rng.integers(0, HEIGHT, n).astype(np.uint16),
        rng.integers(0, 2, n).astype(bool),
    )


def write_aedat4(path: Path, compression: str = "zstd", packets: int = 4, n: int = 20) -> Packet:
    """A small file of `packets` packets of n events; the events in it."""
    events = some_events(packets * n)
    with Aedat4Writer(path, WIDTH, HEIGHT, compression) as writer:
        for start in range(0, len(events), n):
            writer.write(events[start : start + n])
    return events


def evt3_words(n: int, seed: int = 2) -> bytes:
    """Valid EVT3: rows, single events, vectors of 12+12+8, times that rise."""
    rng = np.random.default_rng(seed)
    words: list[int] = [0x8000, 0x6000]
    for i in range(n):
        words += [0x8000 | i >> 4, 0x6000 | (i << 8 & 0xFFF), int(rng.integers(0, HEIGHT))]
        words += [0x2000 | int(rng.integers(0, 2)) << 11 | int(rng.integers(0, WIDTH))]
        words += [0x3000 | int(rng.integers(0, WIDTH - 32)), 0x4000 | int(rng.integers(0, 4096))]
        words += [0x4000 | int(rng.integers(0, 4096)), 0x5000 | int(rng.integers(0, 256))]
    return np.array(words, "<u2").tobytes()


def evt2_words(n: int, seed: int = 3) -> bytes:
    """Valid EVT2: one TIME_HIGH before each event."""
    rng = np.random.default_rng(seed)
    words: list[int] = []
    for i in range(n):
        x, y = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
        on, low = int(rng.integers(0, 2)), int(rng.integers(0, 64))
        words += [0x80000000 | i, on << 28 | low << 22 | x << 11 | y]
    return np.array(words, "<u4").tobytes()


def read(path: Path) -> tuple[np.ndarray, RecordingError | None]:
    """All events as one array of EVENT_DTYPE, and the error that ended the reading."""
    parts: list[np.ndarray] = [np.empty(0, EVENT_DTYPE)]
    try:
        with open_recording(path) as recording:
            for packet in recording.packets():
                assert 0 < len(packet) <= 65_536
                assert packet.x.max() < recording.width
                assert packet.y.max() < recording.height
                parts.append(packet.to_array())
    except RecordingError as error:
        return np.concatenate(parts), error
    return np.concatenate(parts), None
