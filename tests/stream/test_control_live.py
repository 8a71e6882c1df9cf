"""Words changed from other processes while `saccade run` labels: nothing is lost, nothing mixed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.commands import command

import saccade
from saccade.stream.wire import LabelHeader, VocabularyHeader

CHANGES = 300
#: Sets one of four lists of words again and again; prints what each revision holds.
CHANGER = """
import json, sys, saccade
lists = [["left", "right"], ["top"], ["bottom", "left", "top"], ["right", "bottom"]]
found = {}
with saccade.Control(sys.argv[1]) as control:
    for n in range(int(sys.argv[2])):
        reply = control.set_labels(lists[n % 4])
        found[reply.vocabulary_rev] = reply.labels
    slices = control.status().status.slices
print(json.dumps({"words": found, "slices": slices}))
"""


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "saccade", "run", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_hundreds_of_changes_in_thousands_of_slices(
    model: Path, recording: Path, tmp_path: Path
) -> None:
    lines, summary = tmp_path / "lines.jsonl", tmp_path / "summary.json"
    address, door = f"ipc://{tmp_path}/labels", f"ipc://{tmp_path}/control"
    options = ("--window", "100us", "--speed", "max", "--loop", "--top", 4)
    with (
        running(
            recording, "--model", model, "--labels", "left, right", *options,
            "--out", address, "--out", f"jsonl:{lines}", "--control", door, "--summary", summary,
        ) as process,
    ):  # fmt: skip
        wait_for(lines, process)
        changer = subprocess.run(
            [sys.executable, "-c", CHANGER, door, str(CHANGES)],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        # Who comes late gets the words of then; those of the last change with their first slice.
        with saccade.Subscriber(address, ("vocabulary/",), timeout_s=20) as late:
            while (newest := late.receive()) is not None:
                assert isinstance(newest.header, VocabularyHeader)
                if newest.header.rev == CHANGES:
                    break
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    made = json.loads(changer.stdout)
    words = {0: ["left", "right"], **{int(rev): found for rev, found in made["words"].items()}}
    assert list(words) == list(range(CHANGES + 1))
    assert newest is not None
    assert isinstance(newest.header, VocabularyHeader)
    assert (newest.header.rev, newest.header.labels) == (CHANGES, words[CHANGES])
    check_lines(lines, words)
    total = json.loads(summary.read_text())
    assert sum(total["dropped"].values()) == 0
    assert total["slices"] == total["labels"] == len(lines.read_text().splitlines())
    assert total["events_published"] == total["events_in"]


def check_lines(path: Path, words: dict[int, list[str]]) -> None:
    """No slice is missing, none is scored by words of two revisions, and no revision falls."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(found) > 1000
    assert [line["seq"] for line in found] == list(range(len(found)))
    assert all(set(line["labels"]) == set(words[line["vocabulary_rev"]]) for line in found)
    revs = [line["vocabulary_rev"] for line in found]
    assert revs == sorted(revs)
    assert revs[-1] == CHANGES
    assert len(set(revs)) > CHANGES / 10


def test_a_vocabulary_comes_before_the_labels_that_use_it(
    model: Path, recording: Path, tmp_path: Path
) -> None:
    address, door = f"ipc://{tmp_path}/labels", f"ipc://{tmp_path}/control"
    options = ("--window", "1ms", "--loop", "--top", 4, "--wait-for", 1, "--speed", "1.0")
    seen: dict[int, list[str]] = {}
    labels = 0
    with (
        saccade.Subscriber(address, ("vocabulary/", "label/"), timeout_s=20) as subscriber,
        running(
            recording, "--model", model, *options, "--out", address, "--control", door
        ) as process,
        saccade.Control(door, timeout_s=30) as control,
    ):
        control.hello()
        for message in subscriber:
            header = message.header
            if isinstance(header, VocabularyHeader):
                assert header.rev > max(seen, default=-1)
                seen[header.rev] = header.labels
            elif isinstance(header, LabelHeader) and seen:
                assert header.vocabulary_rev == max(seen)
                assert set(header.labels) == set(seen[header.vocabulary_rev])
                labels += 1
                if labels % 10 == 0:
                    control.set_labels(["left", "right", "top", "bottom"][: 1 + labels // 10 % 4])
            if labels == 200:
                break
        process.terminate()
        assert process.wait(20) == 0
    assert len(seen) > 10


def test_the_commands(model: Path, recording: Path, tmp_path: Path) -> None:
    door = f"ipc://{tmp_path}/control"
    with running(
        recording, "--model", model, "--loop", "--out", f"jsonl:{tmp_path}/l", "--control", door
    ) as process:
        wait_for(tmp_path / "l", process)
        at = ("--address", door)
        done = command("control", "set-labels", "cup = left | top, right", *at)
        assert (done.stdout, done.stderr) == ("2 labels in use, revision 1: cup, right\n", "")
        status = command("control", "status", *at).stdout
        assert re.search(r"2 words, revision 1\n", status)
        assert "dropped: nothing" in status
        found = json.loads(command("control", "status", "--json", *at).stdout)
        assert (found["vocabulary_rev"], found["status"]["stream"]) == (1, "cam")
        assert "model halves" in command("control", "hello", *at).stdout
        assert json.loads(command("control", "hello", "--json", *at).stdout)["width"] == 64
        assert "that is ours plus" in command("control", "time", *at).stdout
        assert json.loads(command("control", "time", "--json", *at).stdout)["sent_ns"] > 0
        refused = command("control", "set-labels", "dog", *at)
        assert refused.returncode == 2
        assert refused.stderr.startswith("error: label 'dog': not in the bank")
        assert refused.stderr.count("\n") == 1
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert f"to {door} (control)" in out
    nobody = command("control", "status", *at, "--timeout", "0.1")
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)
    assert "no answer in 0.1 s" in nobody.stderr


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--control", "zmq://0.0.0.0:5558"), "give keys (CURVE"),
        (("--control", "5558"), "not scheme://host:port"),
        (("--smooth", "200ms", "--vote", "3"), "both given"),
        (("--scores", "logits"), "--scores"),
        (("--unknown", "7"), "unknown 7.0"),
        (("--template", "none"), "none"),
    ],
)
def test_wrong_options_are_one_line(
    model: Path, recording: Path, option: tuple[str, ...], message: str
) -> None:
    done = command("run", recording, "--model", model, *option)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_words_that_no_message_can_hold_are_refused_before_the_run(
    model: Path, recording: Path, tmp_path: Path
) -> None:
    long = tmp_path / "long.txt"
    long.write_text(f"{'x' * 65_000} = left\nright\n")
    address = f"ipc://{tmp_path}/labels"
    done = command("run", recording, "--model", model, "--out", address, "--labels", long)
    assert done.returncode == 2
    assert "use fewer labels" in done.stderr
    assert done.stderr.count("\n") == 1


def test_groups_unknown_and_cosines_are_shown(model: Path, recording: Path) -> None:
    done = command(
        "run", recording, "--model", model, "--speed", "max", "--window", "100ms",
        "--labels", "side: left, right; top", "--scores", "cosine", "--unknown", "0.6",
        "--out", "jsonl:-",
    )  # fmt: skip
    first, _, top, bottom = (json.loads(line) for line in done.stdout.splitlines())
    assert first["labels"][0] == "left"
    assert first["groups"] == ["side", "top"]
    assert bottom["labels"][0] == bottom["groups"][0] == "unknown"
    assert re.search(r"s  left 0\.\d{3}  top .*\[side 0\.\d{3}\]", done.stderr)
    assert top["group_scores"][0] == pytest.approx(top["scores"][0])
