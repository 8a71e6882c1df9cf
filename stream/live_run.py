"""What `saccade run` does beside labelling a live source: its status, its end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from saccade.stream.heartbeat import Heartbeat
from saccade.stream.pipeline import Pipeline

if TYPE_CHECKING:
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
