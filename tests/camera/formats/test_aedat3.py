"""AEDAT 3.1: the native decoder against the plain one, and what is refused.

No real file is at hand: the packets are those that libcaer's headers describe.
"""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation, read_bytes
from tests.camera.fixtures import read
from tests.camera.formats.checks import check_decoder
from tests.reference import aedat3
from tests.reference.aedat3 import FRAME, IMU6, IMU9, POLARITY, SPECIAL, packet

from saccade.camera._native import Aedat3Decoder
from saccade.camera.errors import RecordingError
from saccade.camera.recordings import open_recording

SIZE = 240, 180


def check(data: bytes, cuts: list[int], size: tuple[int, int] = SIZE, png: bool = False) -> None:
    events, seen, damaged_at = aedat3.decode(data, *size, png)
    decoder = check_decoder(lambda: Aedat3Decoder(*size, png), (events, seen), data, cuts)
    assert (decoder.damage[1] if decoder.damage else None) == damaged_at


def polarity(n: int, seed: int, t0: int, bad: float = 0.0) -> bytes:
    """n events in the order of time, a part `bad` of them invalid, outside or out of order."""
    rng = np.random.default_rng(seed)
    t = t0 % (1 << 31) + np.sort(rng.integers(0, 10 * n + 1, n))
    x, y, on = rng.integers(0, SIZE[0], n), rng.integers(0, SIZE[1], n), rng.integers(0, 2, n)
    t[rng.random(n) < bad / 3] //= 2
    x[rng.random(n) < bad / 3] += 200
    valid = (rng.random(n) >= bad / 3).astype(np.int64)
    words = np.stack([x << 17 | y << 2 | on << 1 | valid, t], 1).astype("<u4")
    return packet(POLARITY, 8, words.tobytes(), t0 >> 31)


def recording(n: int = 2000) -> bytes:
    """Packets of every kind, across the overflow of the 31-bit times."""
    times = [1000, (1 << 31) - 10 * n, 1 << 31, (5 << 31) + 7]
    parts = [polarity(n // 4, seed, t) for seed, t in enumerate(times)]
    parts.insert(1, packet(SPECIAL, 8, bytes(24)) + packet(IMU6, 36, bytes(72)))
    parts.insert(3, packet(FRAME, 36 + 240, bytes(276)) + packet(IMU9, 48, bytes(48)))
    parts.insert(4, packet(POLARITY, 8, b"") + packet(12, 8, bytes(8)) + packet(100, 9, bytes(18)))
    return b"".join(parts)


_PACKETS = st.one_of(
    st.binary(max_size=40),
    st.builds(
        polarity,
        st.integers(0, 150),
        st.integers(0, 9),
        st.integers(0, 1 << 34),
        st.sampled_from([0.0, 0.02, 0.9]),
    ),
    st.builds(
        lambda type, size, n, overflow, capacity: packet(
            type, size, bytes(max(size, 0) * n), overflow, capacity, n
        ),
        st.sampled_from([0, 1, 2, 3, 4, 5, 13, 14, 99, 100, 0x8001, 0x8002, 0xFFFF]),
        st.sampled_from([-1, 0, 7, 8, 35, 36, 48]),
        st.integers(0, 3),
        st.sampled_from([-1, 0, 3]),
        st.sampled_from([None, None, 2]),
    ),
)


@settings(deadline=None, max_examples=250)
@given(st.lists(_PACKETS, max_size=6), st.lists(st.integers(0, 4000), max_size=8), st.booleans())
def test_any_packets_in_any_chunks(packets: list[bytes], cuts: list[int], png: bool) -> None:
    check(b"".join(packets), cuts, png=png)


@pytest.mark.parametrize("bad", [0.0, 0.001, 0.5])
def test_many_events(bad: float) -> None:
    data = polarity(3000, 1, 9000, bad) + polarity(3000, 2, 1 << 31, bad)
    check(data, [1, 29, 35, 36, 20_000, 24_027])
    check(data, [], (1, 1))


def test_what_is_no_polarity_event_is_counted(tmp_path: Path) -> None:
    data = recording()
    check(data, [5, 28, 4040, 9000])
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat3.file_header() + data)
    with open_recording(path) as opened:
        assert (opened.format, opened.sensor) == ("aedat3", "DAVIS240C")
        assert (opened.width, opened.height) == SIZE
        for _ in range(2):  # a pass does not depend on the one before
            assert sum(len(p) for p in opened.packets()) == 2000
        skipped = {"special": 3, "frames": 1, "imu": 3, "others": 3, "time_backwards": 0}
        assert opened.skipped == {name: 2 * n for name, n in skipped.items()}
        assert opened.dropped == {"out_of_bounds": 0, "marked_invalid": 0, "negative_time": 0}
    events, error = read(path)
    assert error is None
    assert events.tolist() == aedat3.decode(data, *SIZE)[0]
    assert events["t"].max() > 5 << 31


def test_compressed_frames_are_passed_over(tmp_path: Path) -> None:
    frame = packet(0x8000 + FRAME, 36 + 480, bytes(77), capacity=77, n=1)
    data = polarity(100, 1, 0) + frame + polarity(100, 2, 5000)
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat3.file_header(format="PNGFrames") + data)
    assert read(path)[1] is None
    with open_recording(path) as opened:
        assert sum(len(p) for p in opened.packets()) == 200
        assert opened.skipped["frames"] == 1
    header = aedat3.file_header()
    events, error = read_bytes(path, header + data)
    assert len(events) == 100
    assert error is not None
    assert error.offset == len(header) + 28 + 800
    assert "unknown type 32770" in str(error)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (0, 14, "unknown type 14"),
        (0, 0x8001, "unknown type 32769"),
        (2, 9, "type 1 have a size of 9"),
        (2, -8, "type 1 have a size of -8"),
        (3, 5, "time lies at 5"),
        (4, -1, "overflows is negative"),
        (5, 49, "packet of 50 events has room for 49"),
        (6, -1, "packet of -1 events"),
        (7, 51, "50 events 51 are said to be valid"),
    ],
)
def test_a_damaged_header_ends_the_reading_there(
    tmp_path: Path, field: int, value: int, message: str
) -> None:
    bad = bytearray(polarity(50, 2, 5000))
    fields = list(aedat3.HEADER.unpack_from(bad))
    fields[field] = value
    struct.pack_into(aedat3.HEADER.format, bad, 0, *fields)
    start = aedat3.file_header() + polarity(70, 1, 0)
    events, error = read_bytes(tmp_path / "a.aedat", start + bad + polarity(10, 3, 9000))
    assert len(events) == 70
    assert error is not None
    assert error.offset == len(start)
    assert message in str(error)


