"""Reads AEDAT 2.0 (jAER): `#` lines, then big-endian words of address and time.

x and y are as the chip numbers them: a DVS128 counts from the lower right corner, so its upright
picture is 127 - x, 127 - y.
"""

from __future__ import annotations

import re

import numpy as np

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import StreamRecording

_HEADER_LIMIT = 4 << 20  # jAER writes all its preferences there: 0.3 MB were seen
_RECORD = 8
_END = re.compile(rb"^#[ \t]*End Of ASCII Header[ \t]*\r?\n", re.MULTILINE)
# The first word may well begin with a '#' (a DAVIS row around 140), so a line must be text, and end
# as jAER ends it where it is as short as a record.
_TEXT = rb"[\t\x20-\x7e\x80-\xff]"
_LINE = re.compile(rb"#" + _TEXT + rb"*\r\n|#" + _TEXT + rb"{7,}\n")
_CUT_LINE = re.compile(rb"#" + _TEXT + rb"*\r?")

#: What the chip's or the interface's name contains: the sensor, its size, and its layout.
_CHIPS = (
    ("davis240", "DAVIS240", (240, 180), _native.Aedat2Layout.davis),
    ("davis346", "DAVIS346", (346, 260), _native.Aedat2Layout.davis),
    ("davis208", "DAVIS208", (208, 192), _native.Aedat2Layout.davis),
    ("davis128", "DAVIS128", (128, 128), _native.Aedat2Layout.davis),
    ("davis640", "DAVIS640", (640, 480), _native.Aedat2Layout.davis),
    ("sbret10", "DAVIS240", (240, 180), _native.Aedat2Layout.davis),
    ("edvs", "eDVS", (128, 128), _native.Aedat2Layout.dvs128),
    ("dvs128", "DVS128", (128, 128), _native.Aedat2Layout.dvs128),
    ("tmpdiff128", "DVS128", (128, 128), _native.Aedat2Layout.dvs128),
)
_Chip = tuple[str, tuple[int, int], _native.Aedat2Layout]


def open_aedat2(file: RecordingFile, geometry: tuple[int, int] | None = None) -> StreamRecording:
    """An AEDAT 2.0 file of a DVS128, an eDVS or a DAVIS.

    Where the header names no chip, `geometry` tells the layout of the words as well: 128x128 is a
    DVS128, anything else a DAVIS.

    Raises RecordingError for a silicon cochlea, for a chip that is not known, for a header without
    events, and where no chip is named and no geometry given.
    """
    header, first = _read_header(file)
    # The interface tells an eDVS from a DVS128, which jAER calls by one chip's name.
    chip = _chip(_field(header, "HardwareInterface")) or _chip(_field(header, "AEChip"))
    _check_chip(file, header, first, known=chip is not None)
    if chip is None:
        if geometry is None:
            what = "its header does not name the chip"
            raise RecordingError(file.path, what, "give the sensor's size with --geometry WxH")
        dvs128 = geometry == (128, 128)
        layout = _native.Aedat2Layout.dvs128 if dvs128 else _native.Aedat2Layout.davis
        chip = ("", geometry, layout)
    sensor, size, layout = chip
    width, height = geometry or size
    return StreamRecording(
        file,
        "aedat2",
        (width, height),
        first,
        lambda: _native.Aedat2Decoder(width, height, layout),
        sensor,
    )


def _read_header(file: RecordingFile) -> tuple[str, int]:
    """The header's text, and where the words start."""
    data = file.read(0, _HEADER_LIMIT)
    if end := _END.search(data):
        return data[: end.end()].decode(errors="replace"), end.end()
    offset = 0
    while line := _LINE.match(data, offset):
        offset = line.end()
    cut = _CUT_LINE.fullmatch(data, offset) is not None
    if cut and len(data) < file.size:
        what = f"its header is longer than {_HEADER_LIMIT >> 20} MiB"
        raise RecordingError(file.path, what, "this is no recording of a camera", offset)
    if cut:
        raise RecordingError(file.path, "it ends inside its header", "copy it again", offset)
    return data[:offset].decode(errors="replace"), offset


def _field(header: str, name: str) -> str:
    match = re.search(rf"^#[ \t]*{name}:?[ \t]*(.*?)\r?$", header, re.MULTILINE)
    return match[1].strip() if match else ""


def _chip(name: str) -> _Chip | None:
    lower = name.lower().replace("_", "").replace("-", "")
    for part, sensor, size, layout in _CHIPS:
        if part in lower:
            return sensor, size, layout
    return None


def _check_chip(file: RecordingFile, header: str, first: int, *, known: bool) -> None:
    """Refuses by name what holds no events of a camera."""
    data = file.read(first, 1 << 20)
    if (
        not data.strip(b"$\r\n") and len(data) < 1 << 20
    ):  # header tests of jAER's are filled with them
        raise RecordingError(file.path, "it is a header without events", "record again")
    name = _field(header, "AEChip")
    addresses = np.frombuffer(data[: len(data) // _RECORD * _RECORD], ">u4")[::2]
    # A cochlea of 64 channels has ten bits, of which a camera's events set more within moments.
    few = not (known or name) and len(addresses) > 0 and int(addresses.max()) < 1 << 10
    if "cochlea" in name.lower() or few:
        what = "it is of a silicon cochlea, which hears and is no camera"
        raise RecordingError(file.path, what, "choose a recording of a camera")
    if name and not known:
        what = f"its chip {name.rpartition('.')[2][:40]!r} is not known"
        raise RecordingError(file.path, what, "convert it to AEDAT4 with DV")
