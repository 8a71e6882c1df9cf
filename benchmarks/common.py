"""What every benchmark needs: the machine in words, timing, records."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
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


def compare_command(
    name: str,
    about: str | None,
    measure: Callable[[Path, float, str | None, int], dict[str, Any]],
    table: Callable[[dict[str, Any]], str],
    share: float = 1.0,
    rounds: int = 5,
) -> None:
    """A benchmark beside rivals as a command: its record and, if asked for, its table in README.md.

    Args:
        name: of the record.
        about: what `--help` says.
        measure: gives the record's content, from a folder for its files, the share, the rivals'
            interpreter (None: without them) and the rounds.
        table: makes the README's table of the record.
        share, rounds: what they are unless the command line says otherwise.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rivals", help="the interpreter of the rivals' environment")
    parser.add_argument("--share", type=float, default=share, help="of the scenes' durations")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--readme", action="store_true", help="write the table in README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        content = measure(Path(folder), options.share, options.rivals, options.rounds)
    path = write_record(name, content)
    if options.readme:
        write_readme(name, table(json.loads(path.read_text())))
    print(path.relative_to(ROOT))


def write_record(name: str, content: dict[str, Any]) -> Path:
    """Writes `benchmarks/records/NAME.json`."""
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **content}, indent=1) + "\n")
    return path


def write_readme(script: str, table: str) -> None:
    """Puts the figures of benchmarks/SCRIPT.py between their markers in the README or a guide."""
    mark = f"<!-- figures: written by benchmarks/{script}.py --readme -->\n"
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        head, found, rest = path.read_text().partition(mark)
        _, end, tail = rest.partition("<!-- end of figures -->")
        if found and end:
            path.write_text(f"{head}{mark}{table}\n{end}{tail}")
            return
    raise SystemExit(f"no page has a place for the figures of benchmarks/{script}.py")
