"""Decoding speed beside other readers, on the same files in one run.

`python -m benchmarks.decode --rivals PYTHON [--share 0.25] [--readme]` makes its files (32 M events
at 1280x720, 17 M at 346x260, 1 to 10 M of the formats in others.py; `--share` of them), reads each
with saccade and with every rival that reads it, and writes `benchmarks/records/decode.json`. PYTHON
is the interpreter of an environment with `pip install dv-processing==2.0.4 faery==0.7.1
expelliarmus==1.1.12 aedat==2.3.0 evlib==0.13.2 eventcv==1.0.8 tonic==1.7.0 h5py==3.16.0`.

All figures are million events per second of CPU time, medians over passes and rounds, page cache
warm:
saccade to columns t, x, y, on; the rivals to the arrays that they give.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import compare_command
from benchmarks.encode import RAW
from benchmarks.others import OTHERS, make
from benchmarks.scenes import D346, HD, Scene, packets
from benchmarks.turns import TIMED_S, best, compare, saccade
from saccade.camera.formats.aedat4_writer import Aedat4Writer

SCENES = {"1280x720": HD, "346x260": D346}
AEDAT4 = ("none", "lz4", "zstd")
#: Which rivals read a format at all, and right (measured: see the counts in the record).
RIVALS = {
    "evt3": ("faery", "expelliarmus"),
    "evt2": ("faery", "expelliarmus"),
    "evt21": (),
    "evt21-legacy": (),
    "dat": ("faery", "expelliarmus"),
    **dict.fromkeys((f"aedat4-{kind}" for kind in AEDAT4), ("dv-processing", "faery", "aedat")),
}
AEDAT4_PACKET = 13_000  # events, about 0.2 MiB, as dv writes


def make_large(
    folder: Path, size: str, scene: Scene, share: float, formats: Collection[str] = tuple(RIVALS)
) -> dict[str, Path]:
    """The files of one scene, by format."""
    paths = {name: folder / f"{size}.{name}.{_end(name)}" for name in formats}
    files = {name: paths[name].open("wb") for name in RAW if name in formats}
    for name, file in files.items():
        file.write(RAW[name][0](scene.width, scene.height))
    writers = [
        Aedat4Writer(path, scene.width, scene.height, kind)
        for kind in AEDAT4
        if (path := paths.get(f"aedat4-{kind}"))
    ]
    for packet in packets(scene, share):
        for name, file in files.items():
            file.write(RAW[name][1](packet))
        for writer in writers:
            for start in range(0, len(packet), AEDAT4_PACKET):
                writer.write(packet[start : start + AEDAT4_PACKET])
    for file in (*files.values(), *writers):
        file.close()
    return paths


def _end(name: str) -> str:
    return "aedat4" if name.startswith("aedat4") else "dat" if name == "dat" else "raw"


def readers(name: str, path: Path, python: str | None) -> dict[str, list[str]]:
    """The commands that read a file once to warm up and once to be timed, by reader."""
    one = {"threads": 1} if name.startswith("aedat4") else {}
    found = {"saccade": saccade(path, **one)}
    if one:
        found["saccade_two_threads"] = saccade(path, threads=2)
    return found | rivals(RIVALS[name], path, python)


def rivals(names: tuple[str, ...], path: Path, python: str | None) -> dict[str, list[str]]:
    """The commands of rivals.py, if there is an interpreter to run them."""
    script = str(Path(__file__).with_name("rivals.py"))
    return {name: [python, script, name, str(path), str(TIMED_S)] for name in names if python}


def limits(name: str, path: Path) -> dict[str, list[str]]:
    """The commands that only read a file, and only unfold it by its compression's library."""
    kinds = ("reading", "unpacking") if name in ("aedat4-lz4", "aedat4-zstd") else ("reading",)
    return {kind: [sys.executable, "-m", "benchmarks.limits", kind, str(path)] for kind in kinds}


def memcpy_gb_s() -> float:
    """Bytes copied a second, 256 MiB at a time: the limit that a decoder works towards."""
    source = np.ones(256 << 20, np.uint8)
    target = np.empty_like(source)
    times: list[float] = []
    for _ in range(7):
        begun = time.perf_counter()
        np.copyto(target, source)
        times.append(time.perf_counter() - begun)
    return round(source.nbytes / min(times) / 1e9, 2)


