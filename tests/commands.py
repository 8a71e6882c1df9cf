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
