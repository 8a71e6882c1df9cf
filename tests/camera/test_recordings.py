"""Recordings: real files against their known counts, and what is refused, and how."""

from pathlib import Path

import numpy as np
import pytest
from tests.camera.fixtures import EVT2_HEADER, RAW_HEADER, evt2_words, evt3_words, read
from tests.reference import aedat4, evt2, evt3

from saccade.camera.errors import RecordingError, printable
from saccade.camera.recordings import open_recording


@pytest.mark.parametrize(
    "name", ["aedat4/davis346_lab_dv_zstd.aedat4", "aedat4/davis346_lab_lz4.aedat4"]
)
def test_a_real_aedat4_agrees_with_the_reference(shared_data: Path, name: str) -> None:
    path = shared_data / "recordings" / name
    events, error = read(path)
    assert error is None
    assert events.tolist() == aedat4.decode(path.read_bytes())


def test_real_triggers_are_counted(shared_data: Path) -> None:
    with open_recording(shared_data / "recordings/evt3/pole_vga_triggers.raw") as recording:
        for _ in recording.packets():
            pass
        assert recording.skipped["others"] == 519
        assert recording.skipped["triggers"] == 4157
        assert recording.skipped["continued"] == 1038 + 243


def test_the_reader_follows_the_content_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "events.aedat4"
    path.write_bytes(RAW_HEADER + evt3_words(50))
    events, error = read(path)
    assert error is None
    assert events.tolist() == evt3.decode(evt3_words(50), 346, 260)[0]


