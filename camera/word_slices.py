"""EVT2 and EVT3 recordings cut into slices of raw words, for a GPU that decodes them.

The same slices as `TimeSlicer` makes of windows that follow each other: words end where its events
would, since all events of a word have one time. On the CPU words are only looked through: there is
no array of events, and nothing is counted but how many there are.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from saccade.camera import _native
from saccade.camera.cuda import Words
from saccade.camera.errors import RecordingError
from saccade.camera.recordings import Recording
from saccade.camera.slicing import Slicer, TimeSlicer


@runtime_checkable
class Cuttable(Protocol):
    """A recording whose bytes may be cut into slices as they are."""

    @property
    def words(self) -> Words | None:
        """What its bytes are; None where they have to be decoded here."""
        ...

    def cut(self, cutter: _native.WordCutter) -> Generator[memoryview]:
        """One pass over the words, in pieces that are gone when the next one is asked for.

        Each belongs to one slice; where that is due then, it is to be taken before the next piece.

        Raises as `packets` does, after every word before the damage.
        """
        ...


@dataclass(frozen=True, slots=True)
class WordSlice:
    """A slice as words, which can be decoded without those of the slices before.

    Attributes:
        t_begin_us, t_end_us: the window [begin, end), as `Slice` has it.
        t_last_us: time of its newest event; the window's end where it has none.
        first, last: indices [first, last) of its events in the stream.
        restarts: of the slicer's grid so far.
        words: their bytes. Row, base and a time are said anew at the start, but not the right one.
    """

    t_begin_us: int
    t_end_us: int
    t_last_us: int
    first: int
    last: int
    restarts: int
    words: bytearray

    @property
    def nbytes(self) -> int:
        """Bytes of its words."""
        return len(self.words)

    @property
    def n_events(self) -> int:
        """Number of events in the slice."""
        return self.last - self.first


class SliceCutter:
    """Slices of one sensor's words; one pass."""

    def __init__(self, words: Words, width: int, height: int, window_us: int) -> None:
        """Slices of `window_us`; the sides are at most 2048 pixels."""
        self._cutter = _native.WordCutter(words == "evt3", width, height, window_us)

    @property
    def events(self) -> int:
        """Events seen so far."""
        return self._cutter.events

    def pass_over(self, recording: Recording) -> Iterator[WordSlice]:
        """The slices of the recording, the last one as far as it was filled.

        Raises RecordingError where the recording is damaged, after the slices before that.
        """
        assert isinstance(recording, Cuttable)
        damage: RecordingError | None = None
        words = bytearray()
        with closing(recording.cut(self._cutter)) as pieces:
            try:
                for piece in pieces:
                    words += piece
                    while (cut := self._cutter.take()) is not None:
                        yield WordSlice(*cut, words)
                        words = bytearray(self._cutter.lead)
            except RecordingError as error:
                damage = error
        self._cutter.finish()
        if (cut := self._cutter.take()) is not None:
            yield WordSlice(*cut, words)
        if damage is not None:
            raise damage


def words_of(recording: Recording, slicer: Slicer) -> Words | None:
    """What the recording's bytes are, where slices of `slicer` can be cut of them; else None.

    Slices of so many events may end within a word.
    """
    if not isinstance(slicer, TimeSlicer) or slicer.stride_us != slicer.window_us:
        return None
    return recording.words if isinstance(recording, Cuttable) else None
