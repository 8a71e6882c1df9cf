"""What `saccade run` does beside labelling a live source: its status, its recording, its end."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from saccade.camera.errors import SaccadeError
from saccade.stream.heartbeat import Heartbeat
from saccade.stream.pipeline import Pipeline

if TYPE_CHECKING:
    from saccade.camera.capture import Capture
    from saccade.camera.recorder import Recorder
    from saccade.stream.display import Display

STATUS_S = 1.0


@contextlib.contextmanager
def ending_after(seconds: float | None, stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` after so many seconds, unless this is over before; None: never."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def watching(pipeline: Pipeline, display: Display) -> Iterator[None]:
    """Shows the status of a live source once a second, also where no label comes."""
    if pipeline.capture is None:
        yield
        return
    over = threading.Event()
    heartbeat = Heartbeat(pipeline, time.monotonic())

    def watch() -> None:
        heartbeat()
        while not over.wait(STATUS_S):
            display.show_status(heartbeat())

    thread = threading.Thread(target=watch, name="saccade-status", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def recording(capture: Capture | None, path: str | None) -> Iterator[Recorder | None]:
    """Records what `capture` brings into `path`; nothing where that is None.

    Raises:
        SaccadeError: there is nothing live to record, or the file cannot be made.
    """
    if path is None:
        yield None
        return
    if capture is None:
        what = "this source is a recording already; `saccade convert` makes another of it"
        raise SaccadeError(f"record {path}: {what}")
    from saccade.camera.recorder import Recorder

    recorder = capture.recorder = Recorder(capture, path)
    try:
        yield recorder
    finally:
        recorder.close()


def finish_recording(recorder: Recorder) -> None:
    """Ends a recording and says what is in it.

    Raises:
        SaccadeError: it ended before its time, or its disk takes no end.
    """
    ended = recorder.close()
    print(recorder.text(), file=sys.stderr, flush=True)
    if recorder.error:
        raise SaccadeError(f"the recording is not complete: {recorder.error}")
    if not ended:
        raise SaccadeError(f"record {recorder.path}: its disk is too slow; the end is missing")
