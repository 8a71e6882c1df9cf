"""HDF5: every layout against what was written, ECF against the plain codec, damage."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import LONG, mutations, read_bytes
from tests.camera.fixtures import HEIGHT, WIDTH, read, some_events
from tests.reference import ecf

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.recordings import open_recording

CD = np.dtype({"names": ["x", "y", "p", "t"], "formats": ["<u2", "<u2", "<i2", "<i8"],
               "offsets": [0, 2, 4, 8], "itemsize": 16})  # fmt: skip
STYLES = ("masked", "x_packed", "all_packed")


def rows(packet: Packet) -> list[ecf.Event]:
    columns = (packet.t, packet.x, packet.y, packet.on)
    return [(t, x, y, int(p)) for t, x, y, p in zip(*(c.tolist() for c in columns), strict=True)]


def native(data: bytes, limit: int = 65535) -> list[ecf.Event] | None:
    columns, dropped, _, damage = _native.decode_ecf(data, 1 << 16, 1 << 16, limit)
    assert damage is None or 0 <= damage[1] <= len(data)
    assert dropped["out_of_bounds"] == 0
    return None if damage else rows(Packet(*columns))


def write_metavision(path: Path, n: int = 600, chunk: int = 200, compress: bool = True) -> Packet:
    """A file as Metavision writes it; the style of the chunks changes."""
    events = some_events(n)
    with h5py.File(path, "w") as file:
        file.attrs["geometry"] = f"{WIDTH}x{HEIGHT}"
        if compress:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk((chunk,))
            plist.set_filter(0x8ECF, h5py.h5z.FLAG_OPTIONAL)
            group, space = file.create_group("CD"), h5py.h5s.create_simple((n,))
            data = h5py.h5d.create(group.id, b"events", h5py.h5t.py_create(CD), space, plist)
            for k, start in enumerate(range(0, n, chunk)):
                part = rows(events[start : start + chunk])
                data.write_direct_chunk((start,), ecf.encode(part, STYLES[k % 3]))
        else:
            data = np.zeros(n, CD)
            data["x"], data["y"], data["p"], data["t"] = events.x, events.y, events.on, events.t
            file.create_dataset("CD/events", data=data)
        times = np.arange(0, int(events.t[-1] - events.t[0]), 2000)
        index = np.zeros(len(times), [("id", "<u8"), ("ts", "<i8")])
        index["id"] = np.searchsorted(events.t - events.t[0], times)
        index["ts"] = times
        file.create_dataset("CD/indexes", data=index)
        file["CD/indexes"].attrs["offset"] = str(-int(events.t[0]))
    return events


def write_dsec(path: Path, n: int = 3000) -> Packet:
    events = some_events(n)
    start = int(events.t[0])
    relative = (events.t - np.uint64(start)).astype(np.uint32)
    with h5py.File(path, "w") as file:
        for name, column in (("x", events.x), ("y", events.y), ("p", events.on), ("t", relative)):
            file.create_dataset(
                f"events/{name}",
                data=column.astype(column.dtype),
                chunks=(500,),
                compression="gzip",
            )
        file["t_offset"] = np.int64(start)
        file["ms_to_idx"] = np.searchsorted(relative, np.arange(0, int(relative[-1]), 1000)).astype(
            np.uint64
        )
    return events


def write_mvsec(path: Path, n: int = 3000) -> Packet:
    events = some_events(n)
    table = np.stack([events.x, events.y, events.t / 1e6, np.where(events.on, 1, -1)], 1)
    with h5py.File(path, "w") as file:
        file.create_dataset("davis/left/events", data=table, chunks=(1000, 4))
    return events


def write_evlib(path: Path, unit: str | None = "us", scale: float = 1) -> Packet:
    events = some_events(3000)
    with h5py.File(path, "w") as file:
        for name, column in (("xs", events.x), ("ys", events.y), ("ps", events.on)):
            file.create_dataset(f"events/{name}", data=column.astype(np.int16))
        file["events/ts"] = events.t * scale
        if unit:
            file["events/ts"].attrs["unit"] = unit
    return events


#: Power of two of the step in time, x, y, p, how many events.
RUN = st.tuples(
    st.integers(0, 40),
    st.integers(0, 2047),
    st.integers(0, 2047),
    st.integers(0, 1),
    st.sampled_from([1, 1, 2, 14, 15, 31, 126, 127, 200]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(RUN, max_size=12), st.sampled_from(STYLES))
def test_native_ecf_is_the_reference(runs: list[tuple[int, ...]], style: str) -> None:
    events: list[ecf.Event] = []
    now = 1 << 40
    for power, x, y, p, run in runs:
        now += (1 << power) - 1
        events += [(now, min(x + j % 7, 2047), y, p) for j in range(run)]
    data = ecf.encode(events, style)
    assert ecf.decode(data) == events
    assert native(data) == events
    assert native(data, 5) == events[:5]


def test_any_mutation_of_ecf_gives_what_the_reference_gives() -> None:
    for style in STYLES:
        data = ecf.encode(rows(some_events(60)), style)
        for damaged in mutations(data, 50_000 if LONG else 1000):
            try:
                expected = [e for e in ecf.decode(damaged) if e[0] < 1 << 63]
            except ValueError:
                expected = None
            assert native(damaged) == expected
        for size in range(len(data)):
            assert native(data[:size]) is None


@pytest.mark.parametrize("compress", [True, False])
def test_metavision(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "a"
    events = write_metavision(path, n=550, compress=compress)
    found, error = read(path)
    assert error is None
    assert np.array_equal(found, events.to_array())
    with open_recording(path) as recording:
        assert (recording.format, recording.width) == ("hdf5-metavision", WIDTH)


@pytest.mark.parametrize("write", [write_dsec, write_mvsec])
def test_dsec_and_mvsec(tmp_path: Path, write) -> None:
    events = write(tmp_path / "a")
    found, error = read(tmp_path / "a")
    assert error is None
    assert np.array_equal(found, events.to_array())


@pytest.mark.parametrize("write", [write_metavision, write_dsec, write_mvsec, write_evlib])
def test_a_pass_may_start_late_and_passes_run_side_by_side(tmp_path: Path, write) -> None:
    events = write(tmp_path / "a")
    since = int(events.t[len(events) * 2 // 3])
    with open_recording(tmp_path / "a", (WIDTH, HEIGHT)) as recording:
        whole, late = recording.packets(), list(recording.packets(since))
        assert sum(len(p) for p in whole) == len(events)
        assert sum(len(p) for p in late) >= np.count_nonzero(events.t >= since)
        if write is write_metavision:
            assert len(late) == 2


@pytest.mark.parametrize(("unit", "scale"), [("us", 1), ("s", 1e-6), (None, 1.0)])
def test_evlib_units(tmp_path: Path, unit: str | None, scale: float) -> None:
    events = write_evlib(tmp_path / "a", unit, scale)
    found, error = read_bytes(tmp_path / "b", (tmp_path / "a").read_bytes(), (WIDTH, HEIGHT))
    assert error is None
    assert np.array_equal(found["x"], events.x)
    assert np.abs(found["t"].astype(np.int64) - events.t.astype(np.int64)).max() <= 1


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_evlib(path, None, 1e-6)
    with pytest.raises(RecordingError, match="floats without a unit"):
        open_recording(path, (WIDTH, HEIGHT))
    write_evlib(path)
    with pytest.raises(RecordingError, match="--geometry"):
        open_recording(path)
    with h5py.File(path, "w") as file:
        file["images/left"] = np.zeros(3)
    with pytest.raises(RecordingError, match=r"not known .*/images/left"):
        open_recording(path)
    write_dsec(tmp_path / "other")
    with h5py.File(path, "w") as file:
        file["CD/events"] = h5py.ExternalLink(str(tmp_path / "other"), "events/x")
    with pytest.raises(RecordingError, match="is a link"):
        open_recording(path)


def test_coordinates_out_of_bounds_are_dropped_and_counted(tmp_path: Path) -> None:
    events = write_metavision(tmp_path / "a")
    with open_recording(tmp_path / "a", (100, HEIGHT)) as recording:
        n = sum(len(packet) for packet in recording.packets())
        assert n == np.count_nonzero(events.x < 100)
        assert recording.dropped == {"out_of_bounds": len(events) - n, "negative_time": 0}


def test_a_damaged_chunk_is_told_with_its_offset(tmp_path: Path) -> None:
    events = write_metavision(tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    chunk = ecf.encode(rows(events[200:400]), "x_packed")
    at = data.index(chunk)
    found, error = read_bytes(tmp_path / "b", data[:at] + b"\xff" * 4 + data[at + 4 :])
    assert np.array_equal(found, events[:200].to_array())
    assert error is not None
    assert error.offset == at


def test_events_that_nobody_wrote_are_not_made_up(tmp_path: Path) -> None:
    events = write_mvsec(tmp_path / "a")
    with h5py.File(tmp_path / "a", "a") as file:
        table = file["davis/left/events"][()]
        del file["davis/left/events"]
        data = file.create_dataset("davis/left/events", (1 << 50, 4), "f8", chunks=(65_536, 4))
        data[: len(events)] = table
    found, error = read(tmp_path / "a")
    assert error is not None
    assert "is missing" in str(error)
    assert len(found) == 65_536


def test_no_process_is_left(tmp_path: Path) -> None:
    write_metavision(tmp_path / "a")
    with open_recording(tmp_path / "a") as recording:
        pid = recording._child._process.pid
        next(recording.packets())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_that_dies_is_told_after_what_it_gave(tmp_path: Path) -> None:
    write_metavision(tmp_path / "a")
    with open_recording(tmp_path / "a") as recording:
        packets = recording.packets()
        assert len(next(packets)) == 200
        os.kill(recording._child._process.pid, 9)
        with pytest.raises(RecordingError, match="crashes or hangs"):
            next(packets)


def _check(path: Path, data: bytes) -> None:
    """As damage.read_bytes, but not by the clock of a machine that starts processes slowly."""
    path.write_bytes(data)
    begun = time.perf_counter()
    try:
        with open_recording(path, (WIDTH, HEIGHT)) as recording:
            for packet in recording.packets():
                assert packet.x.max() < WIDTH
    except RecordingError as error:
        assert "\n" not in str(error)
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("write", [write_metavision, write_dsec])
def test_damage(tmp_path: Path, write) -> None:
    write(tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    for size in range(8, len(data), len(data) // (500 if LONG else 3)):
        _check(tmp_path / "b", data[:size])
    rng = np.random.default_rng(5)
    for bit in rng.integers(64, 8 * 4096, 5000 if LONG else 4):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        _check(tmp_path / "b", bytes(damaged))
    for damaged in mutations(data, 5000 if LONG else 4):
        _check(tmp_path / "b", damaged)


def test_a_real_recording(shared_data: Path) -> None:
    name = "hdf5/person_qvga_evlib.h5"
    golden = json.loads((shared_data / "recordings" / "golden.json").read_text())[name]
    with open_recording(shared_data / "recordings" / name, (320, 240)) as recording:
        packets = list(recording.packets())
    assert sum(len(p) for p in packets) == golden["n"]
    assert sum(int(p.on.sum()) for p in packets) == golden["n_on"]
    assert sum(int(p.x.sum()) for p in packets) == golden["sum_x"]
    assert sum(int(p.y.sum()) for p in packets) == golden["sum_y"]
    assert int(packets[-1].t[-1]) - int(packets[0].t[0]) == golden["duration_us"]
