"""Reads Prophesee RAW files: a text header, then EVT2, EVT2.1 or EVT3 words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import Decoder, StreamRecording

_HEADER_LIMIT = 1 << 20
_ORDER_BYTES = 64 << 10  # looked at for the order of EVT2.1 words
_VGA, _HD = (640, 480), (1280, 720)

# Without `% end`, the header ends at the first line without a '%', but a word may well begin with
# one (0x25). So a line counts only where it is blank or has four characters of text: the fourth
# byte of an EVT2 word is never printable ASCII, nor is the second of EVT3's clock.
_TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
_LINE = re.compile(rb"% *\r?\n|%[\x20-\x7e]{3}" + _TEXT + rb"\r?\n")
_CUT_LINE = re.compile(rb"(?:%[\x20-\x7e]{0,3}|%[\x20-\x7e]{3}" + _TEXT + rb"\r?)?\Z")

# What the plug-in's or the sensor's name contains, most telling first.
_BY_NAME = (
    ("imx636", "IMX636", _HD),
    ("imx646", "IMX646", _HD),
    ("genx320", "GenX320", (320, 320)),
    ("gen320", "GenX320", (320, 320)),
    ("gen41", "Gen4.1", _HD),
    ("gen42", "IMX636", _HD),
    ("gen4", "Gen4", _HD),
    ("gen31", "Gen3.1", _VGA),
    ("gen3", "Gen3", _VGA),
)
# The system ids that OpenEB knows.
_BY_SYSTEM = {
    **dict.fromkeys((0x14, 0x15, 0x18, 0x19, 0x1D, 0x21), ("Gen3", _VGA)),
    **dict.fromkeys((0x22, 0x23, 0x28, 0x29), ("Gen3.1", _VGA)),
    **dict.fromkeys((0x1E, 0x1F, 0x20, 0x2E), ("Gen4", _HD)),
    **dict.fromkeys((0x27, 0x30), ("Gen4.1", _HD)),
    **dict.fromkeys((0x31, 0x32, 0x3A, 0x42), ("IMX636", _HD)),
    0x35: ("IMX646", _HD),
    **dict.fromkeys((0x3B, 0x40), ("GenX320", (320, 320))),
}


def open_raw(file: RecordingFile, geometry: tuple[int, int] | None = None) -> StreamRecording:
    """An EVT2, EVT2.1 or EVT3 file, or a DAT file, which begins alike; `file` starts with a '%'.

    Raises RecordingError where the header is damaged, or names no encoding or no geometry.
    """
    fields, first = read_header(file)
    encoding = _encoding(file.path, fields, file.read(first, 2))
    if encoding == "dat":
        from saccade.camera.formats.dat import open_dat

        return open_dat(file, fields, first, geometry)
    sensor, inferred = _sensor(fields)
    size = geometry or stated_geometry(fields) or inferred
    if first < file.size and size is None:
        what = "its header does not tell the sensor's size"
        raise RecordingError(file.path, what, "give it with --geometry WxH")
    width, height = size or (1, 1)  # of a file without events, which is refused as such
    decoder = _decoder(file, encoding, fields, first)
    return StreamRecording(
        file,
        encoding,
        (width, height),
        first,
        lambda: decoder(width, height),
        sensor,
        _origin_us(file.path, fields),
        words=None if encoding == "evt21" else encoding,
    )


def _origin_us(path: str, fields: dict[str, str]) -> int:
    """What our writer took from every time, because the clock of the words wraps."""
    text = fields.get("saccade_t0", "0")
    if not re.fullmatch(r"\d{1,20}", text, re.ASCII) or int(text) >= 1 << 64:
        what = f"its header's saccade_t0 is {text[:30]!r}"
        raise RecordingError(path, what, "copy the file again")
    return int(text)


def _decoder(
    file: RecordingFile, encoding: str, fields: dict[str, str], first: int
) -> Callable[[int, int], Decoder]:
    if encoding == "evt2":
        return _native.Evt2Decoder
    if encoding == "evt3":
        return _native.Evt3Decoder
    legacy = _is_legacy(file, fields, first)
    return lambda width, height: _native.Evt21Decoder(width, height, legacy)


def _is_legacy(file: RecordingFile, fields: dict[str, str], first: int) -> bool:
    """Whether an EVT2.1 word's head comes before its mask.

    Where the header does not state it: as the words themselves show it, else as OpenEB has it
    (psee_raw_file_header.cpp): legacy of the systems up to the IMX636, little of all others.
    """
    stated = (_options(fields).get("endianness") or fields.get("endianness", "")).lower()
    if stated:
        if stated not in ("legacy", "little"):
            what = f"EVT2.1 with the endianness {stated[:40]!r} is not read"
            raise RecordingError(file.path, what, "record in EVT3 or EVT2")
        return stated == "legacy"
    start = file.read(first, _ORDER_BYTES)
    halves = np.frombuffer(start, np.dtype("<u4"), len(start) // 8 * 2)
    legacy, little = _rising_times(halves[::2]), _rising_times(halves[1::2])
    if max(legacy, little) >= 4 and max(legacy, little) > 8 * min(legacy, little):
        return legacy > little
    return _sensor(fields)[0] not in ("", "GenX320")


def _rising_times(heads: NDArray[np.uint32]) -> int:
    """How often, were these the heads of words, a TIME_HIGH would follow closely on the last."""
    times = heads[heads >> 28 == 8].astype(np.int64)
    steps = np.diff(times)
    return int(np.count_nonzero((steps > 0) & (steps <= 64)))


def read_header(file: RecordingFile) -> tuple[dict[str, str], int]:
    """The header's fields (names in lower case) and where the words start."""
    data = file.read(0, _HEADER_LIMIT)
    offset = _after_end_line(data)
    if offset is None:
        offset = 0
        while line := _LINE.match(data, offset):
            offset = line.end()
        if _CUT_LINE.match(data, offset) and len(data) < file.size:
            what = f"its header is longer than {_HEADER_LIMIT >> 20} MiB"
            raise RecordingError(file.path, what, "this is no recording of a camera", offset)
        if _CUT_LINE.match(data, offset) and offset < len(data):
            raise RecordingError(file.path, "it ends inside its header", "copy it again", offset)
    return _fields(data[:offset]), offset


