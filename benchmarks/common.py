"""What every benchmark needs: the machine in words, timing, records."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benchmarks" / "records"


def machine() -> dict[str, Any]:
    """The processor, the versions and the revision that a figure belongs to."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    changed = [*git[:3], "status", "--porcelain", "--untracked-files=no"]
    if subprocess.run(changed, capture_output=True, text=True, check=False).stdout.strip():
        revision += "+"  # and what is not committed
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "onnxruntime": version("onnxruntime"),
        "numpy": version("numpy"),
        "revision": revision,
    }


def median_seconds(work: Callable[[], object], runs: int = 5) -> float:
    """Median wall seconds of `work`, after one run that does not count."""
    work()
    times: list[float] = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def write_record(name: str, content: dict[str, Any]) -> Path:
    """Writes `benchmarks/records/NAME.json`."""
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **content}, indent=1) + "\n")
    return path


def write_readme(script: str, table: str) -> None:
    """Puts the figures of benchmarks/SCRIPT.py between their markers in the README."""
    path = ROOT / "README.md"
    mark = f"<!-- figures: written by benchmarks/{script}.py --readme -->\n"
    head, found, rest = path.read_text().partition(mark)
    _, end, tail = rest.partition("<!-- end of figures -->")
    if not (found and end):
        raise SystemExit(f"README.md has no place for the figures of benchmarks/{script}.py")
    path.write_text(f"{head}{mark}{table}\n{end}{tail}")