def test_a_file_cut_off_inside_a_packet(tmp_path: Path) -> None:
    start = aedat3.file_header() + polarity(70, 1, 0)
    whole = start + polarity(50, 2, 5000)
    for size, n in ((len(start) + 5, 70), (len(start) + 28, 70), (len(start) + 28 + 81, 80)):
        events, error = read_bytes(tmp_path / "a.aedat", whole[:size])
        assert len(events) == n
        assert error is not None
        assert error.offset == len(start)
        assert "cut off inside a packet" in str(error)


FILE_SOURCE = "File,dvsSizeX=346,dvsSizeY=260,apsSizeX=346,apsSizeY=260,dataSizeX=346"
SOURCES = {
    "DVS128": (128, 128),
    "DAVIS128": (128, 128),
    "DAVIS208": (208, 192),
    "DAVIS240A": (240, 180),
    "DAVIS346Cbsi": (346, 260),
    "DAVIS640": (640, 480),
    "DAVISHet640": (320, 240),
    "eDVS4337": (128, 128),
    "EDVS-4337": (128, 128),
    FILE_SOURCE: (346, 260),
    FILE_SOURCE + "\r\n#-Source 0: DAVIS346B": (346, 260),
    "Something\r\n#-Source 0: DAVIS240B": (240, 180),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_source_tells_the_size(tmp_path: Path, source: str) -> None:
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat3.file_header(source) + polarity(5, 1, 0))
    with open_recording(path) as opened:
        assert (opened.width, opened.height) == SOURCES[source]
        assert opened.sensor == ("" if source == FILE_SOURCE else source.rpartition(": ")[2])
    with open_recording(path, (50, 60)) as opened:
        assert (opened.width, opened.height) == (50, 60)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (aedat3.file_header("X\x1b[1m") + b"\0", r"its source .*u001b.* is not known; give the"),
        (aedat3.file_header("File,dvsSizeX=0,dvsSizeY=0") + b"\0", "geometry is 0x0"),
        (aedat3.file_header(format="SerializedTS,PNGFrames") + b"\0", "'SerializedTS' is not read"),
        (aedat3.file_header("DVS128\r\n#Source 2: DVS128") + b"\0", "events of 2 sources"),
        (aedat3.file_header()[:-3], "ends inside its header"),
        (aedat3.file_header(), "no event after the header"),
        (b"#!AER-DAT3.1\r\n#" + b"a" * (2 << 20), "longer than 1 MiB"),
        (b"#!AER-DAT3.1\r\n#!END-HEADER\r\n\0", "source '' is not known; give the sensor's with"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.aedat"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_recording(path)


def test_damage(tmp_path: Path) -> None:
    data = aedat3.file_header() + recording()
    path = tmp_path / "a.aedat"
    check_truncation(path, data, short_step=37)
    check_flipped_bits(path, data, short_step=41)
    check_mutations(path, data)
