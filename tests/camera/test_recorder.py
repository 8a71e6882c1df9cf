"""Recording while streaming: whole or every gap listed; killed or on a full disk, readable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.live import ScriptedSource, packet

from saccade.camera.capture import Capture
from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.recorder import Recorder
from saccade.camera.recordings import open_recording


def record(script, path, ring_bytes=1 << 24, before_end=lambda recorder: None, source=None):
    capture = Capture(source or ScriptedSource(script), ring_bytes)
    recorder = Recorder(capture, path)
    capture.start()
    while capture._thread.is_alive():
        time.sleep(0.01)
    before_end(recorder)
    assert recorder.close(timeout_s=30)
    return recorder, capture


def read(path):
    with open_recording(path) as recording:
        packets = list(recording.packets())
    return np.concatenate([p.t for p in packets]) if packets else np.array([], np.uint64)


def sidecar(path):
    return json.loads(path.with_name(path.name + ".json").read_text())


def test_all_events_are_in_the_file_and_the_sidecar_says_so(tmp_path):
    path = tmp_path / "live.aedat4"
    script = [packet(300, 1000 * k, 1000 * (k + 1)) for k in range(300)]
    recorder, capture = record(script, path)
    assert (read(path) == np.concatenate([p.t for p in script])).all()
    facts = sidecar(path)
    assert facts["state"] == "complete" and facts["error"] == "" and facts["gaps"] == []
    assert facts["events"] == recorder.events == capture.source.sent == 90_000
    assert (facts["first_us"], facts["last_us"]) == (0, int(script[-1].t[-1]))
    assert facts["settings"] == {"biases": {"diff": 3}}
    assert (facts["source"], facts["sensor"]) == ("script://test", "SCRIPT")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["live.aedat4", "live.aedat4.json"]


def test_what_the_source_lost_is_a_gap(tmp_path):
    path = tmp_path / "live.aedat4"
    script = [packet(10, 0, 1000), {"events": 5}, packet(10, 2000, 3000)]
    recorder, _ = record(script, path)
    assert sidecar(path)["gaps"] == [{"from_us": 900, "to_us": 2000, "events": 5, "by": "source"}]
    assert recorder.lost == {"source": 5, "recorder": 0, "disk": 0}


def test_a_slow_disk_loses_packets_of_the_recorder_and_each_is_in_a_gap(tmp_path, monkeypatch):
    write = Aedat4Writer.write

    def slow(self, events):
        time.sleep(0.03)
        write(self, events)

    monkeypatch.setattr(Aedat4Writer, "write", slow)
    path = tmp_path / "live.aedat4"
    script = (packet(30_000, 1000 * k, 1000 * (k + 1)) for k in range(100))
    recorder, capture = record(script, path, ring_bytes=4_000_000)
    facts = sidecar(path)
    assert facts["gaps"] and {gap["by"] for gap in facts["gaps"]} == {"recorder"}
    assert len(read(path)) == facts["events"] == recorder.events
    assert recorder.events + facts["lost"]["recorder"] == capture.source.sent
    times = read(path)
    for gap in facts["gaps"]:
        assert not ((times > gap["from_us"]) & (times < gap["to_us"])).any()


def test_a_full_disk_ends_the_recording_with_an_error_and_counts_what_is_missing(
    tmp_path, monkeypatch
):
    write, calls = Aedat4Writer.write, []

    def full(self, events):
        calls.append(len(events))
        if len(calls) == 3:
            raise RecordingError(self.path, "writing failed (No space left)", "make room", 1)
        write(self, events)

    monkeypatch.setattr(Aedat4Writer, "write", full)
    path = tmp_path / "live.aedat4"
    script = (packet(65_536, 1000 * k, 1000 * (k + 1)) for k in range(10))
    recorder, capture = record(script, path, 1 << 28)
    facts = sidecar(path)
    assert facts["state"] == "failed" and "No space left" in facts["error"]
    assert len(read(path)) == facts["events"] == 2 * 65_536
    assert not recorder.running and "ended early" in recorder.text()
    assert facts["lost"]["disk"] >= 65_536
    assert capture.events == 10 * 65_536  # capture went on


def test_a_small_tmpfs_leaves_a_readable_file_and_a_final_sidecar(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        path = disk / "live.aedat4"
        recorder, capture = record(_noise(100), path)
        facts = sidecar(path)
        assert facts["state"] == "failed" and "No space left" in facts["error"]
        assert 0 < len(read(path)) == facts["events"] < capture.source.sent
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _noise(n):
    """Packets that do not compress well."""
    random = np.random.default_rng(1)
    for k in range(n):
        events = packet(20_000, 10_000 * k, 10_000 * (k + 1))
        events.x[:] = random.integers(0, 16, len(events))
        events.y[:] = random.integers(0, 16, len(events))
        yield events


@pytest.mark.parametrize("name", ["live.csv", "there.aedat4", "beside.raw"])
def test_other_formats_and_files_that_are_there_are_refused(tmp_path, name):
    (tmp_path / "there.aedat4").write_bytes(b"precious")
    (tmp_path / "beside.raw.json").write_bytes(b"precious")
    with pytest.raises(SaccadeError, match=r"aedat4|another"):
        Recorder(Capture(ScriptedSource([])), tmp_path / name)
    assert (tmp_path / "there.aedat4").read_bytes() == b"precious"
    assert (tmp_path / "beside.raw.json").read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 2


KILLED = """
import sys, time
from tests.live import ScriptedSource, steady
from saccade.camera.capture import Capture
from saccade.camera.recorder import Recorder

capture = Capture(ScriptedSource(steady(60.0, rate=1_000_000)))
recorder = Recorder(capture, sys.argv[1])
capture.start()
print("recording", flush=True)
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
    assert process.stdout.readline() == "recording\n"
    begun, counts = time.monotonic(), []
    while (now := time.monotonic()) < begun + after_s:
        counts.append((now, int(process.stdout.readline())))
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    last = int(rest[-1]) if rest and rest[-1].isdecimal() else counts[-1][1]
    kept = len(read(path))
    second_ago = [n for at, n in counts if at < counts[-1][0] - 1.0]
    assert (second_ago[-1] if second_ago else 0) <= kept <= last + 1_000_000
    assert sidecar(path)["state"] == "recording"
