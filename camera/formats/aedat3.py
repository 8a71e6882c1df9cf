"""Reads AEDAT 3.1 (cAER, DV's predecessor): `#` lines, then packets of one type of event each.

x and y are from the upper left, as everywhere in saccade. AEDAT 3.0, which counts y from below and
does not tell where its header ends, is refused.
"""

from __future__ import annotations

import re

from saccade.camera import _native
from saccade.camera.errors import RecordingError, printable
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import StreamRecording

_HEADER_LIMIT = 1 << 20
_END = re.compile(rb"^#!END-HEADER\r?\n", re.MULTILINE)
# A source that went through a file or a network has a `#-Source` line of what it was before.
_SOURCE = re.compile(r"^#(-?)Source[ \t]+\d+:[ \t]*(.*?)\r?$", re.MULTILINE)
_SIZE = re.compile(r"dvsSizeX=(\d{1,5}),dvsSizeY=(\d{1,5})")
_FORMAT = re.compile(r"^#Format:[ \t]*(.*?)\r?$", re.MULTILINE)

#: How a sensor's name begins, in capitals without spaces and such: its events' size. The DAVIS with
#: colour has four times as many pixels for frames as for events.
_SENSORS = {
    "DVS128": (128, 128),
    "DVS132S": (132, 104),
    "EDVS": (128, 128),
    "DAVIS128": (128, 128),
    "DAVIS208": (208, 192),
    "DAVIS240": (240, 180),
    "DAVIS346": (346, 260),
    "DAVIS640HET": (320, 240),
    "DAVISHET640": (320, 240),
    "DAVISRGB": (320, 240),
    "DAVIS640": (640, 480),
}


def open_aedat3(file: RecordingFile, geometry: tuple[int, int] | None = None) -> StreamRecording:
    """An AEDAT 3.1 file: the polarity events of its one source, as they are or beside PNG frames.

    Raises RecordingError for compressed events, for several sources, for a header that is cut off,
    and where the source's size is not known and no geometry given.
    """
    header, first = _read_header(file)
    formats = {name.strip() for name in _first(_FORMAT, header, "RAW").split(",")}
    if unread := sorted(formats - {"RAW", "PNGFrames"}):
        what = f"its compression {printable(unread[0][:40])!r} is not read"
        raise RecordingError(file.path, what, "convert it to AEDAT4 with DV")
    sensor, size = _source(file, header)
    if geometry is None and size is None:
        what = f"the size of its source {printable(sensor[:40])!r} is not known"
        raise RecordingError(file.path, what, "give the sensor's with --geometry WxH")
    width, height = geometry or size or (0, 0)
    png_frames = "PNGFrames" in formats
    return StreamRecording(
        file,
        "aedat3",
        (width, height),
        first,
        lambda: _native.Aedat3Decoder(width, height, png_frames),
        sensor,
        unit="packet",
    )


def _read_header(file: RecordingFile) -> tuple[str, int]:
    """The header's text, and where the packets start."""
    data = file.read(0, _HEADER_LIMIT)
    if end := _END.search(data):
        return data[: end.start()].decode(errors="replace"), end.end()
    if len(data) < file.size:
        what = f"its header is longer than {_HEADER_LIMIT >> 20} MiB"
        raise RecordingError(file.path, what, "this is no recording of a camera")
    raise RecordingError(file.path, "it ends inside its header", "copy it again", len(data))


def _first(pattern: re.Pattern[str], text: str, otherwise: str) -> str:
    match = pattern.search(text)
    return match[1] if match else otherwise


def _source(file: RecordingFile, header: str) -> tuple[str, tuple[int, int] | None]:
    """The sensor's name, as far as it is known, and the size of its events in pixels."""
    sources = _SOURCE.findall(header)
    now = [name for minus, name in sources if not minus]
    if len(now) > 1:
        what = f"it holds events of {len(now)} sources, and one is read"
        raise RecordingError(file.path, what, "record each camera in a file of its own")
    for name in [*now, *(name for minus, name in sources if minus)]:
        if stated := _SIZE.search(name):
            before = next((before for minus, before in sources if minus), "")
            return before, (int(stated[1]), int(stated[2]))
        if size := _size(name):
            return name, size
    return now[0] if now else "", None


def _size(name: str) -> tuple[int, int] | None:
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    return next((size for start, size in _SENSORS.items() if plain.startswith(start)), None)
