"""The README's example runs as it stands."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

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


def test_what_the_readme_names_exists() -> None:
    for name in ("docs/demo.svg", "camera/samples/three_objects.aedat4", "LICENSE"):
        assert (ROOT / name).is_file(), name
