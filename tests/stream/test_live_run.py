"""`saccade run URI` and `saccade record URI FILE` as a user runs them, with a virtual camera."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.commands import command, refused

from saccade.camera.recordings import open_recording


def facts(path):
    return json.loads(path.read_text())


def test_a_live_source_is_labelled_and_recorded_until_its_time_is_over(model, tmp_path):
    lines, summary, file = (tmp_path / name for name in ("out.jsonl", "sum.json", "live.aedat4"))
    done = command(
        "run", "sim://scene?rate=200k", "--model", model, "--seconds", "1.5", "--window", "20ms",
        "--out", f"jsonl:{lines}", "--summary", summary, "--record", file,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    total = facts(summary)
    assert total["events_in"] == total["events_published"] + sum(total["dropped"].values()) > 0
    assert total["labels"] == len(lines.read_text().splitlines()) > 10
    with open_recording(file) as recording:
        recorded = sum(map(len, recording.packets()))
    beside = facts(tmp_path / "live.aedat4.json")
    assert recorded == beside["events"] == total["events_in"] - total["dropped"]["source"]
    assert (beside["state"], beside["lost"]["recorder"]) == ("complete", 0)
    assert "recorded" in done.stderr
    assert "status" in done.stdout and "ON " in done.stdout


def test_the_end_of_the_source_ends_the_run(model):
    done = command("run", "sim://scene?rate=100k&seconds=0.3", "--model", model)
    assert done.returncode == 0, done.stderr
    events_in = int(done.stdout.splitlines()[-3].split()[0].replace(",", ""))
    assert 25_000 < events_in < 35_000


def test_silence_is_remarked_on(model):
    done = command("run", "sim://scene?rate=0", "--model", model, "--seconds", "2.5")
    assert "no events for 2 s: lens cap? biases?" in done.stdout
    assert "0 events in, 0 published, 0 dropped" in done.stdout


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "saccade", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(process, text):
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"it ended without {text!r}: {process.stderr.read()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_what_was_captured(model, tmp_path, number):
    summary = tmp_path / "summary.json"
    process = start("run", "sim://scene?rate=1M", "--model", model, "--summary", summary)
    wait_for(process, "status")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    total = facts(summary)
    assert total["events_in"] == total["events_published"] + sum(total["dropped"].values()) > 0


def test_a_recording_alone_ends_with_a_signal_and_is_whole(tmp_path):
    file = tmp_path / "alone.aedat4"
    process = start("record", "sim://scene?rate=500k", file)
    assert "recording" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    with open_recording(file) as recording:
        recorded = sum(map(len, recording.packets()))
    beside = facts(tmp_path / "alone.aedat4.json")
    assert beside["state"] == "complete" and recorded == beside["events"] > 0


def test_ctrl_c_in_a_terminal_reaches_the_whole_group_and_the_recording_is_whole(model, tmp_path):
    file = tmp_path / "live.aedat4"
    process = start(
        "run", "sim://scene?rate=200k", "--model", model, "--record", file, start_new_session=True
    )
    wait_for(process, "status")
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    with open_recording(file) as recording:
        recorded = sum(map(len, recording.packets()))
    beside = facts(tmp_path / "live.aedat4.json")
    assert (beside["state"], beside["error"]) == ("complete", "")
    assert recorded == beside["events"] > 0


def test_a_raw_recording_alone_is_the_cameras_own(tmp_path):
    file = tmp_path / "alone.raw"
    done = command("record", "sim://scene?rate=500k", file, "--seconds", "1")
    assert done.returncode == 0 and "evt3, as the camera sent it" in done.stderr
    with open_recording(file) as recording:
        assert (recording.format, recording.width, recording.height) == ("evt3", 346, 260)
        recorded = sum(map(len, recording.packets()))
    beside = facts(tmp_path / "alone.raw.json")
    assert beside["state"] == "complete" and recorded == beside["events"] > 100_000


def test_a_recording_alone_ends_after_its_time_or_with_its_source(tmp_path):
    assert command("record", "sim://noise", tmp_path / "a.aedat4", "--seconds", 0.5).returncode == 0
    assert facts(tmp_path / "a.aedat4.json")["events"] > 0
    done = command("record", "sim://noise?rate=100k&seconds=0.3", tmp_path / "b.aedat4")
    assert done.returncode == 0, done.stderr
    assert 25_000 < facts(tmp_path / "b.aedat4.json")["events"] < 35_000


def test_an_unplugged_camera_comes_back_and_the_accounts_stay_exact(model, tmp_path):
    summary = tmp_path / "summary.json"
    uri = "sim://scene?rate=200k&unplug=500ms&replug=1500ms"
    done = command("run", uri, "--model", model, "--seconds", "4", "--summary", summary)
    assert done.returncode == 0, done.stderr
    total = facts(summary)
    assert total["events_in"] == total["events_published"] + sum(total["dropped"].values())
    assert total["events_in"] > 250_000


def test_what_is_refused_says_the_remedy(model, tmp_path, recording):
    there = tmp_path / "there.aedat4"
    there.write_bytes(b"precious")
    uri = "sim://scene"
    refused(command("run", uri, "--model", model, "--record", there), "there already")
    assert there.read_bytes() == b"precious"
    refused(command("run", recording, "--model", model, "--record", tmp_path / "x.aedat4"), "conv")
    refused(command("record", uri, tmp_path / "x.csv"), ".aedat4 or .raw")
    refused(command("record", recording, tmp_path / "x.aedat4"), "no live source")
    refused(command("run", uri, "--model", model, "--from", "1s"), "a live source has none")
    refused(command("run", "usb://camera", "--model", model), "dv-tcp://")
    assert not (tmp_path / "x.aedat4").exists()


def test_a_second_signal_is_immediate(model):
    process = start("run", "sim://scene?rate=1M", "--model", model)
    wait_for(process, "status")
    process.send_signal(signal.SIGINT)
    time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode in (0, 130)