def measure(folder: Path, share: float, python: str | None, rounds: int) -> dict[str, Any]:
    """All readers on all files."""
    out: dict[str, Any] = {"memcpy_gb_s": memcpy_gb_s(), "share": share, "scenes": {}, "others": {}}
    for size, scene in SCENES.items():
        out["scenes"][size] = {
            name: _row(name, path, readers(name, path, python), rounds)
            for name, path in make_large(folder, size, scene, share).items()
        }
    for name, other, path in make(folder, share):
        commands = {"saccade": saccade(path, **other.options)}
        commands |= rivals(other.rivals, path, python)
        out["others"][name] = _row(name, path, commands, rounds)
    return out


def _row(name: str, path: Path, commands: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """One file's figures; it is removed."""
    row: dict[str, Any] = dict(compare(commands | limits(name, path), rounds))
    if "failed" in row["saccade"]:
        raise SystemExit(f"{name}: {row['saccade']['failed']}")
    row["bytes_per_event"] = round(path.stat().st_size / row["saccade"]["events"], 2)
    row["reading_gb_s"] = round(row.pop("reading")["mev_s"] / 1e3, 2)
    if "unpacking" in row:
        row["unpacking_mev_s"] = row.pop("unpacking")["mev_s"]
    # 13 bytes of columns written for each event, and the file's bytes read.
    rate = row["saccade"]["mev_s"] * 1e6
    row["gb_s"] = round(rate * (13 + row["bytes_per_event"]) / 1e9, 2)
    path.unlink()
    print(path.name, json.dumps(row), flush=True)
    return row


def readme_table(record: dict[str, Any]) -> str:
    """The record as the README shows it."""
    sizes = list(record["scenes"])
    lines = ["| format | " + " | ".join(f"{size}: saccade / best rival" for size in sizes) + " |"]
    lines.append("|---|" + "---|" * len(sizes))
    for name in RIVALS:
        rows = [record["scenes"][size][name] for size in sizes]
        gains = [_gain(row) for row in rows if "saccade_two_threads" in row]
        title = f"{name} (two threads: x{' and '.join(gains)})" if gains else name
        lines.append(f"| {title} | " + " | ".join(map(_cell, rows)) + " |")
    cells = [f"{name} {_cell(record['others'][name])}" for name in OTHERS]
    machine = record["machine"]
    lines += [
        "",
        f"Million events per second of CPU time, to columns in memory, on {machine['cores']} cores "
        f"({machine['cpu']}; memcpy {record['memcpy_gb_s']} GB/s). {_bounds(record)} Smaller files "
        "of other formats, saccade / best rival (HDF5 with the start of its process): "
        f"{', '.join(cells)}. Made by `python -m benchmarks.decode --readme`.",
    ]
    return "\n".join(lines)


def _bounds(record: dict[str, Any]) -> str:
    """What no reader can beat, beside the figures that it bounds."""
    sizes = record["scenes"].values()

    def both(name: str, figure: Callable[[dict[str, Any]], float]) -> str:
        return " and ".join(f"{figure(rows[name]):.0f}" for rows in sizes)

    def reading(row: dict[str, Any]) -> float:
        return row["reading_gb_s"] * 1e3 / row["bytes_per_event"]

    def unpacking(row: dict[str, Any]) -> float:
        return row["unpacking_mev_s"]

    return (
        f"Reading the file alone: dat {both('dat', reading)}, aedat4-none "
        f"{both('aedat4-none', reading)}. Unfolding alone, by liblz4 and libzstd: "
        f"{both('aedat4-lz4', unpacking)}, {both('aedat4-zstd', unpacking)}."
    )


def _cell(row: dict[str, Any]) -> str:
    n = row["saccade"]["events"]  # who gives other events has not read the file
    right = {k: v for k, v in row.items() if isinstance(v, dict) and v.get("events") == n}
    rival = best(right, "saccade", "saccade_two_threads")
    other = f"{rival[1]:.0f} ({rival[0].partition('_')[0]})" if rival else "none"
    return f"{row['saccade']['mev_s']:.0f} / {other}"


def _gain(row: dict[str, Any]) -> str:
    """How much sooner two threads are done than one."""
    return f"{row['saccade_two_threads']['mev_s_wall'] / row['saccade']['mev_s_wall']:.1f}"


if __name__ == "__main__":
    compare_command("decode", __doc__, measure, readme_table)