def _after_end_line(data: bytes) -> int | None:
    """Where the line after `% end` starts; None where there is none below lines with a %."""
    offset = 0
    while data.startswith(b"%", offset) and (end := data.find(b"\n", offset)) >= 0:
        if data[offset:end].split() == [b"%", b"end"]:
            return end + 1
        offset = end + 1
    return None


def _fields(header: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in header.decode(errors="replace").split("\n"):
        key, _, value = line[1:].strip().partition(" ")
        fields[key.lower()] = value.strip()
    return fields


def _encoding(
    path: str, fields: dict[str, str], start: bytes
) -> Literal["evt2", "evt21", "evt3", "dat"]:
    """What the header names; `start` is the first two bytes after it."""
    stated = fields.get("format", "").partition(";")[0].strip().upper()
    if not stated and "evt" in fields:
        stated = "EVT" + fields["evt"].removesuffix(".0").replace(".", "")
    if stated == "EVT2":
        return "evt2"
    if stated == "EVT21":
        return "evt21"
    if stated == "EVT3":
        return "evt3"
    if stated:
        what = f"the encoding {stated[:40]!r} is not read"
        raise RecordingError(path, what, "record in EVT3 or EVT2")
    names_dat = fields.get("data", "").lower().startswith("file containing")
    if "version" in fields or names_dat or start in (b"\x00\x08", b"\x0c\x08"):
        return "dat"
    what = "its header names no encoding (EVT2, EVT2.1 or EVT3)"
    raise RecordingError(path, what, "check that this is a Prophesee RAW file")


def stated_geometry(fields: dict[str, str]) -> tuple[int, int] | None:
    """(width, height) where the header states them."""
    options = _options(fields)
    text = f"{options.get('width')}x{options.get('height')}"
    for candidate in (text, fields.get("geometry", ""), _old_geometry(fields)):
        if match := re.fullmatch(r"(\d{1,9})x(\d{1,9})", candidate, re.ASCII):
            return int(match[1]), int(match[2])
    return None


def _options(fields: dict[str, str]) -> dict[str, str]:
    parts = (part.strip().split("=", 1) for part in fields.get("format", "").lower().split(";"))
    return {part[0]: part[1] for part in parts if len(part) == 2}


def _old_geometry(fields: dict[str, str]) -> str:
    return f"{fields.get('width')}x{fields.get('height')}"


def _sensor(fields: dict[str, str]) -> tuple[str, tuple[int, int] | None]:
    """The sensor's name ("" where unknown) and its size, as far as the header lets infer them."""
    names = " ".join(fields.get(key, "") for key in ("sensor_name", "plugin_name")).lower()
    generation = fields.get("sensor_generation", fields.get("generation", ""))
    if generation:
        names += " gen" + generation.removesuffix(".0").replace(".", "")
    for part, sensor, size in _BY_NAME:
        if part in names:
            return sensor, size
    system = fields.get("system_id", "")
    if system.isascii() and system.isdigit() and len(system) < 10:
        return _BY_SYSTEM.get(int(system), ("", None))
    return "", None
