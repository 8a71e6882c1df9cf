"""AEDAT4's frames, IMU samples and triggers: as the plain reader has them; hostile buffers."""

import contextlib
import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera import damage
from tests.camera.fixtures import some_events, write_aedat4
from tests.reference import aedat4

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.aedat4 import Aedat4Recording
from saccade.camera.formats.aedat4_writer import MAGIC, events_payload, io_header
from saccade.camera.formats.unpack import Compression, pack
from saccade.camera.inspection import inspect
from saccade.camera.recordings import open_recording
from saccade.camera.streams import Frame

DATA = os.environ.get("SACCADE_DATA")
KINDS = ("EVTS", "FRME", "IMUS", "TRIG", "EVTS")
FRAME = "qqqqqbhhhh"


def _table(formats: str, values: list[float], vtable_at: int, at: int) -> bytes:
    """A table at byte `at` with all its scalar fields packed, unaligned, in order."""
    return struct.pack("<i" + formats, at - vtable_at, *values)


def _vtable(formats: str, extra: int = 0) -> bytes:
    """The table's vtable; `extra` more fields of 4 bytes at its end."""
    formats += "I" * extra
    places = [4 + struct.calcsize("<" + formats[:i]) for i in range(len(formats))]
    size = 4 + struct.calcsize("<" + formats)
    return struct.pack(f"<HH{len(places)}H", 4 + 2 * len(places), size, *places)


def frame_payload(values: list[int], pixels: bytes) -> bytes:
    """Size-prefixed FRME of t, frame begin, end, exposure begin, end, format, w, h, x, y."""
    vtable = _vtable(FRAME, 1)
    at = 12 + len(vtable)
    table = _table(FRAME, [*values], 12, at) + struct.pack("<I", 4)
    body = vtable + table + struct.pack("<I", len(pixels)) + pixels
    return struct.pack("<II4s", 8 + len(body), at - 4, b"FRME") + body


def rows_payload(identifier: bytes, formats: str, rows: list[tuple[float, ...]]) -> bytes:
    """Size-prefixed flatbuffer of one vector of tables, which share a vtable."""
    outer, inner = _vtable("I"), _vtable(formats)
    root = 12 + len(outer) + len(inner)
    vector = root + 8
    first = vector + 4 + 4 * len(rows)
    size = 4 + struct.calcsize("<" + formats)
    body = outer + inner + struct.pack("<iII", root - 12, 4, len(rows))
    for i in range(len(rows)):
        body += struct.pack("<I", first + i * size - (vector + 4 + 4 * i))
    for i, row in enumerate(rows):
        body += _table(formats, [*row], 12 + len(outer), first + i * size)
    return struct.pack("<II4s", 8 + len(body), root - 4, identifier) + body


IMU = "q" + "f" * 10


def some_imu(n: int, seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).standard_normal((n, 10)).tolist()
    return rows_payload(b"IMUS", IMU, [(1000 + i, *row) for i, row in enumerate(values)])


def write_streams(path: Path, compression: Compression) -> list[int]:
    """Events, a frame, samples, triggers and a second camera's events; where each packet starts."""
    nodes = "".join(
        f'<node name="{i}"><attr key="typeIdentifier">{kind}</attr>'
        f'<attr key="originalOutputName">out{i}</attr><node name="info">'
        '<attr key="sizeX">346</attr><attr key="sizeY">260</attr></node></node>'
        for i, kind in enumerate(KINDS)
    )
    info = f'<dv version="2.0"><node name="outInfo">{nodes}</node></dv>'.encode()
    pixels = bytes(range(24))
    payloads = [
        events_payload(some_events(30)),
        frame_payload([50, 40, 60, 45, 55, 16, 4, 2, 7, 9], pixels),
        some_imu(5),
        rows_payload(b"TRIG", "qb", [(5, 1), (-7, 2), (9, 8)]),
        events_payload(some_events(10)),
    ]
    data, starts = MAGIC + io_header(compression, info), list[int]()
    for i, payload in enumerate(payloads):
        packed = pack(payload, compression)
        starts.append(len(data))
        data += struct.pack("<ii", i, len(packed)) + packed
    path.write_bytes(data)
    return starts


