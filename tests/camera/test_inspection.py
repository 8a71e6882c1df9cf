"""Inspection: exact sums, also past 64 bits."""

import itertools
from pathlib import Path

import numpy as np
from tests.camera.fixtures import EVT2_HEADER, evt2_words, write_aedat4

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.inspection import inspect


def test_the_counts_are_those_of_the_events(tmp_path: Path) -> None:
    events = write_aedat4(tmp_path / "a", "lz4", packets=3, n=1000)
    found = inspect(tmp_path / "a")
    t = [int(v) for v in events.t]
    assert (found.n, found.n_on) == (3000, int(events.on.sum()))
    assert (found.t_first, found.t_last, found.duration_us) == (t[0], t[-1], t[-1] - t[0])
    assert (found.sum_x, found.sum_y) == (int(events.x.sum()), int(events.y.sum()))
    assert found.sum_t == sum(t)
    assert found.rate == 3000 * 1e6 / (t[-1] - t[0])
    assert found.error is None


def test_sums_of_times_are_exact_past_64_bits(tmp_path: Path) -> None:
    last = (1 << 63) - 1
    packet = Packet(
        np.full(1000, last, np.uint64),
        np.full(1000, 8191, np.uint16),
        np.zeros(1000, np.uint16),
        np.zeros(1000, bool),
    )
    with Aedat4Writer(tmp_path / "a", 8192, 1) as writer:
        writer.write(packet)
    found = inspect(tmp_path / "a")
    assert (found.sum_t, found.sum_x, found.rate) == (1000 * last, 8_191_000, 0)


def test_a_recording_without_events(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(EVT2_HEADER + b"\0\0\0\x80")
    found = inspect(tmp_path / "a")
    assert (found.n, found.t_first, found.t_last, found.duration_us) == (0, None, None, 0)


def test_losses_are_listed_by_class(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(EVT2_HEADER + b"\0\0\0\0" + evt2_words(10))
    found = inspect(tmp_path / "a", (346, 260))
    assert found.dropped == {"before_time": 1, "out_of_bounds": 0, "unknown_word": 0}
    assert found.n == 10


def test_steps_back_in_time_are_counted_across_packets(tmp_path: Path) -> None:
    t = np.random.default_rng(1).integers(0, 50, 300).astype(np.uint64)
    wanted = sum(int(b) < int(a) for a, b in itertools.pairwise(t))
    for n in (1, 7, 300):
        with Aedat4Writer(tmp_path / "a", 4, 4) as writer:
            for start in range(0, 300, n):
                part = t[start : start + n]
                zeros = np.zeros(len(part), np.uint16)
                writer.write(Packet(part, zeros, zeros, np.zeros(len(part), bool)))
        assert inspect(tmp_path / "a").backward_steps == wanted


def test_what_is_no_event_is_listed(tmp_path: Path) -> None:
    trigger = b"\x01\x06\0\xa0"
    (tmp_path / "a").write_bytes(EVT2_HEADER + trigger + evt2_words(3) + trigger)
    found = inspect(tmp_path / "a")
    assert found.skipped == {"triggers": 2, "others": 0, "continued": 0, "time_backwards": 0}
    assert [(s.kind, s.count) for s in found.streams] == [("events", 3), ("triggers", 1)]
