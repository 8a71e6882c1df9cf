"""`FILE.json` beside a recording of a live source: what it holds, and each gap in it."""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from saccade.camera.errors import RecordingError
from saccade.camera.recording_messages import SourceFacts, Written

#: From so many gaps on, those that follow each other are listed as one: the file stays readable.
MOST_GAPS = 10_000
SAVE_S = 1.0


class RecordedGap(msgspec.Struct, omit_defaults=True):
    """Events that are not in the recording.

    Attributes:
        from_us, to_us: times of the sensor's clock between which they lay.
        events: how many.
        by: who lost them: "source" (the camera or its driver), "recorder" (it was too slow: the
            disk or the processor), "disk" (it was full).
        losses: what the driver lost without knowing its events, by its own names.
    """

    from_us: int
    to_us: int
    events: int
    by: str
    losses: dict[str, int] = {}


class SidecarFile(msgspec.Struct):
    """What is in the file.

    `state` is recording, complete, or failed; `content` says whose bytes they are.
    """

    recording: str
    content: str
    state: str
    error: str
    source: str
    sensor: str
    serial: str
    width: int
    height: int
    events: int
    first_us: int | None
    last_us: int | None
    lost: dict[str, int]
    gaps: list[RecordedGap]
    settings: dict[str, Any]


class Sidecar:
    """Kept while a recording grows, and written anew at most once a second.

    The process that records writes it. The run keeps the account of the same gaps in one of its
    own, which it writes at first, and at last where that process was killed.

    Attributes:
        path: the file.
        events: events in the recording.
        lost: events that are not, by who lost them.
        gaps: where.
        last_us: time of the last event in it.
        content: what the file holds, such as "evt3, as the camera sent it".
    """

    def __init__(
        self, recording: str | os.PathLike[str], source: SourceFacts, content: str = ""
    ) -> None:
        """Writes nothing yet."""
        self.path = Path(f"{os.fspath(recording)}.json")
        self._recording = Path(recording).name
        self._source = source
        self.content = content
        self.events = 0
        self.first_us: int | None = None
        self.last_us: int | None = None
        self.lost = {"source": 0, "recorder": 0, "disk": 0}
        self.gaps: list[RecordedGap] = []
        self._saved = time.monotonic()
        self._changed = False

    def begin(self) -> None:
        """Writes it for the first time; RecordingError where that is not possible."""
        try:
            self._write("recording", "")
        except OSError as error:
            what = f"it cannot be written ({error.strerror})"
            raise RecordingError(str(self.path), what, "choose another folder") from error

    def wrote(self, events: int, first_us: int, last_us: int) -> None:
        """So many events more are in the recording; the times of the first and the last."""
        if not events:
            return
        self.events += events
        self.first_us = first_us if self.first_us is None else self.first_us
        self.last_us = last_us
        self._changed = True

    def follow(self, said: Written) -> None:
        """The recording is as far as the one who writes it said last."""
        self.events, self.content = said.events, said.content
        self.first_us, self.last_us = said.first_us, said.last_us

    def written(self, error: str, over: bool) -> Written:
        """How far the recording is; see `Written`."""
        lost, gaps = dict(self.lost), len(self.gaps)
        ends = self.first_us, self.last_us
        return Written(self.events, *ends, lost, gaps, self.content, error, over)

    def add_gap(
        self, by: str, from_us: int, to_us: int, events: int, losses: dict[str, int] | None = None
    ) -> None:
        """These are not."""
        self._changed = True
        self.lost[by] += events
        last = self.gaps[-1] if self.gaps else None
        if last is not None and len(self.gaps) >= MOST_GAPS:
            last.from_us, last.to_us = min(last.from_us, from_us), max(last.to_us, to_us)
            last.events += events
            last.by = by if by == last.by else "several"
            last.losses = dict(Counter(last.losses) + Counter(losses or {}))
        else:
            self.gaps.append(RecordedGap(from_us, to_us, events, by, losses or {}))

    def save(self) -> None:
        """Writes it where it has changed and is a second old; on a full disk it stays as it was."""
        if self._changed and time.monotonic() > self._saved + SAVE_S:
            self._saved = time.monotonic()
            self._changed = False
            with contextlib.suppress(OSError):
                self._write("recording", "")

    def end(self, error: str) -> None:
        """The recording is over; `error` says why before its time."""
        state = "failed" if error else "complete"
        try:
            self._write(state, error)
        except OSError:  # a full disk: into the room that it has
            with contextlib.suppress(OSError):
                self._overwrite(self._content(state, error))

    def _write(self, state: str, error: str) -> None:
        _replace(self.path, self._content(state, error))

    def _overwrite(self, content: bytes) -> None:
        with self.path.open("r+b", buffering=0) as file:
            file.write(content)
            file.truncate(len(content))

    def _content(self, state: str, error: str) -> bytes:
        source = self._source
        found = SidecarFile(
            self._recording, self.content, state, error, source.name, source.sensor, source.serial,
            source.width, source.height, self.events, self.first_us, self.last_us,
            self.lost, self.gaps, source.settings,
        )  # fmt: skip
        return _text(found)


def _text(found: SidecarFile) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
