"""`saccade run` and the files and signals around it: nothing of the user's is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.recordings import write_quarters


@pytest.fixture
def recording(tmp_path):
    return write_quarters(tmp_path / "quarters.aedat4")


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "saccade", "run", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run(*arguments: object) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("name", ["quarters.aedat4", "./quarters.aedat4", "link.aedat4"])
@pytest.mark.parametrize("option", ["--out", "--summary"])
def test_an_output_never_overwrites_the_recording(model, recording, option, name):
    (recording.parent / "link.aedat4").symlink_to(recording)
    before = recording.read_bytes()
    target = str(recording.parent / name)
    value = f"jsonl:{target}" if option == "--out" else target
    code, _, err = run(recording, "--model", model, option, value)
    assert code == 2
    assert "this is the recording" in err
    assert recording.read_bytes() == before


def test_the_label_file_and_other_outputs_are_spared_too(model, recording):
    words = recording.parent / "words.txt"
    words.write_text("left\nright\n")
    for outs, message in (
        ([f"jsonl:{words}"], "this is the label file"),
        ([f"jsonl:{recording.parent}/a", f"jsonl:{recording.parent}/./a"], "another output"),
        (["jsonl:-", "jsonl:-"], "another output"),
    ):
        options = [part for out in outs for part in ("--out", out)]
        code, _, err = run(recording, "--model", model, "--labels", words, *options)
        assert (code, message in err) == (2, True), err
    assert words.read_text() == "left\nright\n"


def test_a_refused_run_leaves_outputs_as_they_were(model, tmp_path):
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    summary = tmp_path / "summary.json"
    old.write_text("precious\n")
    summary.write_text("precious too\n")
    code, _, err = run(
        tmp_path / "missing.raw", "--model", model, "--out", f"jsonl:{old}",
        "--out", f"jsonl:{new}", "--summary", summary,
    )  # fmt: skip
    assert code == 2
    assert "missing.raw" in err
    assert (old.read_text(), summary.read_text()) == ("precious\n", "precious too\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.jsonl", "summary.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_what_a_full_disk_did_not_take_is_not_published(model, recording, tmp_path):
    summary = tmp_path / "summary.json"
    code, _, err = run(
        recording, "--model", model, "--speed", "max", "--out", "jsonl:/dev/full",
        "--summary", summary,
    )  # fmt: skip
    assert code == 2
    assert "0 lines were written" in err
    total = json.loads(summary.read_text())
    assert total["events_published"] == total["labels"] == 0
    assert total["dropped"]["publish"] > 0
    assert total["events_in"] == sum(total["dropped"].values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_summary_that_cannot_be_written_is_one_line(model, recording):
    code, _, err = run(recording, "--model", model, "--speed", "max", "--summary", "/dev/full")
    assert code == 2
    assert err.startswith("error: summary /dev/full: ")
    assert err.count("\n") == 1


def test_a_gap_that_was_asked_for_is_no_loss(model, recording):
    stride = ("--window", "10ms", "--stride", "40ms", "--speed", "max", "--fail-on-drop")
    assert run(recording, "--model", model, *stride)[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_the_summary_is_whole(model, recording, tmp_path, number):
    lines, summary = tmp_path / "lines.jsonl", tmp_path / "summary.json"
    process = start(
        recording, "--model", model, "--loop", "--window", "10ms", "--out", f"jsonl:{lines}",
        "--summary", summary,
    )  # fmt: skip
    wait_for_lines(lines, process)
    process.send_signal(number)
    begun = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert (process.returncode, err) == (0, "")
    assert "events in" in out
    total = json.loads(summary.read_text())
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert total["labels"] == len(found)
    assert total["events_published"] == sum(line["n_events"] for line in found)
    assert total["dropped"]["slice"] == total["dropped"]["publish"] == 0
    assert total["events_in"] == total["events_published"] + total["dropped"]["queue"]


def test_a_signal_while_waiting_for_subscribers_ends_cleanly(model, recording, free_port):
    process = start(
        recording, "--model", model, "--out", f"zmq://127.0.0.1:{free_port}", "--wait-for", "1"
    )
    deadline = time.monotonic() + 30
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", free_port)) and time.monotonic() < deadline:
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err


def test_a_second_signal_still_writes_the_summary(model, recording, tmp_path):
    lines, summary = tmp_path / "lines.jsonl", tmp_path / "summary.json"
    process = start(
        recording, "--model", model, "--loop", "--count", "10", "--out", f"jsonl:{lines}",
        "--summary", summary,
    )  # fmt: skip
    wait_for_lines(lines, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode in (0, 130)  # 0 where the first had ended it already
    total = json.loads(summary.read_text())
    assert total["events_in"] == total["events_published"] + sum(total["dropped"].values())


def wait_for_lines(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_port_that_was_left_open_is_told(model, recording):
    code, out, _ = run(recording, "--model", model, "--speed", "max", "--out", "zmq://127.0.0.1:0")
    assert code == 0
    assert re.search(r"^to zmq://127\.0\.0\.1:[1-9]\d+$", out, re.M)


@pytest.mark.skipif(shutil.which("mkfifo") is None, reason="no named pipes here")
def test_lines_go_through_a_named_pipe(model, recording, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start(recording, "--model", model, "--speed", "max", "--out", f"jsonl:{pipe}")
    text = pipe.read_text()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert len(text.splitlines()) == 14
