"""Readers beside each other: each in a process of its own, in turns, on the same file."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

#: numpy's idle OpenBLAS threads spin for the first 10 ms, which `process_time` counts as ours.
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
#: A reader passes over a file once to warm up, and then once or for so long, whichever is longer.
TIMED_S = 0.3

_READ = """
import json, resource, sys, time
from saccade.camera.recordings import open_recording

def memory():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

def cpu_time():  # with the processes that a reader starts
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + child.ru_utime + child.ru_stime

cpu, wall, before = [], [], memory()
options = json.loads(sys.argv[3])
geometry = options.pop("geometry", None)
while len(cpu) < 2 or sum(wall[1:]) < float(sys.argv[2]):
    begun = cpu_time(), time.perf_counter()
    with open_recording(sys.argv[1], geometry and tuple(geometry)) as recording:
        n = sum(len(packet) for packet in recording.packets(**options))
    cpu.append(cpu_time() - begun[0])
    wall.append(time.perf_counter() - begun[1])
print(json.dumps({"events": n, "cpu_s": cpu[1:], "wall_s": wall[1:], "mib": memory() - before}))
"""


def saccade(path: Path, **options: Any) -> list[str]:
    """The command that reads a file once to warm up, and again for at least `TIMED_S`.

    Options are those of `packets`, and `geometry` for files that do not state it.
    """
    return [sys.executable, "-c", _READ, str(path), str(TIMED_S), json.dumps(options)]


def compare(commands: dict[str, list[str]], rounds: int) -> dict[str, dict[str, Any]]:
    """Medians over a run's passes, and of these over the rounds; {"failed": why} of who cannot."""
    return {
        reader: runs[-1] if "failed" in runs[-1] else _summary(runs)
        for reader, runs in take_turns(commands, rounds).items()
    }


def take_turns(commands: dict[str, list[str]], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each command printed, round by round, in each of which every reader has its turn.

    So a minute in which the machine is slow is slow for all. One that fails has no further turn.
    """
    runs: dict[str, list[dict[str, Any]]] = {reader: [] for reader in commands}
    for _ in range(rounds):
        for reader, command in commands.items():
            if not runs[reader] or "failed" not in runs[reader][-1]:
                runs[reader].append(_run(command))
    return runs


def _run(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=600
        )
    except subprocess.TimeoutExpired:
        return {"failed": "not done after 600 s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        why = re.sub(r"/\S*/", "", lines[-1])  # a record names no folder of the machine
        return {"failed": f"exit {done.returncode}: {why[:120]}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians; whatever else a run tells (frames, say) as the first told it."""
    n = runs[0]["events"]
    cpu = statistics.median(statistics.median(run["cpu_s"]) for run in runs)
    wall = statistics.median(statistics.median(run["wall_s"]) for run in runs)
    out = {"events": n, "mev_s": round(n / cpu / 1e6, 1), "mev_s_wall": round(n / wall / 1e6, 1)}
    if "mib" in runs[0]:
        out["peak_mib"] = round(runs[0]["mib"], 1)
    told = {name: value for name, value in runs[0].items() if name not in _TIMED}
    return out | told


_TIMED = ("events", "cpu_s", "wall_s", "mib")


def best(row: dict[str, Any], *ours: str) -> tuple[str, float] | None:
    """The fastest rival by CPU time and its million events a second, among those that could."""
    rates = {
        name: found["mev_s"]
        for name, found in row.items()
        if isinstance(found, dict) and "mev_s" in found and name not in ours
    }
    return max(rates.items(), key=lambda item: item[1]) if rates else None
