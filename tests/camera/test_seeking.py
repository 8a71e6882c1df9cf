"""Sections of a recording: the same events whatever the packets, and the index is used."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.fixtures import HEIGHT, WIDTH, read, some_events

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.recordings import open_recording
from saccade.camera.seeking import Section
from saccade.camera.writers import open_writer


def section(path: Path, start: int, stop: int | None) -> list[tuple]:
    with open_recording(path) as recording:
        return [e for p in Section(recording, start, stop).packets() for e in p.to_array().tolist()]


def expected(events: list[tuple], start: int, stop: int | None) -> list[tuple]:
    """What the words say, one event at a time."""
    origin = events[0][0]
    first = next((i for i, e in enumerate(events) if e[0] >= origin + start), len(events))
    if stop is None:
        return events[first:]
    last = next((i for i in range(first, len(events)) if events[i][0] >= origin + stop), None)
    return events[first:last]


class Memory:
    """A recording of given packets, which counts a loss at each."""

    def __init__(self, packets: list[Packet]) -> None:
        self._packets, self.dropped = packets, {"out_of_bounds": 0, "unknown_word": 0}

    def packets(self, since_us: int | None = None):
        for packet in self._packets:
            self.dropped = {name: n + 1 for name, n in self.dropped.items()}
            yield packet


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=30),
    st.lists(st.integers(1, 29), max_size=5),
    st.integers(0, 25),
    st.integers(1, 25) | st.none(),
)
def test_any_times_in_any_packets(times: list[int], cuts: list[int], start: int, length) -> None:
    t = np.array(times, np.uint64) + np.uint64(1 << 40)
    x = np.arange(len(t), dtype=np.uint16)
    events = Packet(t, x, x, x > 0)
    edges = sorted({0, len(t), *(c for c in cuts if c < len(t))})
    packets = [events[a:b] for a, b in pairwise(edges)]
    stop = None if length is None else start + length
    found = [e for p in Section(Memory(packets), start, stop).packets() for e in p.to_array()]
    assert [e.item() for e in found] == expected(events.to_array().tolist(), start, stop)


def test_only_losses_within_the_section_count() -> None:
    packets = [some_events(10)[i : i + 1] for i in range(10)]
    origin = int(packets[0].t[0])
    times = [int(p.t[0]) - origin for p in packets]
    part = Section(Memory(packets), times[3], times[7])
    assert len(list(part.packets())) == 4
    # those of packets 3 to 6, and of the one that shows the end
    assert part.dropped == {"out_of_bounds": 5, "unknown_word": 5}
    assert part.events_dropped == 5
    list(part.packets())
    assert part.events_dropped == 10


def write_long(path: Path, compression: str = "lz4") -> list[tuple]:
    events = some_events(20_000)
    with Aedat4Writer(path, WIDTH, HEIGHT, compression) as writer:
        for start in range(0, len(events), 200):
            writer.write(events[start : start + 200])
    return events.to_array().tolist()


def test_the_table_is_used_and_agrees_with_a_scan(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    events = write_long(path)
    for start, stop in ((1, 2), (50_000, 60_000), (99_000, None), (1 << 40, None), (0, 10)):
        assert section(path, start, stop) == expected(events, start, stop)
    with open_recording(path) as recording:
        packets = recording.packets(since_us=events[10_100][0])
        assert [e for p in packets for e in p.to_array().tolist()] == events[10_000:]
        assert list(recording.packets(since_us=1 << 62)) == []
    plain = tmp_path / "a.csv.raw"
    with open_writer(plain, WIDTH, HEIGHT, "evt2") as writer, open_recording(path) as recording:
        for packet in recording.packets():
            writer.write(packet)
    assert section(plain, 50_000, 60_000) == section(path, 50_000, 60_000)


def table_of(path: Path) -> int:
    with open_recording(path) as recording:
        return recording._table


@pytest.mark.parametrize("damage", ["absent", "flipped", "lies", "falls"])
def test_a_table_that_cannot_be_trusted_is_not(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.aedat4"
    events = write_long(path, "none")
    data, table = bytearray(path.read_bytes()), table_of(path)
    if damage == "absent":
        data = data[:table]
        struct.pack_into("<q", data, data.index(struct.pack("<q", table)), -1)
    elif damage == "flipped":
        data[table + 60] ^= 0xFF
    elif damage == "lies":  # every time a second late, but in order
        origin = events[0][0]
        for at in range(table, len(data) - 7):
            (value,) = struct.unpack_from("<q", data, at)
            if origin <= value <= origin + 100_000:
                struct.pack_into("<q", data, at, value + 1_000_000)
    else:
        with Aedat4Writer(path, WIDTH, HEIGHT, "none") as writer:
            packets = [some_events(200, seed) for seed in range(20)]
            for packet in packets:
                writer.write(packet)
        events = [e for p in packets for e in p.to_array().tolist()]
        data = bytearray(path.read_bytes())
    path.write_bytes(data)
    for start, stop in ((30_000, 40_000), (99_900, None)):
        assert section(path, start, stop) == expected(events, start, stop)


def test_damage_before_the_section_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    events = write_long(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 4] ^= 0xFF
    path.write_bytes(data)
    assert read(path)[1] is not None
    assert section(path, 60_000, 70_000) == expected(events, 60_000, 70_000)


def test_real_recordings_have_a_table_that_is_used(shared_data: Path) -> None:
    for path in sorted((shared_data / "recordings" / "aedat4").glob("*.aedat4")):
        events = read(path)[0]
        assert (np.diff(events["t"].astype(np.int64)) >= 0).all()
        middle = int(events["t"][-1] - events["t"][0]) // 2
        with open_recording(path) as recording:
            next(recording.packets(since_us=int(events["t"][0]) + middle))
            assert recording.position > recording.size_bytes // 4
        first = int(np.searchsorted(events["t"], events["t"][0] + np.uint64(middle)))
        assert section(path, middle, None) == events[first:].tolist(), path


@pytest.mark.parametrize(("start", "stop"), [(-1, None), (5, 5), (5, 4)])
def test_a_section_of_nothing_is_refused(start: int, stop: int | None) -> None:
    with pytest.raises(SaccadeError, match="us: must be"):
        Section(Memory([]), start, stop)
