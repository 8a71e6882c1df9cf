"""SIGINT and SIGTERM while a command runs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from saccade.engines.reporting import Report


class Signals:
    """SIGINT and SIGTERM: the first one during a run drains what was read, a second interrupts.

    While modules load, a first one waits: an interrupted import can leave an error of any kind.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None
        self._waits = True
        self._came = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            numbers = (signal.SIGINT, signal.SIGTERM)
            self._before = {n: signal.signal(n, self._receive) for n in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def interrupting(self) -> Iterator[None]:
        """While this lasts, a signal interrupts; one that came before does so now."""
        if self._came:
            raise KeyboardInterrupt
        self._waits = False
        yield

    def checking(self, report: Report) -> Report:
        """`report`, which also interrupts where a signal came: for work that is cut only there."""

        def checked(what: str, share: float | None = None) -> None:
            if self._came:
                raise KeyboardInterrupt
            report(what, share)

        return checked

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """While this lasts, the first signal calls `stop`."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        stop, self._stop = self._stop, None
        came, self._came = self._came, True
        if stop is not None:
            stop()
        elif came or not self._waits:
            raise KeyboardInterrupt
