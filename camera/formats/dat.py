"""Reads Prophesee DAT files: a text header, two bytes, then records of eight."""

from __future__ import annotations

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.raw import stated_geometry
from saccade.camera.formats.stream import StreamRecording

_EVENTS = (0x00, 0x0C)  # 2D (as in N-Cars) and CD, with the same records
_TRIGGERS = 0x0E
_RECORD_BYTES = 8


def open_dat(
    file: RecordingFile,
    fields: dict[str, str],
    first: int,
    geometry: tuple[int, int] | None = None,
) -> StreamRecording:
    """A DAT file of events, of version 1 or 2.

    Args:
        file: the open file.
        fields: of its header, as of `raw.read_header`.
        first: byte offset of what follows the header: the type and the size of the records.
        geometry: (width, height) in pixels, takes precedence over the header's.

    Raises RecordingError where it holds something else than events, or states no geometry.
    """
    version = _version(file.path, fields)
    kind = file.read(first, 2)
    if len(kind) < 2:
        raise RecordingError(file.path, "it ends inside its header", "copy it again", first)
    _check_kind(file.path, kind[0], kind[1], first)
    size = geometry or stated_geometry(fields)
    if first + 2 < file.size and size is None:
        what = "its header does not tell the sensor's size"
        raise RecordingError(file.path, what, "give it with --geometry WxH")
    width, height = size or (1, 1)  # of a file without events, which is refused as such
    return StreamRecording(
        file,
        "dat",
        (width, height),
        first + 2,
        lambda: _native.DatDecoder(width, height, version),
    )


def _version(path: str, fields: dict[str, str]) -> int:
    """1 or 2. Files from before versions were numbered have the layout of version 1."""
    stated = fields.get("version", "0")
    if stated in ("0", "1", "2"):
        return max(int(stated), 1)
    what = f"version {stated[:40]!r} of DAT is not read"
    raise RecordingError(path, what, "convert it with metavision_file_to_dat")


def _check_kind(path: str, kind: int, record_bytes: int, offset: int) -> None:
    if kind == _TRIGGERS:
        what = "this DAT file holds external triggers, no events"
        raise RecordingError(path, what, "name the file of its CD events", offset)
    if kind not in _EVENTS:
        what = f"DAT records of type 0x{kind:02x} are not read"
        raise RecordingError(path, what, "name a file of CD events (type 0x0c)", offset)
    if record_bytes != _RECORD_BYTES:
        what = f"its DAT records have {record_bytes} bytes, not {_RECORD_BYTES}"
        raise RecordingError(path, what, "copy it again", offset)
