"""Reads Event Stream 2 (.es): a DVS's, an ATIS's or colour events.

The format counts y from the bottom: here it is from the top, as everywhere in saccade.
"""

from __future__ import annotations

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import StreamRecording

_START = 20  # magic, version, type, width, height
_KINDS = {1: _native.EsKind.dvs, 2: _native.EsKind.atis, 4: _native.EsKind.colour}
_REMEDY = "convert it to version 2 with event_stream, or to AEDAT4 with faery"


def open_es(file: RecordingFile, geometry: tuple[int, int] | None = None) -> StreamRecording:
    """An Event Stream file, version 2.

    An ATIS's measurements of exposure are counted in `skipped`, its changes are the events. A
    colour event is ON where the pixel's luma is not below that of its event before.

    Raises RecordingError for another version, generic events, and a header that is cut off.
    """
    start = file.read(0, _START)
    if len(start) > 12 and start[12] != 2:
        what = f"Event Stream version {start[12]} is not read"
        raise RecordingError(file.path, what, _REMEDY)
    if len(start) > 15 and start[15] not in _KINDS:
        what = (
            "its events are generic, not of a camera" if start[15] == 0 else "its type is unknown"
        )
        raise RecordingError(file.path, what, "choose a recording of a camera")
    if len(start) < _START:
        raise RecordingError(file.path, "it ends inside its header", "copy it again", len(start))
    kind = _KINDS[start[15]]
    stated = int.from_bytes(start[16:18], "little"), int.from_bytes(start[18:20], "little")
    width, height = geometry or stated
    return StreamRecording(
        file,
        "es",
        (width, height),
        _START,
        lambda: _native.EsDecoder(width, height, kind),
        kind.name,
    )
