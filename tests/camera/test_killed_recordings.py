"""Recordings that are killed, the run or the process that writes: all that can be is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from tests.camera.test_recorder import read, record, sidecar, stop, wait_for
from tests.live import ScriptedSource, packet, steady

from saccade.camera.capture import Capture
from saccade.camera.errors import RecordingError
from saccade.camera.recorder import Recorder
from saccade.camera.recording_process import KILLED as KILLED_RUN
from saccade.camera.recordings import open_recording


def test_a_process_that_is_killed_is_told_at_once_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "live.aedat4"
    capture = Capture(ScriptedSource(steady(20.0)))
    recorder = Recorder(capture, path)
    capture.start()
    wait_for(lambda: recorder.events > 0)
    os.kill(recorder.pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: not recorder.running)
    assert time.monotonic() < killed + 1
    assert "live.aedat4: the process that writes it was killed (signal 9)" in recorder.error
    events = capture.events
    wait_for(lambda: capture.events > events)
    capture.close()
    assert recorder.close() and recorder.error in recorder.text()
    facts = sidecar(path)
    assert (facts["state"], facts["error"]) == ("failed", recorder.error)
    assert facts["events"] == recorder.events <= len(read(path))
    assert facts["lost"] == recorder.lost
    for gap in facts["gaps"]:
        assert gap["by"] == "recorder" and gap["from_us"] == facts["last_us"]
    with pytest.raises(ProcessLookupError):  # it is waited for
        os.kill(recorder.pid, 0)


@pytest.mark.parametrize("ring_bytes", [1 << 28, 1 << 22])
@pytest.mark.parametrize("every_s", [0.0, 0.002])
def test_what_a_killed_process_had_not_written_is_counted_to_the_event(
    tmp_path, ring_bytes, every_s
):
    def kill_when_full(recorder):
        time.sleep(0.5)  # it hands over until there is no room, and waits in the middle of that
        os.kill(recorder.pid, signal.SIGKILL)

    path = tmp_path / "live.aedat4"
    script = [packet(30_000, 1000 * k, 1000 * (k + 1)) for k in range(300)]
    script = [item for one in script for item in (one, every_s)]
    script.insert(10, {"events": 7})
    recorder, capture = record(script, path, ring_bytes, kill_when_full, begun=stop)
    facts = sidecar(path)
    assert facts["lost"] == recorder.lost and recorder.lost["source"] == 7
    assert recorder.events + recorder.lost["recorder"] == capture.source.sent
    listed = dict.fromkeys(facts["lost"], 0)
    for gap in facts["gaps"]:
        listed[gap["by"]] += gap["events"]
    assert listed == facts["lost"] and len(facts["gaps"]) == recorder.gaps


def test_a_process_killed_before_it_saved_leaves_the_first_time_too(tmp_path):
    path = tmp_path / "live.aedat4"
    capture = Capture(ScriptedSource(steady(20.0)))
    recorder = Recorder(capture, path)
    capture.start()
    wait_for(lambda: recorder.events > 0)
    os.kill(recorder.pid, signal.SIGKILL)
    wait_for(lambda: not recorder.running)
    capture.close()
    assert sidecar(path)["first_us"] == 1_000_000 == read(path)[0]


KILLED = """
import sys, time
from tests.live import ScriptedSource, steady
from saccade.camera.capture import Capture
from saccade.camera.recorder import Recorder

capture = Capture(ScriptedSource(steady(60.0, rate=1_000_000)))
recorder = Recorder(capture, sys.argv[1])
capture.start()
print("recording", recorder.pid, flush=True)
while True:
    time.sleep(0.02)
    print(capture.events, flush=True)
"""


@pytest.mark.parametrize("after_s", [0.7, 1.3])
def test_a_killed_recorder_keeps_all_but_the_last_second(tmp_path, after_s):
    path = tmp_path / "live.aedat4"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("recording")
    begun, counts = time.monotonic(), []
    while (now := time.monotonic()) < begun + after_s:
        counts.append((now, int(process.stdout.readline())))
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    wait_for(lambda: sidecar(path)["state"] != "recording")
    last = int(rest[-1]) if rest and rest[-1].isdecimal() else counts[-1][1]
    kept = len(read(path))
    second_ago = [n for at, n in counts if at < counts[-1][0] - 1.0]
    assert (second_ago[-1] if second_ago else 0) <= kept <= last + 1_000_000
    facts = sidecar(path)
    assert (facts["state"], facts["error"], facts["events"]) == ("failed", KILLED_RUN, kept)
    with open_recording(path) as recording:  # whole, with its table
        assert recording._read_table() is not None


def test_killed_with_its_process_a_recording_is_readable(tmp_path):
    path = tmp_path / "live.aedat4"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline().split()[1])
    wait_for(lambda: path.stat().st_size > 10_000)
    wait_for(lambda: sidecar(path)["events"] > 10_000)  # whose write is over
    os.kill(pid, signal.SIGKILL)
    process.kill()
    process.communicate()
    # The system ends a write of several pages in the middle, and so perhaps the last packet.
    seen = 0
    with open_recording(path) as recording:
        try:
            for events in recording.packets():
                seen += len(events)
        except RecordingError as error:
            assert "the file ends inside the packet" in str(error)
    assert seen > 10_000 and sidecar(path)["state"] in ("recording", "failed")
