"""`saccade teach`: labels from windows of recordings and cameras, as a user does it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.commands import command, refused
from tests.models import make_model
from tests.text_models import make_text_model

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.engines.bank import LabelBank
from saccade.stream.windows import choose_windows


def record(path, left, windows=6, events=500):
    """Windows of 30 ms whose events are all in the left or the right half, a few in a last one."""
    rng = np.random.default_rng(int(left))
    sizes = [*[events] * windows, 5]
    with Aedat4Writer(path, 64, 64, "none") as writer:
        for k, n in enumerate(sizes):
            t = np.sort(rng.integers(30_000 * k, 30_000 * (k + 1), n)).astype("u8")
            x = rng.integers(0, 32, n) + (0 if left else 32)
            y, on = rng.integers(0, 64, n), rng.integers(0, 2, n)
            writer.write(Packet(t, x.astype("u2"), y.astype("u2"), on.astype("?")))
    return path


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teach")
    model = make_model(folder / "m")
    mug, hand = record(folder / "mug.aedat4", True), record(folder / "hand.aedat4", False)
    out = folder / "mine.safetensors"
    done = command(
        "teach", "--label", "mug", mug, "--label", "hand", hand, "--out", out, "--model", model
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder, done.stdout


def test_taught_labels_serve_a_run(taught):
    folder, said = taught
    assert "mug: 6 windows, 10 were wanted" in said
    assert "right on 100% of the windows that were left out" in said
    run = command(
        "run", folder / "hand.aedat4", "--model", folder / "m", "--speed", "max",
        "--labels", folder / "mine.safetensors", "--out", "jsonl:-",
    )  # fmt: skip
    labels = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    best = [each["labels"][0] for each in labels if "labels" in each]
    assert best[:6] == ["hand"] * 6


def test_words_join_and_every_head_serves(taught, tmp_path):
    folder, _ = taught
    model = make_text_model(tmp_path / "m")
    sources = ["--label", "mug", folder / "mug.aedat4", "--label", "hand", folder / "hand.aedat4"]
    for head in ["prototypes", "linear", "cache"]:
        out = tmp_path / f"{head}.safetensors"
        done = command(
            "teach", *sources, "--out", out, "--model", folder / "m", "--head", head, "--json",
            "--labels", "top", "--shots", "3",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        about = json.loads(done.stdout)
        assert about["labels"] == {"mug": 3, "hand": 3}
        assert (about["words"], about["expected"]) == (1, 1.0)
        bank = LabelBank.load(out)
        assert bank.names == ("mug", "hand", "top")
        assert (bank.cache is not None) == (head == "cache")
    joined = command(
        "teach", *sources, "--out", tmp_path / "b", "--model", model, "--labels", "cup, starboard"
    )
    assert joined.returncode == 0, joined.stderr
    bank = LabelBank.load(tmp_path / "b")
    assert bank.cache is not None  # over what the text tower says of "mug"
    refused(
        command(
            "teach", *sources, "--out", tmp_path / "b", "--model", model, "--labels", "cup",
            "--head", "linear",
        ),
        "use --head cache",
    )  # fmt: skip


def test_what_comes_before_damage_teaches(taught, tmp_path):
    folder, _ = taught
    torn, out = tmp_path / "mug.raw", tmp_path / "mine.safetensors"
    assert command("convert", folder / "mug.aedat4", torn).returncode == 0
    torn.write_bytes(torn.read_bytes()[:-1])
    arguments = ["teach", "--label", "mug", torn, "--out", out, "--model", folder / "m"]
    done = command(*arguments, "--count", "50", "--shots", "3")
    assert done.returncode == 0 and "mug: 3 windows" in done.stdout
    [told] = done.stderr.splitlines()
    assert "mug.raw" in told and told.endswith("; learnt from what is before")
    torn.write_bytes(torn.read_bytes().partition(b"% end\n")[0] + b"% end\n\0")
    refused(command(*arguments), "mug.raw")


def test_a_camera_teaches(tmp_path):
    model = make_model(tmp_path / "m")
    out = tmp_path / "mine.safetensors"
    done = command(
        "teach", "--label", "noise", "sim://noise?rate=200k&seconds=5", "--out", out,
        "--model", model, "--shots", "2", "--window", "10ms",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "noise: 2 windows\n" in done.stdout
    short = command(
        "teach", "--label", "noise", "sim://noise?rate=200k&seconds=0.1", "--out", out,
        "--model", model, "--shots", "9", "--window", "10ms",
    )  # fmt: skip
    refused(short, "of 9 windows with events, then it ended")


def test_mistakes_are_one_line(taught, tmp_path):
    folder, _ = taught
    mug = folder / "mug.aedat4"
    out = ["--out", tmp_path / "b", "--model", folder / "m"]
    refused(command("teach", "--label", "a", mug, mug, *out), "1 labels for 2 sources")
    refused(command("teach", "--label", "a", mug, *out, "--shots", "0"), "shots 0")
    refused(command("teach", "--label", " ", mug, *out), "a label is empty")
    away = str(tmp_path / "none" / "x.safetensors")
    refused(command("teach", "--label", "a", mug, "--out", away), "no folder to write it in")
    refused(command("teach", "--label", "a", mug, *out, "--head", "deep"), "head 'deep'")
    refused(command("teach", "--label", "a", tmp_path / "none", *out), "No such file")
    refused(command("teach", "--label", "a", mug, *out[2:], "--out", mug), "this is the recording")
    assert not (tmp_path / "b").exists()


def test_windows_are_spread_over_those_with_something_to_see():
    events = np.array([0, 100, 90, 3, 110, 100, 0, 95, 100])
    assert choose_windows(events, 3).tolist() == [2, 5, 8]
    assert choose_windows(events, 99).tolist() == [1, 2, 4, 5, 7, 8]
    assert choose_windows(np.zeros(4, int), 2).tolist() == []
