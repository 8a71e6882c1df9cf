"""What every reader of a file has: its counts, its end, and how it reports damage."""

from __future__ import annotations

from saccade.camera.errors import RecordingError
from saccade.camera.formats.closing import Closing
from saccade.camera.formats.file import RecordingFile
from saccade.camera.streams import Stream

#: The remedy for damage inside a file.
COPY_AGAIN = "the events before are good; copy the file again"


class FileRecording(Closing):
    """The part of `saccade.camera.recordings.Recording` that does not depend on the format.

    Args:
        file: the open file; closed by `close`.
    """

    def __init__(self, file: RecordingFile) -> None:
        self._file = file
        self.path, self.size_bytes = file.path, file.size
        self.position = 0
        self._dropped: dict[str, int] = {}
        self._skipped: dict[str, int] = {}
        self._events: int = 0  # given by all passes together

    @property
    def dropped(self) -> dict[str, int]:
        """Events left out since the recording was opened, by class."""
        return dict(self._dropped)

    @property
    def skipped(self) -> dict[str, int]:
        """What is no event, and steps back in time, since the recording was opened, by class."""
        return dict(self._skipped)

    @property
    def streams(self) -> list[Stream]:
        """The events, counted by any pass."""
        return [Stream("events", "events", self._events)]

    def count_streams(self) -> list[Stream]:
        """`streams`: a pass over the events has counted all."""
        return self.streams

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def damaged(self, what: str, offset: int) -> RecordingError:
        """The error for damage at a byte of the file."""
        return RecordingError(self.path, what, COPY_AGAIN, offset)
