"""The README's examples run as they stand."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import command

ROOT = Path(__file__).parents[1]


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    example = re.search(
        r"In Python:\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    assert example is not None
    assert len(example[1].strip().splitlines()) <= 10
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example[1], "README.md", "exec"), {})
    lines = out.getvalue().splitlines()
    assert len(lines) > 50
    assert lines[-1].endswith("labels")


def changing_words() -> tuple[str, str, str]:
    """The section's commands, its client and its pipeline."""
    page = (ROOT / "docs" / "labels.md").read_text()
    section = page.partition("## Change the words while it runs")[2]
    commands, client, pipeline = re.findall(r"```(?:python)?\n(.*?)```", section, re.S)[:3]
    return commands, client, pipeline


def test_words_change_in_the_program_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(changing_words()[2], "README.md", "exec"), {})
    found = [line.split(maxsplit=1) for line in out.getvalue().splitlines()]
    assert {word for rev, word in found if rev == "0"} <= {"cup", "chair"}
    assert {word for rev, word in found if rev == "1"} <= {"motorbike", "umbrella"}
    assert [rev for rev, _ in found] == sorted(rev for rev, _ in found)
    assert found[-1][0] == "1"


def test_words_change_from_another_program(free_port: int) -> None:
    commands, client, _ = (text.replace("5558", str(free_port)) for text in changing_words())
    door = ["--address", f"zmq://127.0.0.1:{free_port}"]
    run, *others = (shlex.split(line)[1:] for line in commands.splitlines())
    run[run.index("REC")] = str(ROOT / "camera/samples/three_objects.aedat4")
    process = subprocess.Popen(
        [sys.executable, "-m", "saccade", *run], stdout=subprocess.PIPE, text=True
    )
    try:
        set_labels, status = (command(*each, *door) for each in others)
        assert "3 labels in use, revision 1: umbrella, motorbike, chair" in set_labels.stdout
        assert "3 words, revision 1" in status.stdout
        done = subprocess.run(
            [sys.executable, "-c", client], capture_output=True, text=True, check=True, timeout=60
        )
        assert re.fullmatch(r"revision 2 after \d+ labels\n", done.stdout)
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert f"to zmq://127.0.0.1:{free_port} (control)" in out


def test_what_the_pages_link_to_exists() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text()
        assert text.count("```") % 2 == 0, page
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
        headings = {
            re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        anchors = {*re.findall(r"\]\(#([^)]+)\)", text)}
        assert anchors <= headings, f"{page.name}: {anchors - headings}"
