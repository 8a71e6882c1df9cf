"""Recordings started and stopped while a run labels: one at a time, and only where allowed."""

from __future__ import annotations

import json
import os
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.commands import command, refused
from tests.live import ScriptedSource, steady
from tests.stream.test_live_run import start, wait_for

from saccade.camera.capture import Capture
from saccade.camera.errors import SaccadeError
from saccade.camera.recordings import open_recording
from saccade.stream.control import ControlServer
from saccade.stream.control_client import Control, ControlError
from saccade.stream.pipeline import Pipeline
from saccade.stream.recordings import Recordings
from saccade.stream.wire import new_run_id


def events_in(path: Path) -> int:
    with open_recording(str(path)) as recording:
        return sum(map(len, recording.packets()))


@contextmanager
def live(model: Path, folder: Path | None) -> Iterator[tuple[Control, Recordings]]:
    """A run of a live source that sends until this ends, and a client of it."""
    source: Any = ScriptedSource(steady(60))
    capture = Capture(source)
    with (
        Pipeline(capture, model=model) as pipeline,
        ControlServer("zmq://127.0.0.1:0", "cam", new_run_id()) as server,
    ):
        recordings = Recordings(capture, None if folder is None else str(folder))
        server.start(pipeline, recordings)
        running = threading.Thread(target=lambda: list(pipeline))
        running.start()
        with Control(server.address) as control:
            yield control, recordings
        server.close()
        pipeline.close()
        running.join()
        capture.close()


