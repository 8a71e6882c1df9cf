"""DAT: the native decoder against the plain one, in both versions; what is refused."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation, read_bytes
from tests.camera.formats.checks import check_decoder, decode
from tests.reference import dat

from saccade.camera._native import DatDecoder
from saccade.camera.errors import RecordingError
from saccade.camera.inspection import inspect
from saccade.camera.recordings import open_recording

HEADER = b"% Data file containing CD events.\n% Version 2\n% Width 304\n% Height 240\n"

pytestmark = pytest.mark.usefixtures("all_paths")


def run(data: bytes):
    decoder = DatDecoder(304, 240, version=2)
    return decode(decoder, data, []), decoder


def check(data: bytes, cuts: list[int], size: tuple[int, int] = (304, 240)) -> None:
    for version in (1, 2):
        expected = dat.decode(data, *size, version)
        new_decoder = partial(DatDecoder, *size, version=version)
        decoder = check_decoder(new_decoder, expected, data, cuts)
        assert decoder.pending_bytes == len(data) % 8


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    check(data, cuts)
    check(data, cuts, (8192, 8192))


def records(t: np.ndarray, version: int = 2, size: tuple[int, int] = (304, 240)) -> bytes:
    """Records at these times, modulo 2^32, of events anywhere on the sensor."""
    rng = np.random.default_rng(1)
    x_bits, y_bits = dat.BITS[version]
    out = np.empty((len(t), 2), "<u4")
    out[:, 0] = t.astype(np.uint64) & 0xFFFFFFFF
    out[:, 1] = rng.integers(0, size[0], len(t)) | rng.integers(0, size[1], len(t)) << x_bits
    out[:, 1] |= (rng.integers(0, 2, len(t)) << (x_bits + y_bits)).astype(np.uint32)
    return out.tobytes()


@pytest.mark.parametrize("step", [0, 3, 1 << 20, 1 << 26, 1 << 29, 1 << 31])
@pytest.mark.parametrize("version", [1, 2])
def test_times_that_rise_fall_wrap_and_jump(step: int, version: int) -> None:
    rng = np.random.default_rng(step)
    t = np.cumsum(rng.integers(0, step + 1, 3000)) + 1000
    cuts = rng.integers(0, 24_000, 20).tolist()
    check(records(t, version), cuts)
    wrong = rng.random(3000) < 0.01
    t[wrong] = rng.integers(0, 1 << 32, wrong.sum())
    t[rng.random(3000) < 0.01] -= 900
    check(records(t, version), cuts)
    check(records(t, version), cuts, (300, 239))


def test_the_32_bit_time_wraps() -> None:
    t = np.arange(0, 1 << 33, 1 << 28) + np.arange(32)
    events, decoder = run(records(t))
    assert [event[0] for event in events] == t.tolist()
    assert decoder.skipped["time_backwards"] == 0


def test_one_damaged_time_does_not_shift_what_follows() -> None:
    t = np.arange(40) * 10
    t[20] = 0xF0000000
    events, decoder = run(records(t))
    assert [event[0] for event in events] == t.tolist()
    assert decoder.skipped["time_backwards"] == 1


@pytest.mark.parametrize("name", ["ncars_004397", "person_qvga_v1_faery", "person_qvga_v2_faery"])
def test_real_recordings_give_the_known_counts(shared_data: Path, name: str) -> None:
    golden = json.loads((shared_data / "recordings/golden.json").read_text())[f"dat/{name}.dat"]
    path = shared_data / f"recordings/dat/{name}.dat"
    found = inspect(path, (304, 240) if name.startswith("ncars") else None)
    assert (found.error, found.format) == (None, "dat")
    for field in ("n", "n_on", "t_first", "t_last", "duration_us", "sum_x", "sum_y", "sum_t"):
        if field in golden:
            assert getattr(found, field) == golden[field], field
    assert not any(found.dropped.values())


def test_real_recordings_of_both_versions_agree(shared_data: Path) -> None:
    found = [
        read_all(shared_data / f"recordings/dat/person_qvga_v{version}_faery.dat")
        for version in (1, 2)
    ]
    assert found[0] == found[1]


def read_all(path: Path, geometry: tuple[int, int] | None = None) -> list[tuple[int, ...]]:
    with open_recording(path, geometry) as recording:
        assert recording.format == "dat"
        return np.concatenate([p.to_array() for p in recording.packets()]).tolist()


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (b"% Data file containing Event2d events.\n% Version 2\n", 2),
        (b"% Data file containing CD events.\n", 1),
        (b"% Version 1\n", 1),
        (b"% Version 0\n", 1),
        (b"% Date 2017-10-31 11:27:54\r\n% Version 2\r\n% end\r\n", 2),
        (b"% Comment none\n", 1),
    ],
)
@pytest.mark.parametrize("kind", [b"\x00\x08", b"\x0c\x08"])
def test_headers(tmp_path: Path, header: bytes, version: int, kind: bytes) -> None:
    data = records(np.arange(0x0A25, 0x0A25 + 50), version)  # the first byte is a '%'
    path = tmp_path / "a.dat"
    path.write_bytes(header + kind + data)
    with pytest.raises(RecordingError, match="--geometry"):
        open_recording(path)
    assert read_all(path, (304, 240)) == dat.decode(data, 304, 240, version)[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + b"\x0e\x08" + bytes(8), "holds external triggers, no events"),
        (HEADER + b"\x17\x08" + bytes(8), "records of type 0x17 are not read"),
        (HEADER + b"\x0c\x10" + bytes(8), "records have 16 bytes, not 8"),
        (HEADER.replace(b"n 2", b"n 3") + b"\x0c\x08" + bytes(8), "version '3' of DAT is not read"),
        (HEADER + b"\x0c\x08", "no event after the header"),
        (HEADER + b"\x0c", "ends inside its header"),
        (HEADER, "ends inside its header"),
        (HEADER.replace(b"304", b"9000") + b"\x0c\x08" + bytes(8), "geometry is 9000x240"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_recording(path)


def test_a_cut_record_is_reported_where_it_starts(tmp_path: Path) -> None:
    data = HEADER + b"\x0c\x08" + records(np.arange(50))
    for missing in range(1, 8):
        events, error = read_bytes(tmp_path / "a", data[:-missing])
        assert len(events) == 49
        assert error is not None
        assert error.offset == len(data) - 8


def test_damage(tmp_path: Path) -> None:
    data = HEADER + b"\x0c\x08" + records(np.arange(2500) * 7)
    check_truncation(tmp_path / "a", data, short_step=97)
    check_flipped_bits(tmp_path / "a", data, short_step=61)
    check_mutations(tmp_path / "a", data, short=300)
