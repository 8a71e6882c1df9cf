"""Recording while streaming: whole or every gap listed; killed or on a full disk, readable."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tests.live import ScriptedSource, packet, steady

from saccade.camera.capture import Capture
from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.recorder import Recorder
from saccade.camera.recordings import open_recording


def nothing(recorder):
    pass


def record(script, path, ring_bytes=1 << 24, before_end=nothing, source=None, begun=nothing):
    capture = Capture(source or ScriptedSource(script), ring_bytes)
    recorder = Recorder(capture, path)
    begun(recorder)
    capture.start()
    while capture._thread.is_alive():
        time.sleep(0.01)
    before_end(recorder)
    assert recorder.close(timeout_s=30)
    return recorder, capture


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


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


def test_a_slow_disk_loses_packets_of_the_recorder_and_each_is_in_a_gap(tmp_path):
    path = tmp_path / "live.aedat4"
    script = (packet(30_000, 1000 * k, 1000 * (k + 1)) for k in range(300))
    recorder, capture = record(script, path, ring_bytes=4_000_000, begun=stop, before_end=go_on)
    facts = sidecar(path)
    assert facts["gaps"] and {gap["by"] for gap in facts["gaps"]} == {"recorder"}
    assert len(read(path)) == facts["events"] == recorder.events
    assert recorder.events + facts["lost"]["recorder"] == capture.source.sent
    times = read(path)
    for gap in facts["gaps"]:
        assert not ((times > gap["from_us"]) & (times < gap["to_us"])).any()


def stop(recorder):
    os.kill(recorder.pid, signal.SIGSTOP)


def go_on(recorder):
    os.kill(recorder.pid, signal.SIGCONT)


def test_a_disk_that_takes_no_end_is_not_waited_for(tmp_path):
    path = tmp_path / "live.aedat4"
    capture = Capture(ScriptedSource([packet(300, 0, 1000)]))
    recorder = Recorder(capture, path)
    stop(recorder)
    capture.start()
    begun = time.monotonic()
    assert not recorder.close(timeout_s=0.3) and time.monotonic() < begun + 1
    go_on(recorder)
    assert recorder.close(timeout_s=30) and len(read(path)) == 300


def test_a_full_disk_ends_the_recording_with_an_error_and_counts_what_is_missing(tmp_path):
    def limit(recorder):
        resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (1 << 20,) * 2)

    path = tmp_path / "live.aedat4"
    recorder, capture = record(_noise(50), path, 1 << 28, begun=limit)
    facts = sidecar(path)
    assert facts["state"] == "failed" and "File too large" in facts["error"] == recorder.error
    assert 0 < len(read(path)) == facts["events"] < 1_000_000
    assert not recorder.running and "ended early" in recorder.text()
    assert 65_536 <= facts["lost"]["disk"] <= 1_000_000 - facts["events"]
    assert capture.events == 1_000_000  # capture went on


def test_an_error_of_the_run_itself_ends_the_recording_and_what_is_left_is_counted(
    tmp_path, monkeypatch
):
    def fails(packet):
        raise MemoryError("no memory")

    path = tmp_path / "live.aedat4"
    monkeypatch.setattr("saccade.camera.recorder.contiguous", fails)
    recorder, capture = record([packet(300, 0, 1000), packet(300, 1000, 2000)], path)
    facts = sidecar(path)
    assert (facts["state"], facts["error"], recorder.error) == ("failed", "no memory", "no memory")
    assert recorder.events == 0 and sum(facts["lost"].values()) == capture.source.sent == 600


def test_recordings_leave_no_process_no_file_open_and_nothing_in_the_ring(tmp_path):
    def left():
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    capture = Capture(ScriptedSource(steady(60.0)))
    capture.start()
    found = []
    for k in range(8):
        recorder = Recorder(capture, tmp_path / f"{k}.{('aedat4', 'raw')[k % 2]}")
        wait_for(lambda: recorder.events > 0)  # noqa: B023
        assert recorder.close(30) and not recorder.error
        with pytest.raises(ProcessLookupError):
            os.kill(recorder.pid, 0)
        found.append(left())
        assert not capture.ring.is_read and not capture.keep_bytes
    capture.close()
    assert found == [found[0]] * 8


def test_where_no_process_starts_nothing_is_left(tmp_path, monkeypatch):
    def none(*arguments, **options):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("saccade.camera.recorder.subprocess.Popen", none)
    capture = Capture(ScriptedSource([]))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(RecordingError, match="does not start .Resource temporarily"):
        Recorder(capture, tmp_path / "live.aedat4")
    assert not list(tmp_path.iterdir()) and not capture.ring.is_read
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_recording_takes_nothing_from_the_folder_that_it_is_started_in(tmp_path, monkeypatch):
    (tmp_path / "saccade").mkdir()
    (tmp_path / "numpy.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    record([packet(300, 0, 1000)], Path("live.aedat4"))
    assert len(read(tmp_path / "live.aedat4")) == 300


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
