"""AEDAT 2.0: the native decoder against the plain one, real files, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation
from tests.camera.fixtures import read
from tests.camera.formats.checks import check_decoder
from tests.reference import aedat2

from saccade.camera._native import Aedat2Decoder, Aedat2Layout
from saccade.camera.errors import RecordingError
from saccade.camera.recordings import open_recording

HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
DVS128 = HEADER + b"# AEChip: ch.unizh.ini.jaer.chip.retina.DVS128\r\n"
DAVIS240 = HEADER + b"# AEChip: eu.seebetter.ini.chips.davis.DAVIS240C\r\n"


def check(data: bytes, cuts: list[int], size: tuple[int, int], davis: bool) -> None:
    layout = Aedat2Layout.davis if davis else Aedat2Layout.dvs128
    expected = aedat2.decode(data, *size, davis)
    decoder = check_decoder(lambda: Aedat2Decoder(*size, layout), expected, data, cuts)
    assert decoder.pending_bytes == len(data) % 8


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int], davis: bool) -> None:
    check(data, cuts, (240, 180) if davis else (128, 128), davis)


def records(n: int, davis: bool, seed: int = 1) -> bytes:
    """Events in the order of time, from shortly before the clock's 32 bits wrap."""
    rng = np.random.default_rng(seed)
    t = (0xFFFFF000 + np.sort(rng.integers(0, 40 * n, n))) & 0xFFFFFFFF
    address = rng.integers(0, 1 << 15, n)
    if davis:
        x, y, on = rng.integers(0, 240, n), rng.integers(0, 180, n), rng.integers(0, 2, n)
        address = y << 22 | x << 12 | on << 11
        address |= (rng.random(n) < 0.1) * (0x80000000 | rng.integers(0, 4, n) << 10)
    return np.stack([address, t], 1).astype(">u4").tobytes()


@pytest.mark.parametrize("davis", [False, True])
def test_events_across_the_wrap_of_the_clock(davis: bool) -> None:
    check(records(5000, davis), [1, 7, 4096, 20_001], (240, 180), davis)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 30), st.booleans(), st.sampled_from([0.02, 0.1, 0.5]))
def test_blocks_whose_times_fall_wrap_and_jump(seed: int, davis: bool, share: float) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 20, 400)
    odd = rng.random(400) < share
    steps[odd] = rng.choice([-40, 1 << 29, (1 << 30) - 1, 1 << 30, 1 << 31, -(1 << 31)], odd.sum())
    t = np.cumsum(steps) & 0xFFFFFFFF
    x, y = rng.integers(0, 122, 400), rng.integers(0, 122, 400)
    address = y << 22 | x << 12 | rng.integers(0, 2, 400) << 11 if davis else y << 8 | x << 1
    check(np.stack([address, t], 1).astype(">u4").tobytes(), [3, 900], (120, 121), davis)


FILES = {
    "davis240_boxes_imu": ("DAVIS240", None),
    "davis_synthetic_square": ("", (240, 180)),
    "dvs128_standing_up": ("DVS128", None),
    "edvs_2017_short": ("eDVS", None),
    "foam90": ("DVS128", None),
}


@pytest.mark.parametrize("name", FILES)
def test_real_files_name_their_sensor(shared_data: Path, name: str) -> None:
    sensor, geometry = FILES[name]
    with open_recording(shared_data / f"recordings/aedat2/{name}.aedat", geometry) as recording:
        assert (recording.sensor, recording.format) == (sensor, "aedat2")


def test_imu_words_are_no_events(shared_data: Path) -> None:
    with open_recording(shared_data / "recordings/aedat2/davis240_boxes_imu.aedat") as recording:
        assert sum(len(packet) for packet in recording.packets()) == 162_771
        assert recording.skipped["imu"] + recording.skipped["aps"] == 33_837


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cochlea_not_a_camera.aedat", "silicon cochlea"),
        ("header_test_128.aedat_test", "header without events"),
        ("header_test_240.aedat_test", "header without events"),
        ("davis_synthetic_square.aedat", "does not name the chip; give the sensor's size"),
    ],
)
def test_real_files_that_are_refused(shared_data: Path, name: str, message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        open_recording(shared_data / "recordings/aedat2" / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + records(50, davis=True), "does not name the chip"),
        (HEADER + b"# AEChip: org.x.CochleaAMS1c\r\n" + bytes(80), "silicon cochlea"),
        (HEADER + b"# AEChip: org.x.Octopus\r\n" + bytes(80), "its chip 'Octopus' is not known"),
        (DVS128, "header without events"),
        (DVS128[:-5], "ends inside its header"),
        (HEADER + b"# " + b"a" * (5 << 20), "longer than 4 MiB"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.aedat"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_recording(path)


@pytest.mark.parametrize("end", [b"", b"#End Of ASCII Header\r\n"])
def test_a_first_word_that_begins_with_a_hash(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "a.aedat"
    words = (0x23_0A_0A_00).to_bytes(4, "big") + bytes([0, 0, 0, 7]) + records(20, davis=True)
    path.write_bytes(DAVIS240 + end + words)
    events, error = read(path)
    assert error is None
    assert events.tolist() == aedat2.decode(words, 240, 180, True)[0]


def test_damage(tmp_path: Path) -> None:
    data = DAVIS240 + records(2500, davis=True)
    path = tmp_path / "a.aedat"
    check_truncation(path, data, short_step=23)
    check_flipped_bits(path, data, short_step=29)
    check_mutations(path, data)
    dvs128 = DVS128 + records(200, davis=False)
    check_truncation(path, dvs128, short_step=1)
