"""Reads events as text: CSV, and the `t x y p` of the RPG data sets (Mueggler et al., 2017).

A line is an event of four fields, split by blanks or a comma; `#` starts a comment. Above the
events may stand the sensor's size (`# 346,260`, `# width=346 height=260`, or `346 260` on the first
line) and a line that names the columns. What a file does not tell is not guessed:

- With a line of names: x, y, one of t, ts, time, timestamp (whole microseconds; with `_us` or `_s`
  after it the unit is said), and one of p, pol, polarity, on, in any order.
- Without one, decimal times first and blanks between the fields are RPG text: t in seconds, x, y,
  p.
- Without one, whole numbers `x,y,p,t` are what metavision_file_to_csv writes: microseconds. Taken
  where the first lines fit no other order: p is 0 or 1, t rises and is no polarity.
- Everything else is refused: name the columns in the first line.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import StreamRecording

_NAMES = {
    **dict.fromkeys(("t", "ts", "time", "timestamp", "timestamps"), "t"),
    **{"x": "x", "y": "y"},
    **dict.fromkeys(("p", "pol", "polarity", "polarities", "on"), "p"),
}
_UNIT = re.compile(r"_(us|ms|ns|s)$")
_SEPARATOR = re.compile(r"[ \t]*,[ \t]*|[ \t]+")
_SIZE = re.compile(r"#[ \t]*(\d{1,5})(?:[ \t]*[,x][ \t]*|[ \t]+)(\d{1,5})")
_NAMED_SIZE = re.compile(
    r"#.*\bwidth[ \t]*[=:][ \t]*(\d{1,5})\b.*\bheight[ \t]*[=:][ \t]*(\d{1,5})\b.*"
)
_NUMBER = re.compile(r"-?\d+(\.\d*)?|true|false", re.IGNORECASE)
_POLARITIES = ("0", "1", "-1", "true", "false")
_START_BYTES = 4096
_FEWEST = 8  # lines that tell the order of the columns
_REMEDY = "name the columns in the first line, such as t_us,x,y,p (or t_s, in seconds)"


@dataclass
class _Start:
    """What the first bytes tell."""

    header_bytes: int = 0
    header_lines: int = 0
    size: tuple[int, int] | None = None
    columns: str = ""  # the letters t, x, y, p in their order, "" where not named
    unit: str = ""  # of the times, "" where not named
    rows: list[list[str]] = field(default_factory=list[list[str]])  # the fields of whole lines
    blanks: bool = True  # no comma between the fields


def is_text(start: bytes) -> bool:
    """Whether a file with this start is lines of four fields, or names such columns."""
    found = _parse(start)
    return found is not None and bool(found.columns or found.rows)


def open_text(file: RecordingFile, geometry: tuple[int, int] | None = None) -> StreamRecording:
    """RPG text ("rpg") or CSV ("csv").

    Raises RecordingError where the order of the columns, the unit of the times or (without
    `geometry`) the sensor's size is not told.
    """
    start = _parse(file.read(0, _START_BYTES))
    if start is None:  # cannot be: `is_text` was asked first
        raise RecordingError(file.path, "this is no text of events", _REMEDY)
    columns, seconds = _layout(file.path, start)
    size = geometry or start.size
    if size is None:
        what = "text without the sensor's size"
        raise RecordingError(file.path, what, "give it with --geometry WxH")
    first, first_line = start.header_bytes, start.header_lines + 1

    def new_decoder() -> _native.TextDecoder:
        layout = _native.TextLayout(columns, seconds, first_line, file.size - first)
        return _native.TextDecoder(*size, layout)

    rpg = start.blanks and not start.columns and seconds
    return StreamRecording(file, "rpg" if rpg else "csv", size, first, new_decoder)


def _parse(start: bytes) -> _Start | None:
    """The header and the first lines; None where this is no text of events."""
    end = start.rfind(b"\n") + 1 if len(start) >= _START_BYTES else len(start)
    found = _Start()
    for line in io.BytesIO(start[:end]):
        try:
            text = line.decode("ascii").strip()
        except UnicodeDecodeError:
            if not line.lstrip().startswith(b"#"):
                return None
            text = "#"
        if found.rows or not _header_line(text, found):
            if text.startswith("#") or not text:
                continue
            fields = _SEPARATOR.split(text)
            if len(fields) != 4 or not all(_NUMBER.fullmatch(f) for f in fields):
                return found if found.rows else None  # damage further down is the decoder's
            found.rows.append(fields)
            found.blanks &= "," not in text
        else:
            found.header_bytes += len(line)
            found.header_lines += 1
    return found


def _header_line(text: str, found: _Start) -> bool:
    """Takes a line above the events; False where it is none."""
    comment = text.startswith("#")
    size = _SIZE.fullmatch(text) or _NAMED_SIZE.fullmatch(text)
    if size is None and not (comment or found.size or found.columns):
        size = _SIZE.fullmatch(f"#{text}")  # RPG: `width height` on the first line
    if size is not None:
        found.size = int(size[1]), int(size[2])
        return True
    names = [name.lower() for name in _SEPARATOR.split(text.lstrip("# \t"))]
    letters = "".join(_NAMES.get(_UNIT.sub("", name), "?") for name in names)
    if not found.columns and len(names) == 4 and sorted(letters) == ["p", "t", "x", "y"]:
        found.columns = letters
        unit = _UNIT.search(names[letters.index("t")])
        found.unit = unit[1] if unit else ""
        return True
    return comment or not text


def _layout(path: str, start: _Start) -> tuple[str, bool]:
    """The order of the columns, and whether times are in seconds."""
    if start.columns:
        if start.unit in ("ms", "ns"):
            what = f"its times are in {start.unit}"
            raise RecordingError(path, what, "give them in us (t_us) or s (t_s)")
        decimal = any("." in row[start.columns.index("t")] for row in start.rows)
        if decimal and start.unit != "s":
            what = "its times have decimals, but no unit is named"
            raise RecordingError(path, what, "name the column t_s where they are seconds")
        return start.columns, start.unit == "s"
    if all("." in row[0] and row[3].lower() in _POLARITIES for row in start.rows) and start.blanks:
        return "txyp", True
    if not start.blanks and _is_xypt(start.rows):
        return "xypt", False
    what = "its columns are not named, and their order or the unit of time cannot be told"
    raise RecordingError(path, what, _REMEDY)


def _is_xypt(rows: list[list[str]]) -> bool:
    """Whole numbers: the third 0 or 1, the last rising, and neither order with t first fits."""
    if len(rows) < _FEWEST or not all(f.isdecimal() for row in rows for f in row):
        return False
    t = [int(row[3]) for row in rows]
    first = [int(row[0]) for row in rows]
    polarities = {row[2] for row in rows}
    return polarities == {"0", "1"} and t == sorted(t) and t[-1] > 1 and first != sorted(first)
