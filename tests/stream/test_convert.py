"""`saccade convert`, and sections in `saccade run`."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.commands import command
from tests.recordings import quarters

import saccade
from saccade.camera.recordings import open_recording
from saccade.stream.durations import parse_section_us


def events(path: Path) -> list[tuple]:
    with open_recording(path) as recording:
        return [e for packet in recording.packets() for e in packet.to_array().tolist()]


def test_every_format_goes_through_every_other(recording, tmp_path):
    steps = ["a.raw", "b.evt2", "c.aedat4", "d.npz"]
    source = recording
    for name in steps:
        done = command("convert", source, tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert f"{name}: " in done.stdout
        assert "20,000 events, 0 dropped, " in done.stdout
        assert f"{(tmp_path / name).stat().st_size:,} bytes" in done.stdout
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""
        source = tmp_path / name
        if name != "d.npz":
            assert events(source) == events(recording)
    assert np.load(source)["t"].tolist() == [e[0] for e in events(recording)]


def test_a_section_is_written(recording, tmp_path):
    out = tmp_path / "a.aedat4"
    done = command(
        "convert", recording, out, "--from", "100ms", "--to", ".2s", "--compression", "lz4"
    )
    assert done.returncode == 0, done.stderr
    assert events(out) == quarters()[1].to_array().tolist()


def test_bad_input_is_one_line_and_the_files_stay(recording, tmp_path):
    other = tmp_path / "other.raw"
    other.write_bytes(b"mine")
    same = tmp_path / "same.aedat4"
    same.symlink_to(recording)
    for part, arguments in {
        "would be lost": [recording, same],
        "extension": [recording, tmp_path / "a.mp4"],
        "format 'mp4'": [recording, other, "--format", "mp4"],
        "later than from": [recording, other, "--from", "2s", "--to", "1s"],
        "from '1'": [recording, other, "--from", "1"],
        "evt3 has none": [recording, other, "--compression", "lz4"],
        "missing": [tmp_path / "missing", other],
        "geometry": [recording, other, "--geometry", "big"],
    }.items():
        done = command("convert", *arguments)
        assert done.returncode == 2, (part, done.stderr)
        assert part in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
    assert other.read_bytes() == b"mine"
    assert len(events(recording)) == 20_000


def test_what_is_before_the_damage_is_written(recording, tmp_path):
    cut, out = tmp_path / "cut.aedat4", tmp_path / "out.raw"
    cut.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    done = command("convert", cut, out)
    assert done.returncode == 2
    assert "byte" in done.stderr
    assert done.stderr.count("\n") == 1
    found = events(out)
    assert 0 < len(found) < 20_000
    assert f"{len(found):,} events" in done.stdout
    assert found == events(recording)[: len(found)]


def test_losses_are_named_by_class(recording, tmp_path):
    done = command("convert", recording, tmp_path / "a.csv", "--geometry", "40x48")
    assert done.returncode == 0, done.stderr
    kept = sum(e[1] < 40 for e in events(recording))
    assert f"{kept:,} events, {20_000 - kept:,} dropped (out_of_bounds" in done.stdout
    assert len((tmp_path / "a.csv").read_text().splitlines()) == kept + 2


@pytest.mark.parametrize("name", ["out.aedat4", "out.npz", "out.raw"])
def test_control_c_finishes_the_file(recording, tmp_path, name):
    code = (
        "import os, signal, sys; from saccade.camera.formats import aedat4, aedat4_events\n"
        "aedat4_events._SPAN_BYTES['lz4'] = 1\n"  # one packet at a time
        "real = aedat4.parts\n"
        "def parts(packet, seen=[]):\n"
        "    seen.append(1)\n"
        "    if len(seen) == 5: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(packet)\n"
        "aedat4.parts = parts\n"
        "from saccade.stream import cli\n"
        "sys.argv = ['saccade', 'convert', *sys.argv[1:]]; cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(recording), str(tmp_path / name)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "")
    assert "2,500 events" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == [name]
    if name == "out.npz":
        assert len(np.load(tmp_path / name)["t"]) == 2500
    else:
        assert events(tmp_path / name) == events(recording)[:2500]


def test_a_terminal_sees_how_far_it_is(recording, tmp_path):
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "saccade", "convert", str(recording), str(tmp_path / "a.csv")],
        stdout=subprocess.PIPE, stderr=theirs, text=True, check=True, timeout=30,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert "% read" in shown
    assert shown.endswith("\r\033[K")
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(recording):
    done = command("convert", recording, "/dev/full", "--format", "aedat4")
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_labels_a_section_and_its_accounts_are_exact(recording, model, tmp_path):
    summary = tmp_path / "summary.json"
    done = command(
        "run", recording, "--model", model, "--window", "50ms", "--speed", "max", "--top", 1,
        "--from", "100ms", "--to", "300ms", "--out", "jsonl:-", "--summary", summary,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["labels"][0] for line in found] == ["right", "right", "top", "top"]
    total = json.loads(summary.read_text())
    assert total["events_in"] == total["events_published"] == 10_000


def test_a_section_loops_and_counts_only_its_own_losses(recording, model):
    geometry = (40, 48)  # the right quarter of the picture is lost
    with saccade.Pipeline(
        recording, model=model, window="50ms", geometry=geometry, start="0.1s", stop="200ms"
    ) as pipeline:
        n = sum(prediction.n_events for prediction in pipeline)
        summary = pipeline.summary
    outside = int((quarters()[1].x >= 40).sum())
    assert n == summary.events_published == 5000 - outside
    # what was read around it counts too: here all that a read of 256 kB found
    assert outside <= summary.dropped["source"] <= sum((p.x >= 40).sum() for p in quarters())
    assert summary.events_in == n + summary.dropped["source"]


@pytest.mark.parametrize(
    ("start", "stop", "us"),
    [(None, None, (0, None)), ("0s", "1s", (0, 1_000_000)), ("0", 5, (0, 5)), (7, None, (7, None))],
)
def test_sections(start, stop, us):
    assert parse_section_us(start, stop) == us


@pytest.mark.parametrize(("start", "stop"), [("-1s", None), (-1, None), (True, None), ("1s", 1)])
def test_what_is_no_section_is_one_line(start, stop):
    with pytest.raises(saccade.SaccadeError, match="from|to"):
        parse_section_us(start, stop)
