"""`saccade embed`: each slice exactly once, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.commands import command, refused
from tests.recordings import write_quarters

import saccade
from saccade.camera.errors import SaccadeError
from saccade.stream.embed_files import sole_writer
from saccade.stream.embed_run import EmbedOptions
from saccade.stream.embed_run import embed as run_embed
from saccade.stream.embedding import EmbedSettings

pytest.importorskip("pyarrow", reason="Parquet needs pyarrow (extra scale)")
from pyarrow import parquet

SLOW_PARTS_US = 60_000_000  # of a recording whose embedding takes seconds: 8,000 slices


@pytest.fixture
def archive(recording, tmp_path):
    """Two recordings, one in a folder, and a file that is none."""
    folder = tmp_path / "archive"
    (folder / "day 1").mkdir(parents=True)
    shutil.copy(recording, folder / "a.aedat4")
    write_quarters(folder / "day 1" / "b.aedat4", 50_000, 2000)
    (folder / "notes.md").write_text("# what was recorded\n")
    return folder


def embed(archive, model, *more):
    return command("embed", archive, "--out", archive.parent / "out", "--model", model, *more)


def rows(archive, name):
    return parquet.read_table(archive.parent / "out" / f"{name}.parquet").to_pylist()


def index(archive):
    return json.loads((archive.parent / "out" / "index.json").read_text())


def parts(archive):
    return [*(archive.parent / "out").rglob("*.part")]


def check_slices(archive, model, name, **settings):
    """The file of a recording has what a `Pipeline` says of it, slice by slice."""
    found = rows(archive, name)
    with saccade.Pipeline(archive / name, model=model, **settings) as pipeline:
        wanted = [*pipeline]
    assert len(found) == len(wanted)
    for row, one in zip(found, wanted, strict=True):
        window = one.t_begin_us, one.t_end_us, one.n_events
        assert (row["t_begin_us"], row["t_end_us"], row["n_events"]) == window
        np.testing.assert_allclose(row["embedding"], one.embedding, atol=1e-6)
        assert tuple(row["labels"]) == one.labels
        np.testing.assert_allclose(row["scores"], one.scores, atol=1e-6)


def test_slices_are_those_of_a_pipeline_and_are_done_once(archive, model):
    done = embed(archive, model, "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "left out, for they are no recordings: 1 (notes.md)\n"
    names = ["a.aedat4", "day 1/b.aedat4"]
    for name in names:
        check_slices(archive, model, name)
    totals = json.loads(done.stdout)
    assert (totals["embedded"], totals["kept"], totals["events"]) == (2, 0, 28_000)
    assert totals["slices"] == sum(len(rows(archive, name)) for name in names)
    assert [file["recording"] for file in index(archive)["files"]] == names
    assert index(archive)["left_out"] == ["notes.md"]
    about = parquet.read_metadata(archive.parent / "out" / "a.aedat4.parquet").metadata
    assert about[b"saccade.format"] == b"aedat4"
    assert about[b"saccade.space"] == b"halves/1"
    assert json.loads(about[b"saccade.labels"]) == ["left", "right", "top", "bottom"]
    # Again: only what changed, and what was half-written.
    write_quarters(archive / "a.aedat4", 20_000, 1000)
    half = archive.parent / "out" / "day 1" / ".c.aedat4.parquet.host-1.part"
    half.write_bytes(b"PAR1")
    again = embed(archive, model, "--workers", "1", "--json")
    assert again.returncode == 0, again.stderr
    totals = json.loads(again.stdout)
    assert (totals["embedded"], totals["kept"], totals["events"]) == (1, 1, 12_000)
    check_slices(archive, model, "a.aedat4")
    assert not parts(archive)


def test_other_settings_are_refused_or_done_again(archive, model):
    assert embed(archive, model, "--workers", "1").returncode == 0
    other = "--count", "3000", "--labels", "left,right", "--float16", "--workers", "1"
    refused(embed(archive, model, *other), "a.aedat4.parquet: made with other settings", "--again")
    assert len(rows(archive, "a.aedat4")) == 14
    assert embed(archive, model, *other, "--again").returncode == 0
    found = rows(archive, "a.aedat4")
    assert [row["n_events"] for row in found] == [*[3000] * 6, 2000]
    assert found[0]["labels"] == ["left", "right"]
    file = archive.parent / "out" / "a.aedat4.parquet"
    assert str(parquet.read_schema(file).field("embedding").type.value_type) == "halffloat"
    file.write_bytes(b"mine")
    refused_here("not a Parquet file.*move it away", archive, model)


def test_one_bad_recording_does_not_stop_the_others(archive, model):
    whole = (archive / "a.aedat4").read_bytes()
    (archive / "a.aedat4").write_bytes(whole[: len(whole) // 2])
    (archive / "empty_header.aedat4").write_bytes(whole[:20])
    (archive / "gone").symlink_to("nowhere")
    for _ in range(2):
        done = embed(archive, model, "--workers", "1")
        assert done.returncode == 2
        assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 3
        assert "Traceback" not in done.stderr
        found = index(archive)
        assert (found["recordings"], found["damaged"], found["failed"]) == (2, 1, 2)
        assert {each["recording"] for each in found["failures"]} == {"empty_header.aedat4", "gone"}
        assert "byte" in found["files"][0]["damage"]
        kept = rows(archive, "a.aedat4")
        assert 0 < sum(row["n_events"] for row in kept) == found["files"][0]["events"] < 20_000
        check_slices(archive, model, "day 1/b.aedat4")
        assert not (archive.parent / "out" / "empty_header.aedat4.parquet").exists()
    assert found["kept"] == 2


def refused_here(text, archive, model, out=None, workers=None, ray=None, **settings):
    options = EmbedOptions(
        archive, out or archive.parent / "out", EmbedSettings(str(model), **settings), workers, ray
    )
    with pytest.raises(SaccadeError, match=text):
        run_embed(options)


def test_bad_arguments_are_one_line(archive, model):
    refused_here("no folder", archive / "no", model)
    refused_here("name another", archive, model, out=archive)
    refused_here("must be at least 1", archive, model, workers=0)
    refused_here("not both", archive, model, count=5, window="30ms")
    refused(embed(archive, model, "--labels", "cat"), "cat")
    assert not (archive.parent / "out").exists()
    (archive.parent / "out").mkdir()
    with sole_writer(archive.parent / "out"):
        refused_here("another `saccade embed` writes there", archive, model)


def test_what_is_missing_says_what_to_install(archive, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    refused_here(r"pip install 'saccade\[scale\]'", archive, model, ray="local")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    refused_here(r"pip install 'saccade\[scale\]'", archive, model)


@contextlib.contextmanager
def running(archive, model, *more):
    """The command at work, in a group of its own."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "saccade", "embed", str(archive), "--out",
            str(archive.parent / "out"), "--model", str(model), "--json", *more,
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def worker_at_work(archive, process, but=()) -> int:
    """The pid of a worker that has a recording in hand: its part file is named after it."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        for part in parts(archive):
            pid = int(part.name.removesuffix(".part").rpartition("-")[2])
            if pid not in but:
                return pid
        time.sleep(0.01)
    raise AssertionError(f"no worker began: {process.communicate(timeout=1)}")


@pytest.fixture
def slow_archive(archive):
    """A third recording, which takes a worker seconds."""
    write_quarters(archive / "slow.aedat4", SLOW_PARTS_US, 2000)
    return archive


def test_a_killed_worker_is_told_and_its_recording_done_once(archive, slow_archive, model):
    (archive / "a.aedat4").unlink()
    shutil.rmtree(archive / "day 1")
    with running(archive, model, "--workers", "2") as process:
        os.kill(worker_at_work(archive, process), signal.SIGKILL)
        out, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "slow.aedat4: its worker killed by SIGKILL; it is tried again" in told
    assert json.loads(out)["slices"] == len(rows(archive, "slow.aedat4"))
    check_slices(archive, model, "slow.aedat4")
    assert not parts(archive)


def test_a_recording_that_kills_its_workers_fails_and_the_rest_goes_on(slow_archive, model):
    with running(slow_archive, model, "--workers", "1") as process:
        (slow_archive / "a.aedat4").replace(slow_archive / "z.aedat4")
        killed = set()
        while len(killed) < 2:
            pid = worker_at_work(slow_archive, process, killed)
            if not [*(slow_archive.parent / "out").glob(".slow.*.part")]:
                continue
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "slow.aedat4: its worker killed by SIGKILL, 2 times" in told
    assert [each["recording"] for each in index(slow_archive)["failures"]] == ["slow.aedat4"]


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_a_signal_finishes_what_is_in_hand_and_a_second_drops_it(
    slow_archive, model, number, times
):
    for name in ["a.aedat4", "day 1/b.aedat4"]:
        (slow_archive / name).replace(slow_archive / f"z{Path(name).name}")
    with running(slow_archive, model, "--workers", "1") as process:
        worker_at_work(slow_archive, process)
        for _ in range(times):
            os.kill(process.pid, number)
            time.sleep(0.05)  # two at once may be one
        out, told = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), told
    assert "finishing the recordings in hand" in told
    made = [path.name for path in (slow_archive.parent / "out").rglob("*.parquet")]
    assert made == ["slow.aedat4.parquet"] * (times == 1)
    assert not parts(slow_archive)


def test_a_cluster_loses_a_worker_and_no_slice(slow_archive, model):
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed (extra scale)")
    refused(embed(slow_archive, model, "--ray", "127.0.0.1:1"), "nobody answers")
    with running(slow_archive, model, "--workers", "2", "--ray", "local") as process:
        os.kill(worker_at_work(slow_archive, process), signal.SIGKILL)
        out, told = process.communicate(timeout=100)
    assert process.returncode == 0, told
    assert json.loads(out)["embedded"] == 3
    for name in ["a.aedat4", "day 1/b.aedat4", "slow.aedat4"]:
        check_slices(slow_archive, model, name)
    assert not parts(slow_archive)
