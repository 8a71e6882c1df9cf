"""Benchmarks that reach into the program still fit it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_overhead_of_a_label_is_measured_for_every_slice() -> None:
    command = [sys.executable, "-m", "benchmarks.engine_ours", "overhead", "saccade-mini", "fp32"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    slices = len(found["overhead_us"])
    assert slices > 20 and len(found["session_us"]) == len(found["label_us"]) == slices
    assert min(found["session_us"]) > 0
