"""A frame every 10 ms, beside what users of other libraries write, on the same files in one run.

`python -m benchmarks.frames --rivals PYTHON [--share 0.25] [--readme]` makes its files (see
decode.py), turns each into frames with saccade (kind `paper`, 224x224, counting on the encoder's
and on the sensor's grid) and with the rivals (count / (largest + 1) at the sensor's size, not
resized), and writes `benchmarks/records/frames.json`. PYTHON is the interpreter of the rivals'
environment (see decode.py).

Million events per second of CPU time, one thread, medians over the rounds, page cache warm; a
frame without events in microseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.common import compare_command
from benchmarks.decode import SCENES, make_large
from benchmarks.turns import best, compare, take_turns

WINDOW_US = 10_000
COUNTINGS = ("encoder", "sensor")
#: By format: who makes frames of such files; no rival reads EVT2.1.
RIVALS = {
    "evt3": ("faery_bincount", "expelliarmus_bincount", "eventcv"),
    "evt2": ("faery_bincount", "expelliarmus_bincount", "eventcv"),
    "evt21": (),
    "aedat4-lz4": ("dv_edge_map", "dv_accumulator", "faery_bincount", "eventcv"),
}
MEMORY_RIVALS = ("numpy_add_at", "numpy_bincount", "dv_edge_map")
EMPTY_RIVALS = ("numpy_bincount", "dv_edge_map")


def commands(
    task: str, path: Path, size: str, rivals: tuple[str, ...], python: str | None
) -> dict[str, list[str]]:
    """By reader: the command that does the task once to warm up, and again for at least 0.3 s."""
    ours = [sys.executable, "-m", "benchmarks.frame_ours", task, str(path), str(WINDOW_US)]
    found = {f"saccade_{counting}": [*ours, counting] for counting in COUNTINGS}
    if task == "file" and path.suffix == ".aedat4":  # whose wall time is of interest
        found |= {f"{name}_two_threads": [*words, "2"] for name, words in found.items()}
    if python:
        theirs, sides = Path(__file__).with_name("frame_rivals.py"), size.split("x")
        for reader in rivals:
            found[reader] = [python, str(theirs), task, reader, str(path), str(WINDOW_US), *sides]
    return found


def measure(folder: Path, share: float, python: str | None, rounds: int) -> dict[str, Any]:
    """All readers on all files."""
    out: dict[str, Any] = {"share": share, "window_us": WINDOW_US, "scenes": {}}
    for size, scene in SCENES.items():
        paths = make_large(folder, size, scene, share, tuple(RIVALS))
        table: dict[str, Any] = {}
        for name, path in paths.items():
            table[name] = compare(commands("file", path, size, RIVALS[name], python), rounds)
            print(size, name, json.dumps(table[name]), flush=True)
        # Which format the events come from does not matter; dv reads but this one.
        path = paths["aedat4-lz4"]
        table["memory"] = compare(commands("memory", path, size, MEMORY_RIVALS, python), rounds)
        empty = commands("empty", path, size, EMPTY_RIVALS, python)
        table["empty_us"] = empty_us(empty, rounds)
        print(size, json.dumps({name: table[name] for name in ("memory", "empty_us")}), flush=True)
        out["scenes"][size] = table
        for path in paths.values():
            path.unlink()
    return out


def empty_us(commands: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """CPU microseconds of a frame without events, by reader."""
    return {
        reader: runs[-1].get("failed")
        or round(
            1e6 * statistics.median(statistics.median(r["cpu_s"]) / r["frames"] for r in runs), 2
        )
        for reader, runs in take_turns(commands, rounds).items()
    }


def readme_table(record: dict[str, Any]) -> str:
    """The record as the README shows it."""
    sizes = list(record["scenes"])
    heads = [f"{size}: encoder's grid / sensor's grid / best rival" for size in sizes]
    lines = ["| to a frame every 10 ms, from | " + " | ".join(heads) + " |"]
    lines.append("|---|" + "---|" * len(sizes))
    titles = {name: f"{name} file" for name in RIVALS} | {"memory": "event columns"}
    for name, title in titles.items():
        cells = [_cell(record["scenes"][size][name]) for size in sizes]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    cells = [_empty_cell(record["scenes"][size]["empty_us"]) for size in sizes]
    lines.append("| no event: us a frame | " + " | ".join(cells) + " |")
    machine = record["machine"]
    lines += [
        "",
        "Million events per second of CPU time, one thread, finished 224x224 frames (rivals: at "
        f"the sensor's size), {machine['cores']} cores ({machine['cpu']}). "
        "Made by `python -m benchmarks.frames --readme`.",
    ]
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    ours = [f"saccade_{counting}" for counting in COUNTINGS]
    rival = best(row, *ours, *(f"{name}_two_threads" for name in ours))
    rates = [f"{row[name]['mev_s']:.0f}" for name in ours]
    return " / ".join([*rates, f"{rival[1]:.0f} ({rival[0]})" if rival else "none"])


def _empty_cell(row: dict[str, Any]) -> str:
    ours = [f"saccade_{counting}" for counting in COUNTINGS]
    times = {k: v for k, v in row.items() if k not in ours and isinstance(v, float)}
    rival = min(times, key=lambda name: times[name]) if times else None
    parts = [f"{row[name]:.0f}" for name in ours]
    return " / ".join([*parts, f"{times[rival]:.0f} ({rival})" if rival else "none"])


if __name__ == "__main__":
    compare_command("frames", __doc__, measure, readme_table)