def opened(path: Path) -> Aedat4Recording:
    recording = open_recording(path)
    assert isinstance(recording, Aedat4Recording)
    return recording


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_all_streams_of_a_file_are_read(tmp_path: Path, compression: Compression) -> None:
    write_streams(tmp_path / "a", compression)
    with opened(tmp_path / "a") as recording:
        (frame,), (imu,), (found,) = recording.frames(), recording.imu(), recording.triggers()
        assert (frame.t_us, frame.exposure_us, frame.position) == (50, (45, 55), (7, 9))
        assert frame.pixels.tolist() == np.arange(24).reshape(2, 4, 3).tolist()
        assert imu.t.tolist() == [1000, 1001, 1002, 1003, 1004]
        assert (found.t.tolist(), found.kind.tolist()) == ([5, 9], [1, 8])
        assert recording.dropped == {"out_of_bounds": 0, "negative_time": 1}
        counts = {(s.kind, s.name): s.count for s in recording.streams}
    assert counts == {
        ("events", "out0"): None,
        ("frames", "out1"): 1,
        ("imu", "out2"): 5,
        ("triggers", "out3"): 2,
        ("events", "out4"): None,
    }
    assert [s.count for s in inspect(tmp_path / "a").streams] == [30, 1, 5, 2, None]


def test_damage_in_any_stream_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"
    starts = write_streams(path, "none")
    whole = path.read_bytes()
    for number in (1, 2, 3):
        damaged = bytearray(whole)
        damaged[starts[number] + 8 + 8] ^= 1  # its identifier
        path.write_bytes(damaged)
        found = inspect(path)
        assert found.n == 30
        assert found.error_offset == starts[number]
        assert "wrong identifier" in str(found.error)


def _all(path: Path, data: bytes) -> list[list[object]]:
    """What each stream gives before its damage, within a second."""
    path.write_bytes(data)
    found: list[list[object]] = [[], [], []]
    begun = time.perf_counter()
    with contextlib.suppress(RecordingError), open_recording(path) as recording:
        assert isinstance(recording, Aedat4Recording)
        passes = (recording.frames, recording.imu, recording.triggers)
        for rows, read in zip(found, passes, strict=True):
            with contextlib.suppress(RecordingError):
                for part in read():
                    rows.append(part.t_us if isinstance(part, Frame) else part.t.tolist())
    assert time.perf_counter() - begun < damage.LIMIT_S
    return found


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_any_damage_leaves_what_came_before(tmp_path: Path, compression: Compression) -> None:
    write_streams(tmp_path / "a", compression)
    data = (tmp_path / "a").read_bytes()
    whole = _all(tmp_path / "a", data)
    assert [len(rows) for rows in whole] == [1, 1, 1]
    for size in range(0, len(data), 1 if damage.LONG else 9):
        found = _all(tmp_path / "a", data[:size])
        assert all(rows == whole[i][: len(rows)] for i, rows in enumerate(found))
    for changed in damage.mutations(data, 20_000 if damage.LONG else 300):
        _all(tmp_path / "a", changed)


def test_a_stream_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_aedat4(tmp_path / "a")
    with opened(tmp_path / "a") as recording:
        for read, kind in (
            (recording.frames, "frames"),
            (recording.imu, "imu"),
            (recording.triggers, "triggers"),
        ):
            with pytest.raises(RecordingError, match=f"it has no {kind} stream"):
                list(read())


_SMALL = st.integers(-100, 100)


@given(st.tuples(_SMALL, _SMALL, _SMALL), st.sampled_from([0, 16, 24]), st.integers(0, 5), _SMALL)
def test_frames_are_those_of_the_plain_reader(
    times: tuple[int, int, int], code: int, side: int, x: int
) -> None:
    t, begin, end = times
    pixels = os.urandom(side * (side + 1) * {0: 1, 16: 3, 24: 4}[code])
    payload = frame_payload([t, 0, 0, begin, end, code, side, side + 1, x, -x], pixels)
    *native, first = _native.read_aedat4_frame(payload)
    *plain, found = aedat4.frame(payload)
    assert native == plain
    assert payload[first : first + len(pixels)] == found == pixels