def test_passes_start_anew_and_add_up_their_losses(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    words = evt3_words(20) + np.array([0x27FF, 0xA000], "<u2").tobytes()
    path.write_bytes(RAW_HEADER + words)
    with open_recording(path) as recording:
        first = np.concatenate([p.to_array() for p in recording.packets()])
        assert recording.position == recording.size_bytes == path.stat().st_size
        assert recording.dropped["out_of_bounds"] == 1
        second = np.concatenate([p.to_array() for p in recording.packets()])
        assert recording.dropped["out_of_bounds"] == 2
        assert recording.skipped["triggers"] == 2
    assert first.tolist() == second.tolist()


def test_a_word_that_starts_with_a_percent_sign_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    for first in (0x0A282025, 0x0A434325, 0x00000025):
        words = np.array([first], "<u4").tobytes() + evt2_words(30)
        path.write_bytes(b"% evt 2.0\n% geometry 346x260\n" + words)
        events, error = read(path)
        assert error is None
        assert events.tolist() == evt2.decode(words, 346, 260)[0]


LINES = [b"%", b"% ", b"%\r", b"%comment x", b"%  two spaces", b"% 2024-01-01 12:00", b"% caf\xe9"]


@pytest.mark.parametrize("end", [b"", b"% end\n", b"% end\r\n"])
@pytest.mark.parametrize("line", LINES)
def test_a_line_that_names_no_field_is_still_header(
    tmp_path: Path, line: bytes, end: bytes
) -> None:
    path = tmp_path / "a.raw"
    lines = [b"% evt 3.0", b"% geometry 346x260", b"% plugin_name hal_imx636"]
    for at in range(len(lines) + 1):
        header = b"\n".join([*lines[:at], line, *lines[at:]]) + b"\n" + end
        path.write_bytes(header + evt3_words(50))
        with open_recording(path) as recording:
            assert (recording.sensor, recording.width) == ("IMX636", 346)
        events, error = read(path)
        assert error is None
        assert events.tolist() == evt3.decode(evt3_words(50), 346, 260)[0]


def test_all_above_the_end_line_is_header(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(
        b"% evt 3.0\n%ab\n% \x01\x02\xff\n% geometry 346x260\n% end\n" + evt3_words(50)
    )
    events, error = read(path)
    assert error is None
    assert events.tolist() == evt3.decode(evt3_words(50), 346, 260)[0]


def test_passes_side_by_side_add_up_their_losses(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    outside = np.array([0x27FF] * 10, "<u2").tobytes()
    path.write_bytes(RAW_HEADER + evt3_words(20_000) + outside)
    with open_recording(path) as recording:
        first, second = recording.packets(), recording.packets()
        next(first), next(second)
        for _ in (*first, *second):
            pass
        assert recording.dropped["out_of_bounds"] == 20


@pytest.mark.parametrize(
    ("header", "size", "sensor"),
    [
        ("% evt 3.0\n% geometry 320x240\n", (320, 240), ""),
        ("% evt 3.0\n% width 304\n% height 240\n", (304, 240), ""),
        ("% format EVT3;height=720;width=1280\n", (1280, 720), ""),
        ("% evt 3.0\r\n% plugin_name hal_plugin_gen31_fx3\r\n", (640, 480), "Gen3.1"),
        ("% evt 3.0\n% plugin_name hal_plugin_imx636_evk4\n", (1280, 720), "IMX636"),
        ("% evt 3.0\n% sensor_generation 4.2\n", (1280, 720), "IMX636"),
        ("% evt 3.0\n% sensor_generation 3.0\n", (640, 480), "Gen3"),
        ("% evt 3.0\n% sensor_generation 3.1\n", (640, 480), "Gen3.1"),
        ("% evt 3.0\n% sensor_generation 320.0\n", (320, 320), "GenX320"),
        ("% evt 3.0\n% system_ID 48\n", (1280, 720), "Gen4.1"),
        ("% evt 3.0\n% system_ID 64\n", (320, 320), "GenX320"),
        ("% evt 3.0\n% system_ID 21\n% end\n", (640, 480), "Gen3"),
    ],
)
def test_the_geometry_of_raw_files(
    tmp_path: Path, header: str, size: tuple[int, int], sensor: str
) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(header.encode() + evt3_words(3))
    with open_recording(path) as recording:
        assert ((recording.width, recording.height), recording.sensor) == (size, sensor)


REFUSED = {
    "empty": (b"", "empty"),
    "noise": (b"\x13\x37" * 40, "AEDAT, RAW, DAT"),
    "text": (b"hello, world\n", "no known format"),
    "header only": (RAW_HEADER, "no event after the header"),
    "header cut off": (RAW_HEADER[:20], "ends inside its header"),
    "no encoding": (b"% geometry 640x480\n\0\0", "names no encoding"),
    "no geometry": (b"% evt 3.0\n\0\x80", "--geometry WxH"),
    "0x0": (b"% evt 3.0\n% geometry 0x0\n\0\x80", "--geometry WxH"),
    "65535x65535": (b"% evt 3.0\n% geometry 65535x65535\n\0\x80", "65535x65535"),
    "long header": (b"% a b\n" * 200_000 + b"\0\x80", "longer than 1 MiB"),
    "long header, cut at a line": (b"% abcde\n" * 200_000 + b"\0\x80", "longer than 1 MiB"),
    "long line": (b"% " + b"a" * (2 << 20), "longer than 1 MiB"),
    "EVT4": (b"% evt 4.0\n\0\x80", "'EVT4' is not read"),
    "AEDAT 3.0": (b"#!AER-DAT3.0\r\n#", "AEDAT 3.0 is not read"),
    "zstd": (b"\x28\xb5\x2f\xfd\0", "zstd is not read; unpack it with `zstd -d`"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\0", "its HDF5 structure is damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    path = tmp_path / "a.raw"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as error:
        open_recording(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        open_recording(tmp_path / "missing.raw")
    with pytest.raises(RecordingError, match="directory"):
        open_recording(tmp_path)
    with pytest.raises(RecordingError, match="^'': this is no file name"):
        open_recording("")


@pytest.mark.parametrize("name", ["a\nb", "a\r\x1b[2Jb", "a\u2028b", "a\udc80b"])
def test_a_file_name_stays_on_the_line_of_its_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError) as error:
        open_recording(tmp_path / name)
    assert error.value.path == str(tmp_path / name)
    assert str(error.value).isprintable()
    assert printable(name) in str(error.value)


@pytest.mark.parametrize("geometry", [(0, 0), (-1, 5), (9000, 10)])
def test_an_absurd_geometry_is_refused(tmp_path: Path, geometry: tuple[int, int]) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(EVT2_HEADER + evt2_words(3))
    with pytest.raises(RecordingError, match="geometry"):
        open_recording(path, geometry)


def test_the_given_geometry_takes_precedence(tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(EVT2_HEADER + evt2_words(300))
    with open_recording(path, (100, 100)) as recording:
        events = np.concatenate([p.to_array() for p in recording.packets()])
        assert len(events) + recording.dropped["out_of_bounds"] == 300
    assert events["x"].max() < 100
