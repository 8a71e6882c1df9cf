"""How much of a recording was read, on the terminal's last line."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

from saccade.camera.recordings import Recording

_REDRAW_S = 0.1


@contextlib.contextmanager
def progress(recording: Recording) -> Iterator[Progress]:
    """What to call after each packet; the line is taken away at the end."""
    shown = Progress(recording)
    try:
        yield shown
    finally:
        shown.clear()


class Progress:
    """How much was read, on the terminal's last line; nothing where stderr is none."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._on = sys.stderr.isatty()
        self._drawn = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if self._on and now - self._drawn >= _REDRAW_S:
            self._drawn = now
            share = self._recording.position / max(self._recording.size_bytes, 1)
            print(f"\r{min(share, 1):4.0%} read", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Takes the line away."""
        if self._on and self._drawn:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Count:
    """How many of so many things are done, on the terminal's last line."""

    def __init__(self, what: str, of: int) -> None:
        self._what, self._of = what, of
        self._on = sys.stderr.isatty()
        self._shown = False

    def __call__(self, done: int) -> None:
        """Draws the line; nothing where stderr is no terminal."""
        if self._on:
            self._shown = True
            print(f"\r{done:,} of {self._of:,} {self._what}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Takes the line away."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