@given(st.integers(0, 30), st.integers(0, 1 << 32))
def test_samples_are_those_of_the_plain_reader(n: int, seed: int) -> None:
    payload = some_imu(n, seed)
    t, temperature, *axes, negative = _native.read_aedat4_imu(payload)
    columns = [t, temperature, *(v for a in axes for v in np.reshape(a, (-1, 3)).T)]
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == aedat4.imu(payload)
    assert negative == 0


@given(st.lists(st.tuples(st.integers(-9, 1 << 62), st.integers(0, 127))))
def test_triggers_are_those_of_the_plain_reader(rows: list[tuple[int, int]]) -> None:
    payload = rows_payload(b"TRIG", "qb", [*rows])
    t, kind, negative = _native.read_aedat4_triggers(payload)
    kept = [row for row in aedat4.triggers(payload) if row[0] >= 0]
    assert list(zip(t.tolist(), kind.tolist(), strict=True)) == kept
    assert negative == len(rows) - len(kept)


def _read_any(payload: bytes) -> None:
    for read in (
        _native.read_aedat4_frame,
        _native.read_aedat4_imu,
        _native.read_aedat4_triggers,
    ):
        try:
            read(payload)
        except ValueError as error:
            assert "its f" in str(error)  # its flatbuffer..., its frame...


@settings(max_examples=60)
@given(st.data())
def test_hostile_buffers_are_refused_or_read_inside(data: st.DataObject) -> None:
    frame = frame_payload([1, 2, 3, 4, 5, 0, 4, 3, 0, 0], bytes(12))
    for payload in (frame, some_imu(3), rows_payload(b"TRIG", "qb", [(1, 2), (3, 4)])):
        _read_any(payload[: data.draw(st.integers(0, len(payload)))])
        for at in range(0, len(payload) - 3, 2):  # any offset, vtable or length
            damaged = bytearray(payload)
            value = data.draw(st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFF0]))
            struct.pack_into("<I", damaged, at, value)
            _read_any(bytes(damaged))


def test_what_is_wrong_is_named() -> None:
    frame = [1, 2, 3, 4, 5, 0, 4, 3, 0, 0]
    for values, pixels, what in (
        (frame, 11, "not as many pixels"),
        ([*frame[:5], 8, *frame[6:]], 12, "unknown pixel format"),
        ([*frame[:6], -4, -3, 0, 0], 12, "negative size"),
    ):
        with pytest.raises(ValueError, match=what):
            _native.read_aedat4_frame(frame_payload(values, bytes(pixels)))
    shared = bytearray(rows_payload(b"TRIG", "qb", []) + bytes(4 << 19))
    struct.pack_into("<I", shared, 0, len(shared) - 4)
    struct.pack_into("<I", shared, len(shared) - (4 << 19) - 4, 1 << 19)
    with pytest.raises(ValueError, match="too many elements"):
        _native.read_aedat4_triggers(bytes(shared))


@pytest.mark.skipif(DATA is None, reason="SACCADE_DATA names no folder of recordings")
def test_real_recordings_have_their_true_counts() -> None:
    folder = Path(DATA or "") / "recordings"
    golden = json.loads((folder / "golden.json").read_text())
    for path in sorted((folder / "aedat4").glob("davis*")):
        true = golden[f"aedat4/{path.name}"]
        found = inspect(path)
        counts = {s.kind: s.count for s in found.streams}
        assert counts == {
            "events": true["n"],
            **{k: true[k] for k in ("frames", "imu", "triggers")},
        }
        assert found.backward_steps == true["backward_steps"]
        with opened(path) as recording:
            numbers = {kind: i for i, s in recording._streams.items() for kind in [s.kind]}
            plain = aedat4.payloads(path.read_bytes(), numbers["FRME"])
            for frame, payload in zip(recording.frames(), plain, strict=True):
                assert frame.pixels.tobytes() == aedat4.frame(payload)[-1]
