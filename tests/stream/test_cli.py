"""The command line as a user meets it: in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import command
from tests.models import make_model

import saccade


def test_run_writes_lines_and_a_summary(recording, model, tmp_path):
    summary, lines = tmp_path / "summary.json", tmp_path / "labels.jsonl"
    done = command(
        "run", recording, "--model", model, "--window", "50ms", "--speed", "max", "--top", 2,
        "--out", f"jsonl:{lines}", "--out", "jsonl:-", "--summary", summary,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == lines.read_text()
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["labels"][0] for line in found[::2]] == ["left", "right", "top", "bottom"]
    first = found[0]
    assert {"seq", "t_begin_us", "t_end_us", "n_events", "labels", "scores", "timing"} <= set(first)
    assert (first["width"], first["height"], first["model"]) == (64, 48, "halves")
    total = json.loads(summary.read_text())
    assert set(total) == {
        "events_in", "events_published", "dropped", "slices", "labels", "latency_us", "seconds",
        "filtered",
        "saturated",
    }  # fmt: skip
    assert set(total["latency_us"]) == {"p50", "p90", "p99", "max"}
    assert total["events_in"] == total["events_published"] == 20_000
    assert "20,000 events in, 20,000 published, 0 dropped" in done.stderr


def test_three_runs_are_equal_but_for_their_timing(recording, model):
    runs = []
    for _ in range(3):
        done = command(
            "run", recording, "--model", model, "--window", "7ms", "--speed", "max",
            "--out", "jsonl:-",
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        runs.append([{k: v for k, v in line.items() if k != "timing"} for line in lines])
    assert len(runs[0]) == 58
    assert runs[0] == runs[1] == runs[2]


def test_a_listener_in_another_process_receives_every_label(recording, model, free_port):
    address = f"zmq://127.0.0.1:{free_port}"
    listener = subprocess.Popen(
        [sys.executable, "-m", "saccade", "listen", address, "--json", "--until-end",
         "--timeout", "30"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    done = command(
        "run", recording, "--model", model, "--window", "5ms", "--speed", "max", "--out", address,
        "--wait-for", 1,
    )  # fmt: skip
    out, err = listener.communicate(timeout=40)
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in out.splitlines()]
    assert [m["seq"] for m in messages] == list(range(80))
    assert messages[0]["topic"] == "label/cam/"
    assert messages[0]["labels"][0] == "left"
    assert "80 labels, 0 missing" in err


def test_inspect_says_what_is_there(recording):
    done = command("inspect", recording, "--json")
    found = json.loads(done.stdout)
    wanted = {
        "format", "sensor", "width", "height", "n", "n_on", "t_first", "t_last", "duration_us",
        "sum_x", "sum_y", "sum_t", "dropped", "rate", "size",
        "backward_steps", "skipped", "streams",
    }  # fmt: skip
    assert set(found) == wanted
    assert found["size"] == f"{found['width']}x{found['height']}"
    assert (found["format"], found["n"], found["width"]) == ("aedat4", 20_000, 64)
    assert "20,000" in command("inspect", recording).stdout


def test_inspect_counts_up_to_the_damage_then_says_where(recording, tmp_path):
    cut = tmp_path / "cut.aedat4"
    cut.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    done = command("inspect", cut, "--json")
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert 0 < found["n"] < 20_000
    assert found["error_offset"] == cut.stat().st_size
    assert done.stderr.strip().endswith(found["error"])
    assert found["streams"] == [{"kind": "events", "name": "events", "count": found["n"]}]
    assert "byte" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_labels_show_lists_the_bank(model):
    assert command("labels", "show", "--model", model).stdout.split() == [
        "left", "right", "top", "bottom",
    ]  # fmt: skip


def bad_inputs(folder: Path, recording: Path, model: Path) -> dict[str, list[object]]:
    """Arguments of `saccade run` that must be refused, by a part of the message."""
    (folder / "empty.aedat4").touch()
    (folder / "noise.raw").write_bytes(os.urandom(4096).replace(b"%", b"x"))
    (folder / "words.txt").write_text("# nothing\n")
    other = make_model(folder / "other")
    (other / "model.onnx").write_bytes(b"other")
    run: list[object] = ["run", recording, "--model", model]
    return {
        "missing.aedat4": ["run", folder / "missing.aedat4", "--model", model],
        "directory": ["run", folder, "--model", model],
        "empty": ["run", folder / "empty.aedat4", "--model", model],
        "known": ["run", folder / "noise.raw", "--model", model],
        "window 0": [*run, "--window", "0"],
        "cannot be read": [*run, "--labels", folder / "no.txt"],
        "words.txt": [*run, "--labels", folder / "words.txt"],
        "labels ''": [*run, "--labels", ""],
        "sha256": ["run", recording, "--model", other],
        "output 'udp://x'": [*run, "--out", "udp://x"],
        "port": [*run, "--out", "zmq://127.0.0.1:99999"],
        "0.0.0.0": [*run, "--out", "zmq://0.0.0.0:5556"],
        "geometry": [*run, "--geometry", "big"],
        "nowhere": [*run, "--summary", folder / "nowhere" / "summary.json"],
        "speed": [*run, "--speed", "-1"],
        "0.001 to 1000": [*run, "--speed", "1e-300"],
        "wait-for -1": [*run, "--wait-for", "-1"],
        "stream 'a b'": [*run, "--stream", "a b"],
        "timeout nan": ["listen", "--timeout", "nan"],
        "timeout -1": ["listen", "--timeout", "-1"],
        "count -1": ["listen", "--count", "-1"],
        "'--count'": [*run, "--count", "x"],
        "saccade run --help`": ["run"],
        "'--frame'": [*run, "--frame", "blue"],
        "No such option": [*run, "--colour"],
        "No such command": ["walk"],
        "lines": ["run", "two\nlines", "--model", model],
        "'dog'": [*run, "--labels", "dog"],
    }


def test_bad_input_is_one_line_and_exit_2(tmp_path, recording, model):
    for part, arguments in bad_inputs(tmp_path, recording, model).items():
        done = command(*arguments)
        assert done.returncode == 2, (part, done.stderr)
        assert part in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1, done.stderr


def test_control_c_is_130_and_quiet(recording):
    code = (
        "import sys; from saccade.stream import cli, report\n"
        "def interrupted(*_, **__): raise KeyboardInterrupt\n"
        "report.inspect_file = interrupted\n"
        "sys.argv = ['saccade', 'inspect', 'x']\n"
        "cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_dropped_events_are_exit_3_where_asked(recording, model, tmp_path):
    code = (
        "import sys; from saccade.stream import cli, run\n"
        "run.run_source = lambda options: 7\n"
        "sys.argv = ['saccade', 'run', 'x', *sys.argv[1:]]\n"
        "cli.main()"
    )
    for option, wanted in (([], 0), (["--fail-on-drop"], 3)):
        done = subprocess.run(
            [sys.executable, "-c", code, *option],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        assert done.returncode == wanted
        assert ("7 events were dropped" in done.stderr) == bool(option)


def test_a_damaged_recording_is_labelled_up_to_the_damage(recording, model, tmp_path):
    damaged = tmp_path / "damaged.aedat4"
    damaged.write_bytes(recording.read_bytes()[: recording.stat().st_size // 2])
    done = command("run", damaged, "--model", model, "--speed", "max", "--out", "jsonl:-")
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) > 3
    assert "byte " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line_after_the_summary(recording, model):
    done = command("run", recording, "--model", model, "--out", "jsonl:/dev/full")
    assert done.returncode == 2
    assert "0 lines were written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "events in" in done.stdout


def test_a_port_in_use_is_one_line(recording, model, free_port):
    address = f"zmq://127.0.0.1:{free_port}"
    with saccade.Publisher(address):
        done = command("run", recording, "--model", model, "--out", address)
    assert done.returncode == 2
    assert str(free_port) in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_imports_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv = ['saccade', '--help']\n"
        "try: runpy.run_module('saccade', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(sorted({'numpy', 'onnxruntime', 'zmq', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip().endswith("[]")