def until_events(control: Control) -> None:
    deadline = time.monotonic() + 20
    while "recording 0 events" in control.status().status.recording:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_client_records_again_and_again_one_file_at_a_time(model: Path, tmp_path: Path) -> None:
    with live(model, tmp_path) as (control, recordings):
        assert control.status().status.recording == ""
        for name in ("a.aedat4", "b.raw"):
            path = tmp_path / name
            assert control.record_start(name).path == str(path)
            with pytest.raises(ControlError, match=f"{name} is being recorded; stop that first"):
                control.record_start("other.raw")
            until_events(control)
            done = control.record_stop()
            assert (done.path, done.gaps, done.error) == (str(path), 0, "")
            assert done.lost == {"source": 0, "recorder": 0, "disk": 0}
            assert control.status().status.recording == "" and recordings.now is None
            assert done.events == events_in(path) > 0
        with pytest.raises(ControlError, match=r"nothing is being recorded") as error:
            control.record_stop()
        assert error.value.code == "refused"
        with pytest.raises(ControlError, match="there already; name another"):
            control.record_start("a.aedat4")
        recordings.finish()
    assert {path.suffix for path in tmp_path.iterdir()} == {".aedat4", ".raw", ".json"}
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "name",
    ["/etc/a.raw", "../a.raw", "a/b.raw", "..raw", ".a.raw", "-a.raw", "a.csv", "a.raw/", "a\0.raw",
     "ä.raw", "a.raw\n", "x" * 130 + ".raw", "C:a.raw"],
)  # fmt: skip
def test_a_client_writes_nowhere_else(model: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    capture = Capture(ScriptedSource([]))
    with pytest.raises(SaccadeError, match="write a plain file name"):
        Recordings(capture, str(folder)).start(name)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_neither_a_link_nor_a_file_is_written_through(tmp_path: Path) -> None:
    folder, target = tmp_path / "folder", tmp_path / "target"
    folder.mkdir()
    (folder / "link.raw").symlink_to(target)
    (folder / "beside.raw.json").symlink_to(target)
    recordings = Recordings(Capture(ScriptedSource([])), str(folder))
    for name in ("link.raw", "beside.raw"):
        with pytest.raises(SaccadeError, match="it is there already"):
            recordings.start(name)
    assert not target.exists() and not (folder / "beside.raw").exists()


def test_without_a_folder_or_a_live_source_it_is_refused(
    model: Path, recording: Path, tmp_path: Path
) -> None:
    with live(model, None) as (control, _), pytest.raises(ControlError, match="--record-folder"):
        control.record_start("a.raw")
    with pytest.raises(SaccadeError, match="this source is a recording already"):
        Recordings(None, str(tmp_path))
    with pytest.raises(SaccadeError, match="no folder; make it first"):
        Recordings(Capture(ScriptedSource([])), str(tmp_path / "none"))


def no_room(recordings: Recordings) -> None:
    """The file that is being recorded cannot grow any more."""
    recorder = recordings.now
    assert recorder is not None
    size = Path(recorder.path).stat().st_size
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_told_by_the_status_and_by_the_stop(model: Path, tmp_path: Path) -> None:
    with live(model, tmp_path) as (control, recordings):
        control.record_start("a.aedat4")
        no_room(recordings)
        deadline = time.monotonic() + 20
        while "ended early" not in control.status().status.recording:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = control.record_stop()
        assert "File too large" in done.error and done.lost["disk"] > 0
        recordings.finish()  # who asked was told
        control.record_start("b.aedat4")
        no_room(recordings)
        deadline = time.monotonic() + 20
        while recordings.now is not None and recordings.now.running:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        control.record_start("c.aedat4")  # nobody asked about the one before
        with pytest.raises(SaccadeError, match=r"not complete: .*b\.aedat4"):
            recordings.finish()


def test_a_process_that_is_killed_is_told_by_the_status_while_labels_go_on(
    model: Path, tmp_path: Path
) -> None:
    with live(model, tmp_path) as (control, recordings):
        control.record_start("a.aedat4")
        until_events(control)
        recorder = recordings.now
        assert recorder is not None
        os.kill(recorder.pid, signal.SIGKILL)
        deadline = time.monotonic() + 1
        while "ended early" not in (status := control.status().status).recording:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "was killed (signal 9)" in status.recording
        labels, deadline = status.labels, time.monotonic() + 20
        while control.status().status.labels <= labels:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "was killed" in control.record_stop().error
        control.record_start("b.aedat4")


@pytest.mark.parametrize("ends", ["by itself", "SIGTERM"])
def test_a_run_that_ends_ends_its_recording(model: Path, tmp_path: Path, ends: str) -> None:
    door = f"ipc://{tmp_path}/control"
    folder = tmp_path / "folder"
    folder.mkdir()
    rest = ("--seconds", "4") if ends == "by itself" else ()
    process = start(
        "run", "sim://scene?rate=200k", "--model", model, "--control", door,
        "--record-folder", folder, *rest,
    )  # fmt: skip
    with process:
        wait_for(process, "status")
        with Control(door, timeout_s=30) as control:
            assert control.record_start("a.raw").path == f"{folder}/a.raw"
            with pytest.raises(ControlError, match="stop that first"):
                control.record_start("b.raw")
        if ends == "SIGTERM":
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "recorded" in err and "as the camera sent it" in err
    facts = json.loads((folder / "a.raw.json").read_text())
    assert facts["state"] == "complete" and facts["events"] == events_in(folder / "a.raw") > 0
    assert sorted(path.name for path in folder.iterdir()) == ["a.raw", "a.raw.json"]


def test_the_commands_start_and_stop_and_a_folder_needs_a_socket(
    model: Path, tmp_path: Path
) -> None:
    with live(model, tmp_path) as (control, _):
        at = ("--address", control.address, "--timeout", 20)
        assert command("control", "record", "start", "a.raw", *at).returncode == 0
        until_events(control)
        assert "recording" in command("control", "status", *at).stdout
        done = command("control", "record", "stop", *at)
        assert f"events in {tmp_path}/a.raw, 0 gaps" in done.stdout
        refused(command("control", "record", "stop", *at), "nothing is being recorded")
    done = command("run", "sim://scene", "--model", model, "--record-folder", tmp_path)
    refused(done, "record-folder: clients need a socket for it; give --control too")
