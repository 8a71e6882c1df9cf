"""The two files of a recording of a live source: made at once, or refused at once."""

from __future__ import annotations

import os
from pathlib import Path

from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.recording_messages import SourceFacts
from saccade.camera.sidecar import Sidecar
from saccade.camera.tapes import aedat4_writer


def is_raw(path: str) -> bool:
    """Whether a RAW file is meant, or AEDAT4; SaccadeError where it is neither."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".aedat4", ".raw"):
        what = "a live source is recorded as .aedat4 or .raw; `saccade convert` makes others of it"
        raise SaccadeError(f"record {printable(path)}: {what}")
    return suffix == ".raw"


def make_files(path: str, facts: SourceFacts, raw: bool) -> Sidecar:
    """Creates both, so that whoever asks for a recording is told that there can be none.

    Raises as `Recorder`; nothing is left then.
    """
    _claim(path)
    try:
        sidecar = Sidecar(path, facts, "" if raw else "aedat4")
        sidecar.begin()
        if not raw:
            aedat4_writer(path, facts).close()
    except RecordingError:
        remove_files(path)
        raise
    return sidecar


def remove_files(path: str) -> None:
    """Both, which were made in vain."""
    for made in (path, f"{path}.json"):
        Path(made).unlink(missing_ok=True)


def _claim(path: str) -> None:
    """Creates the file where neither it nor its side-car is there: nothing is ever replaced."""
    sidecar = f"{path}.json"
    if os.path.lexists(sidecar):
        raise SaccadeError(f"record {printable(sidecar)}: it is there already; name another file")
    try:
        Path(path).open("xb").close()
    except FileExistsError:
        what = "it is there already; name another file"
        raise SaccadeError(f"record {printable(path)}: {what}") from None
    except (OSError, ValueError) as error:
        what = f"it cannot be created ({getattr(error, 'strerror', None) or error})"
        raise RecordingError(path, what, "choose another folder") from error
