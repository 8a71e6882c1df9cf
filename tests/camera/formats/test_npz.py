"""npz: what numpy.load gives is given, units are told or refused, and no zip takes our memory."""

import io
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation, read_bytes
from tests.camera.fixtures import read, some_events
from tests.reference import npz

from saccade.camera.errors import RecordingError
from saccade.camera.formats.npz_writer import NpzWriter
from saccade.camera.recordings import open_recording

SIZE = {"width": np.array(346), "height": np.array(260)}


def saved(compressed: bool = False, **arrays: Any) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return out.getvalue()


def columns(n: int, **types: str) -> dict[str, np.ndarray]:
    e = some_events(n)
    arrays = {"t": e.t, "x": e.x, "y": e.y, "p": e.on}
    return {name: array.astype(types.get(name, array.dtype)) for name, array in arrays.items()}


def records(n: int) -> np.ndarray:
    out = np.zeros(n, [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "?")])
    for name, column in columns(n).items():
        out[name] = column
    return out


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("n", [1, 65_536, 150_001])
def test_it_is_what_numpy_loads(tmp_path: Path, n: int, compressed: bool) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(saved(compressed, **columns(n), **SIZE))
    found, error = read(path)
    assert error is None
    assert found.tolist() == npz.decode(path.read_bytes(), 346, 260)


TYPES = {
    "t": st.sampled_from(["<u8", ">i8", "<i8"]),
    "x": st.sampled_from(["<u2", ">i4", "<i8", "<u8"]),
    "y": st.sampled_from(["<u2", "<i2"]),
    "p": st.sampled_from(["?", "i1", "u1", "<i8"]),
}


@settings(deadline=None, max_examples=30)
@given(st.fixed_dictionaries(TYPES), st.integers(1, 50))
def test_any_types(tmp_path_factory: pytest.TempPathFactory, types: dict[str, str], n: int) -> None:
    arrays = columns(n, **types)
    arrays["x"][0] = 400  # outside
    if arrays["y"].dtype.kind == "i":
        arrays["y"][-1] = -1
    data = saved(**arrays)
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    found, error = read_bytes(path, data, (346, 260))
    assert error is None
    assert found.tolist() == npz.decode(data, 346, 260)


def test_n_imagenet(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(saved(True, event_data=records(100)))
    with open_recording(path) as recording:
        assert (recording.width, recording.height, recording.format) == (640, 480, "npz")
    found, error = read(path)
    assert error is None
    assert found.tolist() == npz.decode(path.read_bytes(), 640, 480)


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("t", 7, None),
        ("t_us", 7, None),
        ("timestamps_ns", 7999, None),
        ("t_s", 0.0000069999, None),
        ("ts", 0.007, "ms"),
        ("t", 7.0, "us"),
    ],
)
def test_the_unit_of_time(tmp_path: Path, name: str, value: float, unit: str | None) -> None:
    arrays = {name: np.array([value]), "x": np.array([1]), "y": np.array([2]), "on": np.array([1])}
    if unit:
        arrays["time_unit"] = np.array(unit)
    path = tmp_path / "a.npz"
    path.write_bytes(saved(**arrays, **SIZE))
    assert read(path)[0].tolist() == [(7, 1, 2, True)]


def test_steps_back_and_losses_are_counted(tmp_path: Path) -> None:
    arrays = {"t": np.arange(70_000)[::-1], "x": np.arange(70_000) % 400}
    arrays |= {"y": arrays["x"] * 0, "p": arrays["x"] % 3 - 1}
    path = tmp_path / "a.npz"
    path.write_bytes(saved(**arrays, **SIZE))
    with open_recording(path) as recording:
        n = sum(len(packet) for packet in recording.packets())
        assert recording.dropped == {"out_of_bounds": 70_000 - n}
        assert recording.skipped == {"time_backwards": 69_999}
        assert recording.position == recording.size_bytes
        assert recording.count_streams()[0].count == n == np.count_nonzero(arrays["x"] < 346)


def test_what_we_write_is_read_whole(tmp_path: Path) -> None:
    path, events = tmp_path / "a.npz", some_events(70_000)
    with NpzWriter(path, 346, 260) as writer:
        writer.write(events)
    found, error = read(path)
    assert error is None
    assert found.tolist() == events.to_array().tolist()


def zipped(payload: bytes, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"t": payload, **more}.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


REFUSED = {
    "no size": (saved(**columns(3)), "--geometry WxH"),
    "no columns": (saved(a=np.zeros(3), **SIZE), "no columns t, x, y, p"),
    "decimals": (saved(**columns(3, t="<f8"), **SIZE), "no unit is named"),
    "unit": (saved(**columns(3), **SIZE, time_unit=np.array("min")), "must be s, ms"),
    "lengths": (saved(**columns(3) | {"p": np.zeros(4, bool)}, **SIZE), "differ in length"),
    "objects": (saved(**columns(3) | {"p": np.array([{}, 1, 2])}, **SIZE), "p holds object"),
    "float x": (saved(**columns(3, x="<f4"), **SIZE), "x holds float32"),
    "none": (saved(**columns(0), **SIZE), "no event in it"),
    "cut off": (saved(**columns(300), **SIZE)[:-30], "directory, at its end, is damaged or cut"),
    "other zip": (zipped(b"no array"), "starts as no .npy"),
    "long header": (zipped(b"\x93NUMPY\2\0\0\0\0\x40" + bytes(1 << 20)), "is too long"),
    "larger than it is": (zipped(npy(np.zeros(3))[:-1]), "shape and its size"),
    "0x0": (saved(**columns(3), width=np.array(0), height=np.array(0)), "0x0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_recording(path)


def test_a_bomb_takes_little_memory(tmp_path: Path) -> None:
    n = 2_000_000  # 16 MB of times in 16 kB
    zeros = {name: npy(np.zeros(n, kind)) for name, kind in (("x", "u2"), ("y", "u2"), ("p", "?"))}
    path = tmp_path / "a.npz"
    path.write_bytes(zipped(npy(np.zeros(n, "<u8")), **zeros))
    tracemalloc.start()
    with open_recording(path, (346, 260)) as recording:
        assert sum(len(packet) for packet in recording.packets()) == n
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20


@pytest.mark.parametrize(("name", "value"), [("t", -5), ("p", 2), ("p", -2)])
def test_what_stands_before_a_bad_value_is_given(tmp_path: Path, name: str, value: int) -> None:
    arrays = columns(100, t="<i8", p="i1")
    arrays[name][40] = value
    found, error = read_bytes(tmp_path / "a.npz", saved(**arrays, **SIZE))
    assert len(found) == 40
    assert error is not None
    assert f"of event 40 is {value}" in str(error)


@pytest.mark.parametrize("compressed", [False, True])
def test_what_stands_before_a_wrong_checksum_is_given(tmp_path: Path, compressed: bool) -> None:
    data = bytearray(saved(compressed, **columns(20_000), **SIZE))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.getinfo("x.npy").header_offset
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"x.npy"))
    data[at + 16] ^= 1  # the checksum in the directory
    found, error = read_bytes(tmp_path / "a.npz", bytes(data))
    assert 17_000 < len(found) < 20_000
    assert error is not None
    assert error.offset == start


@pytest.mark.parametrize("compressed", [False, True])
def test_damage(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.npz"
    data = saved(compressed, **columns(1200), **SIZE)
    check_truncation(path, data, short_step=61)
    check_flipped_bits(path, data, short_step=53)
    check_mutations(path, data, short=300, long=25_000)
