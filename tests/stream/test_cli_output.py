"""Output that cannot be written: no reader, no room, no such letter; in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.commands import command
from tests.recordings import quarters

from saccade.camera.formats.aedat4_writer import Aedat4Writer

WRITERS = (
    ["run", "RECORDING", "--model", "MODEL", "--speed", "max"],
    ["run", "RECORDING", "--model", "MODEL", "--speed", "max", "--out", "jsonl:-"],
    ["inspect", "RECORDING"],
    ["inspect", "RECORDING", "--json"],
    ["labels", "show", "--model", "MODEL"],
    ["--help"],
)


@pytest.fixture(params=WRITERS, ids=" ".join)
def writer(request, recording, model) -> list[str]:
    """A command that writes to its standard output."""
    known = {"RECORDING": str(recording), "MODEL": str(model)}
    return [sys.executable, "-m", "saccade", *(known.get(each, each) for each in request.param)]


@pytest.mark.parametrize("lines", [0, 1])
def test_a_reader_that_leaves_ends_it_quietly(writer, lines):
    reader, ours = os.pipe()
    with os.fdopen(reader) as output:
        if not lines:  # `| true`: gone before anything is written
            output.close()
        process = subprocess.Popen(writer, stdout=ours, stderr=subprocess.PIPE, text=True)
        os.close(ours)
        if lines:  # `| head -1`
            output.readline()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    if "jsonl:-" not in writer:  # then the table is on stderr
        assert err == ""
    assert "Traceback" not in err
    assert "Exception" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_to_a_full_disk_is_one_line(writer):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            writer, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr.splitlines()[-1]
    if "jsonl:-" not in writer:
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1


def test_what_the_terminal_cannot_encode_is_written_out(recording, model, tmp_path):
    named = tmp_path / "é☃.aedat4"
    named.write_bytes(recording.read_bytes())
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = command("run", named, "--model", model, "--speed", "max", env=ascii_only)
    assert done.returncode == 0, done.stderr
    assert "\\xe9\\u2603.aedat4" in done.stdout
    done = command("run", named, "--model", "☃", env=ascii_only)
    assert done.returncode == 2
    assert "\\u2603" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_sensor_with_escapes_is_shown_as_it_is(tmp_path):
    path = tmp_path / "forged.aedat4"
    with Aedat4Writer(path, 64, 48, source="DVX\x9b2J\u202e9") as writer:  # all that XML may hold
        writer.write(quarters()[0])
    for options in ([], ["--json"]):
        done = command("inspect", path, *options)
        assert "DVX\\u009b2J\\u202e9" in done.stdout
        assert done.stdout.replace("\n", "").isprintable()
    assert json.loads(done.stdout)["sensor"] == "DVX\x9b2J\u202e9"


def test_a_closed_output_is_no_fault(recording):
    quiet = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "saccade"]
    done = subprocess.run(
        [*quiet, "inspect", recording], stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("group", ["labels", "models", "engine", "control"])
def test_a_groups_name_alone_shows_its_help(group):
    done = command(group)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: ")
    assert f" {group} [OPTIONS] COMMAND" in done.stderr
    assert "error:" not in done.stderr
