"""Decoding speed beside other readers, on the same files in one run.

`python -m benchmarks.decode --rivals PYTHON [--share 0.25] [--readme]` makes its files (32 M events
at 1280x720, 17 M at 346x260; `--share` of them), reads each with saccade and with every rival that
reads it, and writes `benchmarks/records/decode.json`. PYTHON is the interpreter of an environment
with `pip install dv-processing==2.0.4 faery==0.7.1 expelliarmus==1.1.12 aedat==2.3.0`.

All figures are million events per second of CPU time, medians over the rounds, page cache warm:
saccade to columns t, x, y, on; the rivals to the arrays that they give.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, write_readme, write_record
from benchmarks.encode import RAW
from benchmarks.scenes import D346, HD, Scene, packets
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


def make(folder: Path, size: str, scene: Scene, share: float) -> dict[str, Path]:
    """All files of one scene, by format."""
    paths = {name: folder / f"{size}.{name}.{_end(name)}" for name in RIVALS}
    files = {name: paths[name].open("wb") for name in RAW}
    for name, file in files.items():
        file.write(RAW[name][0](scene.width, scene.height))
    writers = [
        Aedat4Writer(paths[f"aedat4-{kind}"], scene.width, scene.height, kind) for kind in AEDAT4
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


OURS = """
import json, sys, time
from saccade.camera.recordings import open_recording

def memory():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

cpu, wall, before = [], [], memory()
for _ in range(int(sys.argv[2]) + 1):
    begun = time.process_time(), time.perf_counter()
    with open_recording(sys.argv[1]) as recording:
        n = sum(len(packet) for packet in recording.packets(**json.loads(sys.argv[3])))
    cpu.append(time.process_time() - begun[0])
    wall.append(time.perf_counter() - begun[1])
print(json.dumps({"events": n, "cpu_s": cpu[1:], "wall_s": wall[1:], "mib": memory() - before}))
"""


def readers(name: str, path: Path, python: str | None) -> dict[str, list[str]]:
    """The commands that read a file once to warm up and once to be timed, by reader."""
    one = {"threads": 1} if name.startswith("aedat4") else {}
    found = {"saccade": _ours(path, **one)}
    if one:
        found["saccade_two_threads"] = _ours(path, threads=2)
    script = Path(__file__).with_name("rivals.py")
    for reader in RIVALS[name] if python else ():
        found[reader] = [str(python), str(script), reader, str(path), "1"]
    return found


def _ours(path: Path, **options: Any) -> list[str]:
    return [sys.executable, "-c", OURS, str(path), "1", json.dumps(options)]


def compare(commands: dict[str, list[str]], rounds: int) -> dict[str, dict[str, Any]]:
    """Medians over the rounds, in each of which every reader has its turn.

    So a minute in which the machine is slow is slow for all. {"failed": why} for one that cannot.
    """
    runs: dict[str, list[dict[str, Any]]] = {reader: [] for reader in commands}
    out: dict[str, dict[str, Any]] = {}
    for _ in range(rounds):
        for reader, command in commands.items():
            if reader not in out:
                run = _run(command)
                runs[reader].append(run)
                if "failed" in run:
                    out[reader] = run
    return {reader: out.get(reader) or _summary(found) for reader, found in runs.items()}


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return {"failed": f"exit {done.returncode}: {lines[-1][:120]}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    n = runs[0]["events"]
    cpu = statistics.median(run["cpu_s"][0] for run in runs)
    wall = statistics.median(run["wall_s"][0] for run in runs)
    out = {"events": n, "mev_s": round(n / cpu / 1e6, 1), "mev_s_wall": round(n / wall / 1e6, 1)}
    return out | ({"peak_mib": round(runs[0]["mib"], 1)} if "mib" in runs[0] else {})


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
    out: dict[str, Any] = {"memcpy_gb_s": memcpy_gb_s(), "share": share, "scenes": {}}
    for size, scene in SCENES.items():
        table: dict[str, Any] = {}
        for name, path in make(folder, size, scene, share).items():
            row: dict[str, Any] = dict(compare(readers(name, path, python), rounds))
            row["bytes_per_event"] = round(path.stat().st_size / row["saccade"]["events"], 2)
            # 13 bytes of columns written for each event, and the file's bytes read.
            rate = row["saccade"]["mev_s"] * 1e6
            row["gb_s"] = round(rate * (13 + row["bytes_per_event"]) / 1e9, 2)
            table[name] = row
            path.unlink()
            print(size, name, json.dumps(row), flush=True)
        out["scenes"][size] = table
    return out


def readme_table(record: dict[str, Any]) -> str:
    """The record as the README shows it."""
    sizes = list(record["scenes"])
    lines = ["| format | " + " | ".join(f"{size}: saccade / best rival" for size in sizes) + " |"]
    lines.append("|---|" + "---|" * len(sizes))
    name_of = {name: name for name in RIVALS}
    for name in RIVALS:
        cells: list[str] = []
        for size in sizes:
            row = record["scenes"][size][name]
            rates = {k: v["mev_s"] for k, v in row.items() if isinstance(v, dict) and "mev_s" in v}
            own = rates.pop("saccade")
            if rates.pop("saccade_two_threads", None):
                name_of[name] = f"{name} (two threads: x{_gain(record, name)})"
            best = max(rates, key=lambda reader: rates[reader]) if rates else ""
            cells.append(f"{own:.0f} / " + (f"{rates[best]:.0f} ({best})" if best else "none"))
        lines.append(f"| {name_of[name]} | " + " | ".join(cells) + " |")
    machine = record["machine"]
    lines += [
        "",
        f"Million events per second of CPU time, to columns in memory, on {machine['cores']} cores "
        f"({machine['cpu']}; memcpy {record['memcpy_gb_s']} GB/s). "
        "Made by `python -m benchmarks.decode --readme`.",
    ]
    return "\n".join(lines)


def _gain(record: dict[str, Any], name: str) -> str:
    """How much sooner two threads are done than one, by scene."""
    rows = [table[name] for table in record["scenes"].values()]
    gains = [r["saccade_two_threads"]["mev_s_wall"] / r["saccade"]["mev_s_wall"] for r in rows]
    return " and ".join(f"{gain:.1f}" for gain in gains)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rivals", help="the interpreter of the rivals' environment")
    parser.add_argument("--share", type=float, default=1.0, help="of the scenes' durations")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readme", action="store_true", help="write the table in README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        content = measure(Path(folder), options.share, options.rivals, options.rounds)
    path = write_record("decode", content)
    if options.readme:
        write_readme("decode", readme_table(json.loads(path.read_text())))
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
