"""Real-time priority of the capture thread: set where the system allows it, refused in one line."""

from __future__ import annotations

import os
import sys
import threading

import pytest
from tests.live import ScriptedSource, packet

from saccade.camera import realtime
from saccade.camera.capture import Capture
from saccade.camera.errors import SaccadeError


def test_a_system_that_does_not_allow_it_is_told_of_before_anything_runs(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SaccadeError, match=r"rtprio 20"):
        Capture(ScriptedSource([]), realtime=True)


def test_other_systems_are_told_so(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SaccadeError, match="Linux"):
        realtime.check_realtime()


def test_only_the_capture_thread_gets_it():
    try:
        realtime.check_realtime()
    except SaccadeError as error:
        pytest.skip(str(error))
    seen = {}

    class Source(ScriptedSource):
        def packets(self, timeout_s):
            seen["capture"] = os.sched_getscheduler(0), threading.current_thread().name
            yield from super().packets(timeout_s)

    capture = Capture(Source([packet(10, 0, 10)]), realtime=True)
    capture.start()
    assert capture.close()
    assert seen["capture"] == (os.SCHED_FIFO, "saccade-capture")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
