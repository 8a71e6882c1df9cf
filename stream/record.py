"""`saccade record`: a live source into a file, without labels."""

from __future__ import annotations

import contextlib
import sys
import threading

from saccade.camera.capture import Capture
from saccade.camera.errors import SaccadeError, printable
from saccade.camera.recorder import Recorder
from saccade.camera.sources import is_source
from saccade.stream.live_run import STATUS_S, ending_after
from saccade.stream.opening import LiveOrigin, open_capture
from saccade.stream.recordings import Recordings
from saccade.stream.signals import Signals

QUIET_S = 1.0


def record_source(uri: str, path: str, *, seconds: float | None, realtime: bool = False) -> None:
    """Records until the source ends, for `seconds`, or until SIGINT or SIGTERM.

    Raises:
        SaccadeError: the source or the file is refused, or the recording could not be completed.
    """
    if not is_source(uri):
        raise SaccadeError(
            f"{printable(uri)}: no live source; write one like prophesee:// or sim://scene"
        )
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals())
        capture = open_capture(uri, realtime)
        stack.callback(LiveOrigin(capture).close)
        recordings = Recordings(capture)
        recorder = recordings.begin(path)
        stack.callback(recordings.close)
        with ending_after(seconds, over.set), signals.stopping(over.set):
            capture.start()
            while not over.wait(STATUS_S) and recorder.running:
                print(_line(capture, recorder), file=sys.stderr, flush=True)
        capture.close()
        recordings.finish()
        if capture.error is not None:
            raise capture.error


def _line(capture: Capture, recorder: Recorder) -> str:
    quiet = capture.quiet_s
    note = f", no events for {quiet:.0f} s: lens cap? biases?" if quiet > QUIET_S else ""
    return recorder.text() + note
