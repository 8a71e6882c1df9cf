"""Writers: what is written reads back, event for event; killed and full disks leave a prefix."""

from __future__ import annotations

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.fixtures import HEIGHT, WIDTH, read, some_events
from tests.reference import evt2, evt3

from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.recordings import open_recording
from saccade.camera.writers import FORMATS, open_writer


def load(path: Path, kind: str) -> np.ndarray:
    """The events of a finished file as EVENT_DTYPE [N], npz and CSV by numpy alone."""
    if kind in ("aedat4", "evt3", "evt2"):
        events, error = read(path)
        assert error is None
        return events
    if kind == "npz":
        with np.load(path) as found:
            assert (int(found["width"]), int(found["height"])) == (WIDTH, HEIGHT)
            t, x, y, on = (found[name] for name in "txyp")
        return Packet(t, x, y, on).to_array()
    lines = path.read_text().splitlines()
    assert lines[:2] == [f"# {WIDTH},{HEIGHT}", "t,x,y,on"]
    rows = [tuple(map(int, line.split(","))) for line in lines[2:]]
    return np.array([(t, x, y, bool(on)) for t, x, y, on in rows], EVENT_DTYPE)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, kind: str, events: Packet, *cuts: int) -> None:
    edges = [0, *sorted(c % (len(events) + 1) for c in cuts), len(events)]
    with open_writer(path, WIDTH, HEIGHT, kind) as writer:
        for start, stop in pairwise(edges):
            writer.write(events[start:stop])


