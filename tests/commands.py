"""The `saccade` command in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def command(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Runs `saccade ARGUMENTS` to its end; nothing is raised for its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "saccade", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def refused(done, *texts):
    """It ended with exit code 2 and one line that says all of this, beside what it was doing."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for text in texts:
        assert text in lines[0]
