"""Text of events: the native decoder against the plain one, what is told and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation
from tests.camera.fixtures import read, some_events
from tests.camera.formats.checks import check_decoder
from tests.reference import text

from saccade.camera._native import TextDecoder, TextLayout
from saccade.camera.errors import RecordingError
from saccade.camera.formats.csv_writer import CsvWriter
from saccade.camera.recordings import open_recording

NUMBERS = """0 1 -1 true False 17 345 259 -3 1.5 2. 0.0000005 0.9999995 1234567.0000004999
9223372036854775807 9223372036854775808 999999999999.9 1234567890"""
FIELD = st.sampled_from([number.encode() for number in NUMBERS.split()])
SEPARATOR = st.sampled_from([b" ", b",", b"\t", b", ", b" ,\t"])
END = st.sampled_from([b"\n", b"\r\n", b" \n", b""])
LINE = st.builds(
    lambda fields, separator, end: separator.join(fields) + end,
    st.lists(FIELD, min_size=4, max_size=4),
    SEPARATOR,
    END,
) | st.sampled_from([b"# comment\n", b"\n", b" \r\n", b"junk\n", b"1 2\n"])
GOOD = st.builds(
    lambda t, x, y, p, s: s.join([b"%d" % t, b"%d" % x, b"%d" % y, p]) + b"\n",
    st.integers(0, 2**63 - 1),
    st.integers(-1, 400),
    st.integers(0, 300),
    st.sampled_from([b"0", b"1", b"-1"]),
    SEPARATOR,
)
CUTS = st.lists(st.integers(0, 500), max_size=8)


def check(data: bytes, cuts: list[int], columns: str, seconds: bool) -> None:
    *expected, bad = text.decode(data, 346, 260, columns, seconds)
    layout = TextLayout(columns, seconds)
    decoder = check_decoder(lambda: TextDecoder(346, 260, layout), tuple(expected), data, cuts)
    assert (decoder.damage and decoder.damage[1]) == bad
    if bad is not None:
        number = data[:bad].count(b"\n") + 1
        assert decoder.damage[0] == f"line {number} is no event ({columns})"


@settings(deadline=None, max_examples=200)
@given(st.lists(LINE, max_size=12), CUTS, st.sampled_from(["txyp", "xypt"]), st.booleans())
def test_any_lines_in_any_chunks(
    lines: list[bytes], cuts: list[int], columns: str, seconds: bool
) -> None:
    check(b"".join(lines), cuts, columns, seconds)


@settings(deadline=None, max_examples=100)
@given(st.lists(GOOD, max_size=12), CUTS)
def test_good_lines_in_any_chunks(lines: list[bytes], cuts: list[int]) -> None:
    check(b"".join(lines), cuts, "txyp", False)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), CUTS)
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    check(data, cuts, "txyp", True)


@pytest.mark.parametrize("cut", [1, 4000, 4097, 9000])
def test_a_line_without_end_is_refused_before_it_takes_memory(cut: int) -> None:
    data = b"1 2 3 1\n#" + b"a" * 10_000
    decoder = TextDecoder(346, 260, TextLayout("txyp", False))
    n = sum(len(decoder.decode(data[i : i + cut])[0]) for i in range(0, len(data), cut))
    assert n == 1
    assert decoder.damage == ("line 2 has more than 4096 bytes", 8)


LINES = b"".join(b"%d,%d,%d,%d\n" % (i * 7 % 9, i % 5, i % 2, 100 + i) for i in range(20))
TOLD = {
    "ours": (b"# 346,260\nt,x,y,on\n5,3,2,1\n", "csv", (346, 260), (5, 3, 2, True)),
    "named": (b"# width=9 height=8\np,y,x,t_us\n-1,3,2,7\n", "csv", (9, 8), (7, 2, 3, False)),
    "seconds": (b"#9x8\nt_s,x,y,p\n0.5,3,2,true\n", "csv", (9, 8), (500_000, 3, 2, True)),
    "names in a comment": (b"# 9 8\n# x y p ts\n3 2 1 5\n", "csv", (9, 8), (5, 3, 2, True)),
    "rpg": (b"240 180\n0.003811000 96 133 0\n", "rpg", (240, 180), (3811, 96, 133, False)),
    "rpg, no size": (b"0.003811 96 133 1", "rpg", (346, 260), (3811, 96, 133, True)),
    "metavision": (LINES, "csv", (346, 260), (100, 0, 0, False)),
    "comment of other bytes": (
        b"# caf\xe9\n\nt,x,y,p\n5,3,2,1\r\n",
        "csv",
        (346, 260),
        (5, 3, 2, True),
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_is_told(tmp_path: Path, name: str) -> None:
    content, kind, size, first = TOLD[name]
    path = tmp_path / "a"
    path.write_bytes(content)
    given = None if size != (346, 260) or name == "ours" else size
    with open_recording(path, given) as recording:
        assert (recording.format, (recording.width, recording.height)) == (kind, size)
        events = next(recording.packets()).to_array()
    assert events.tolist()[0] == first


REFUSED = {
    "no size": (b"t,x,y,p\n5,3,2,1\n", "--geometry WxH"),
    "no names": (b"5,3,2,1\n" * 20, "name the columns"),
    "whole times of an unknown unit": (b"5 3 2 1\n" * 20, "name the columns"),
    "decimals of an unknown unit": (b"# 9 8\nt,x,y,p\n0.5,3,2,1\n", "name the column t_s"),
    "decimals between commas": (b"0.5,3,2,1\n", "name the columns"),
    "nanoseconds": (b"# 9 8\nt_ns,x,y,p\n5,3,2,1\n", "its times are in ns"),
    "no event": (b"# 9 8\nt,x,y,p\n", "no event after the header"),
    "0x0": (b"# 0 0\nt,x,y,p\n5,3,2,1\n", "0x0"),
    "other columns": (b"a,b,c,d\n1,2,3,4\n", "no known format"),
    "five columns": (b"1,2,3,4,5\n", "no known format"),
    "prose": (b"t is the time\n" * 9, "no known format"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_told_is_refused(tmp_path: Path, name: str) -> None:
    content, message = REFUSED[name]
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_recording(path)


def test_what_we_write_is_read_whole(tmp_path: Path) -> None:
    path, events = tmp_path / "a.csv", some_events(40_000)
    with CsvWriter(path, 346, 260) as writer:
        writer.write(events)
    found, error = read(path)
    assert error is None
    assert found.tolist() == events.to_array().tolist()


def test_a_bad_line_ends_it_with_its_number_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"# 9,8\nt,x,y,on\n1,2,3,0\n1,2,x,0\n1,2,3,0\n")
    found, error = read(path)
    assert found.tolist() == [(1, 2, 3, False)]
    assert error is not None
    assert error.offset == 23
    assert "byte 23: line 4 is no event (txyp)" in str(error)


def test_a_last_line_cut_inside_its_time_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"# 9,8\nx,y,p,t\n1,2,1,5\n1,2,1,66")
    found, error = read(path)
    assert found.tolist() == [(5, 1, 2, True)]
    assert error is not None
    assert error.offset == 22


@pytest.mark.parametrize("names", ["t,x,y,on", "x,y,p,t"])
def test_damage(tmp_path: Path, names: str) -> None:
    e = some_events(900)
    rows = zip(*(c.tolist() for c in (e.t, e.x, e.y, e.on)), strict=True)
    order = [0, 1, 2, 3] if names[0] == "t" else [1, 2, 3, 0]
    lines = [",".join(str(int(row[i])) for i in order) for row in rows]
    data = "\n".join(["# 346,260", names, *lines, ""]).encode()
    path = tmp_path / "a.csv"
    check_truncation(path, data, short_step=131)
    check_flipped_bits(path, data, short_step=157)
    check_mutations(path, data, short=300, long=25_000)