def rows(n: int, seed: int) -> Packet:
    """n events as sensors give them: runs of neighbours in one row at one time."""
    rng = np.random.default_rng(seed)
    run = np.sort(rng.integers(0, max(n // 6, 1), n))
    t = 5_000 + np.sort(rng.integers(0, 40_000, n))[run].astype(np.uint64)
    y = rng.integers(0, HEIGHT, n)[run].astype(np.uint16)
    on = rng.integers(0, 2, n)[run].astype(bool)
    start = rng.integers(0, WIDTH - 1, n)[run]
    x = np.minimum(start + (np.arange(n) - np.searchsorted(run, run)) * 3, WIDTH - 1)
    return Packet(t, x.astype(np.uint16), y, on)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("events", [some_events(3000), rows(3000, 1), rows(70_000, 2)])
def test_what_is_written_reads_back(tmp_path: Path, kind: str, events: Packet) -> None:
    path = tmp_path / "out"
    write(path, kind, events, 7, 1000, 1001)
    assert load(path, kind).tolist() == events.to_array().tolist()
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(("kind", "reference"), [("evt3", evt3), ("evt2", evt2)])
def test_the_plain_readers_agree(tmp_path: Path, kind: str, reference) -> None:
    events = rows(2000, 3)
    write(tmp_path / "a", kind, events)
    data = (tmp_path / "a").read_bytes()
    found, _ = reference.decode(data[data.index(b"% end\n") + 6 :], WIDTH, HEIGHT)
    assert found == events.to_array().tolist()


EVENT = st.tuples(
    st.integers(0, 1 << 34) | st.integers(0, 5000) | st.sampled_from([0, 4095, 4096, 1 << 24]),
    st.integers(0, WIDTH - 1),
    st.integers(0, 1),
    st.booleans(),
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(EVENT, min_size=1, max_size=40),
    st.booleans(),
    st.integers(0, 40),
    st.sampled_from(["evt3", "evt2"]),
)
def test_any_times_and_any_order_survive(
    tmp_path_factory: pytest.TempPathFactory, events: list, late: bool, cut: int, kind: str
) -> None:
    events = [(t + (1 << 50) * late, *rest) for t, *rest in events]
    first = min(cut % (len(events) + 1) or len(events), len(events))
    lowest = min(event[0] for event in events)
    # Times before the first packet's cannot be held where that is past the clock's first round.
    if late or min(event[0] for event in events[:first]) >= 1 << 24:
        events.insert(0, (lowest, 0, 0, False))
        first += 1
    packet = Packet.from_array(np.array(events, EVENT_DTYPE))
    path = tmp_path_factory.getbasetemp() / "any.raw"
    write(path, kind, packet, first)
    assert load(path, kind).tolist() == packet.to_array().tolist()


def timed(*t: int) -> Packet:
    zeros = np.zeros(len(t), np.uint16)
    return Packet(np.array(t, np.uint64), zeros, zeros, np.ones(len(t), bool))


@pytest.mark.parametrize("kind", ["evt3", "evt2"])
def test_a_late_clock_is_written_from_zero(tmp_path: Path, kind: str) -> None:
    events = some_events(50)
    write(tmp_path / "a", kind, events)
    data = (tmp_path / "a").read_bytes()
    assert f"% saccade_t0 {events.t[0]}\n".encode() in data
    with_none = data.replace(f"% saccade_t0 {events.t[0]}\n".encode(), b"")
    (tmp_path / "b").write_bytes(with_none)
    assert (load(tmp_path / "b", kind)["t"] + events.t[0] == events.t).all()
    write(tmp_path / "c", kind, timed(5, 6))
    assert b"saccade_t0" not in (tmp_path / "c").read_bytes()


@pytest.mark.parametrize("t0", [b"x", b"-5", b"99999999999999999999", b"1e3"])
def test_a_damaged_origin_is_refused(tmp_path: Path, t0: bytes) -> None:
    write(tmp_path / "a", "evt3", some_events(5))
    data = (tmp_path / "a").read_bytes()
    at = data.index(b"saccade_t0 ") + 11
    (tmp_path / "a").write_bytes(data[:at] + t0 + data[data.index(b"\n", at) :])
    with pytest.raises(RecordingError, match="saccade_t0"):
        open_recording(tmp_path / "a")


@pytest.mark.parametrize("kind", ["evt3", "evt2"])
def test_times_that_a_clock_cannot_follow_are_one_line(tmp_path: Path, kind: str) -> None:
    late = 1 << 50
    with open_writer(tmp_path / "a", WIDTH, HEIGHT, kind) as writer:
        writer.write(timed(late, late + 86_400_000_000, late + 5))  # a jump of a day, and back
        with pytest.raises(SaccadeError, match="lies before the first packet's; write AEDAT4"):
            writer.write(timed(late + 1, late - 1))
        with pytest.raises(SaccadeError, match="jump further than the clock can follow"):
            writer.write(timed(1 << 63))
        writer.write(timed(late + 6))
    found = load(tmp_path / "a", kind)["t"].astype(object) - late
    assert found.tolist() == [0, 86_400_000_000, 5, 6]
    assert (tmp_path / "a").stat().st_size < 100_000


def test_neighbours_are_written_as_the_sensors_vectors(tmp_path: Path) -> None:
    n = 5
    events = Packet(
        np.full(n, 9, np.uint64), np.arange(WIDTH - n, WIDTH, dtype=np.uint16),
        np.full(n, 3, np.uint16), np.ones(n, bool),
    )  # fmt: skip
    write(tmp_path / "a", "evt3", events)
    write(tmp_path / "b", "evt3", events[1:])
    base = 0x3800 | (WIDTH - 32)
    words = [[0x8000, 0x6009, 3, base, 0x4000, 0x4000, 0x50F8]]
    words.append([0x8000, 0x6009, 3, *(0x2800 | x for x in events.x[1:])])
    for name, expected in zip("ab", words, strict=True):
        data = (tmp_path / name).read_bytes()
        found = np.frombuffer(data[data.index(b"% end\n") + 6 :], "<u2")
        assert found.tolist() == expected


def test_formats_are_chosen_by_name_or_extension(tmp_path: Path) -> None:
    for name, start in (("a.RAW", b"% evt 3.0"), ("a.evt2", b"% evt 2.0"), ("a.csv", b"# 346,260")):
        with open_writer(tmp_path / name, WIDTH, HEIGHT) as writer:
            writer.write(some_events(3))
        assert (tmp_path / name).read_bytes().startswith(start)
    for arguments, message in (
        (("a.txt", 5, 5), "extension tells no format.*--format aedat4, evt3"),
        (("a.raw", 5, 5, "evt4"), "format 'evt4': use one of"),
        (("a.raw", 5, 5, None, "zstd"), "evt3 has none"),
        (("a.aedat4", 5, 5, None, "gzip"), "compression is 'gzip'"),
        (("a.raw", 2049, 5), "at most 2048"),
        (("a.csv", 0, 5), "0x5"),
        (("missing/a.csv", 5, 5), "cannot be created"),
    ):
        with pytest.raises(SaccadeError, match=message):
            open_writer(tmp_path / arguments[0], *arguments[1:])


@pytest.mark.parametrize("kind", FORMATS)
def test_what_the_sensor_cannot_have_is_refused_whole(tmp_path: Path, kind: str) -> None:
    writer = open_writer(tmp_path / "a", WIDTH, HEIGHT, kind)
    events = some_events(5)
    writer.write(events)
    wrong = Packet(events.t, events.x + np.uint16(WIDTH), events.y, events.on)
    with pytest.raises(SaccadeError, match="outside 346x260"):
        writer.write(wrong)
    writer.close()
    writer.close()
    with pytest.raises(SaccadeError, match="closed"):
        writer.write(events)
    assert len(load(tmp_path / "a", kind)) == 5


@pytest.mark.parametrize("kind", FORMATS)
def test_a_full_disk_keeps_whole_packets(tmp_path: Path, kind: str) -> None:
    resource = pytest.importorskip("resource")  # a limit on the file's size stands for the disk
    path, events = tmp_path / "a", some_events(5000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = open_writer(path, WIDTH, HEIGHT, kind, "none" if kind == "aedat4" else None)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, hard))
        with pytest.raises(RecordingError, match="writing .*failed"):
            for start in range(0, 5000, 100):
                writer.write(events[start : start + 100])
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = load(path, kind).tolist()
    assert len(found) >= 300
    assert len(found) % 100 == 0
    assert found == events[: len(found)].to_array().tolist()


def test_an_npz_without_room_leaves_its_events(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path, events = tmp_path / "a.npz", some_events(500)
    path.write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = open_writer(path, WIDTH, HEIGHT)
    writer.write(events)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        with pytest.raises(RecordingError, match=r"every event is in .*a\.npz\.part\.aedat4"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"before"
    assert read(tmp_path / "a.npz.part.aedat4")[0].tolist() == events.to_array().tolist()
    assert names(tmp_path) == ["a.npz", "a.npz.part.aedat4"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("kind", FORMATS)
def test_a_killed_writer_leaves_what_it_wrote(tmp_path: Path, kind: str) -> None:
    code = (
        "import sys; from tests.camera.fixtures import WIDTH, HEIGHT, some_events\n"
        "from saccade.camera.writers import open_writer\n"
        "events = some_events(90_000)\n"
        "writer = open_writer(sys.argv[1], WIDTH, HEIGHT, sys.argv[2])\n"
        "for k in range(0, 90_000, 1000):\n"
        "    writer.write(events[k:k + 1000]); print(k, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a"), kind],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    process.kill()
    process.communicate(timeout=30)
    path, loaded = tmp_path / "a", kind
    if kind == "npz":
        path, loaded = tmp_path / "a.part.aedat4", "aedat4"
    if kind == "csv":
        path.write_text(path.read_text()[: path.read_text().rindex("\n") + 1])
    found = load(path, loaded) if kind == "csv" else read(path)[0]
    assert len(found) >= 5000
    assert found.tolist() == some_events(90_000)[: len(found)].to_array().tolist()
