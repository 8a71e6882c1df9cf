"""Read-ahead: the same packets in the same order, damage in its place, no thread left behind."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.camera.fixtures import HEIGHT, WIDTH, some_events, write_aedat4

from saccade.camera.errors import RecordingError
from saccade.camera.events import EVENT_DTYPE
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.formats.readahead import map_ahead
from saccade.camera.recordings import open_recording


def workers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("saccade-ahead")]


def events(path: Path, threads: int) -> tuple[np.ndarray, RecordingError | None, dict[str, int]]:
    found = [np.empty(0, EVENT_DTYPE)]
    with open_recording(path) as recording:
        try:
            found += [p.to_array() for p in recording.packets(threads=threads)]
            error = None
        except RecordingError as damage:
            error = damage
        assert workers() == []
        return np.concatenate(found), error, recording.dropped


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_results_come_in_order_and_errors_after_them(threads: int) -> None:
    def numbers() -> Iterator[int]:
        yield from range(20)
        raise ValueError("the items end")

    def work(i: int) -> int:
        time.sleep(0.001 * (i % 3))
        return 10 // (7 - i) if i >= 5 else i

    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        for value in map_ahead(work, iter(range(9)), threads, 3):
            seen.append(value)
    assert seen == [0, 1, 2, 3, 4, 5, 10]
    seen = []
    with pytest.raises(ValueError, match="the items end"):
        for value in map_ahead(lambda i: i, numbers(), threads, 3):
            seen.append(value)
    assert seen == list(range(20))
    assert workers() == []


def test_no_more_is_taken_than_may_wait() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    results = map_ahead(lambda i: i, numbers(), 2, 3)
    for expected in range(10):
        assert next(results) == expected
        assert len(taken) <= expected + 3
    results.close()
    assert workers() == []


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_two_threads_read_what_one_reads(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.aedat4"
    written = write_aedat4(path, compression, packets=60, n=3000).to_array()
    for threads in (1, 2, 3):
        found, error, _ = events(path, threads)
        assert error is None
        assert np.array_equal(found, written)
    with open_recording(path) as recording:
        stream = iter(recording.packets(threads=2))
        next(stream)
        del stream
    assert workers() == []


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_damage_comes_in_its_place(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.aedat4"
    write_aedat4(path, compression, packets=40, n=2000)
    data = path.read_bytes()
    rng = np.random.default_rng(6)
    for _ in range(25):
        damaged = bytearray(data)
        damaged[int(rng.integers(1000, len(data)))] ^= 1 << int(rng.integers(8))
        if rng.random() < 0.3:
            del damaged[int(rng.integers(1000, len(data))) :]
        path.write_bytes(damaged)
        (one, one_error, one_dropped), (two, two_error, two_dropped) = (
            events(path, threads) for threads in (1, 2)
        )
        assert np.array_equal(one, two)
        assert str(one_error) == str(two_error)
        assert one_dropped == two_dropped


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_packets_too_large_to_read_ahead_keep_their_place(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.aedat4"
    sizes = [10, 200_000, 10, 10, 150_000, 300_000, 10]
    all_events = some_events(sum(sizes))
    with Aedat4Writer(path, WIDTH, HEIGHT, compression) as writer:
        start = 0
        for size in sizes:
            writer.write(all_events[start : start + size])
            start += size
    found, error, _ = events(path, 2)
    assert error is None
    assert np.array_equal(found, all_events.to_array())


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no list of native threads")
def test_native_threads_end_with_the_pass(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    write_aedat4(path, "none", packets=400, n=2000)
    before, open_files = (len(list(Path("/proc/self", d).iterdir())) for d in ("task", "fd"))
    with open_recording(path) as recording:
        stream = iter(recording.packets(threads=3))
        next(stream)
        assert len(list(Path("/proc/self/task").iterdir())) == before + 2
        del stream
        assert len(list(Path("/proc/self/task").iterdir())) == before
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_shrinks_while_it_is_read_ends_with_an_error(
    tmp_path: Path, threads: int
) -> None:
    path = tmp_path / "a.aedat4"
    write_aedat4(path, "none", packets=400, n=2000)
    seen = 0
    with open_recording(path) as recording, pytest.raises(RecordingError, match="ends inside"):
        for packet in recording.packets(threads=threads):
            seen += len(packet)
            os.truncate(path, 3_000_000)
    assert 3_000_000 // 16 - 2100 < seen < 400 * 2000


@pytest.mark.parametrize("compression", ["none", "lz4"])
def test_a_pass_does_not_lose_its_place_to_another(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.aedat4"
    write_aedat4(path, compression, packets=400, n=1000)
    with open_recording(path) as recording:
        behind = recording.packets(threads=1)
        ahead = recording.packets(threads=1)
        seen = len(next(ahead))
        for packet in ahead:
            seen += len(packet)
            next(behind, None)
        assert seen == 400 * 1000
