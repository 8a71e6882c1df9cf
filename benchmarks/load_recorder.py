"""Recordings that end badly: killed at random points, and on a disk of 2 MB. A part of `load`."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT
from saccade.camera.errors import RecordingError
from saccade.camera.recorder import Recorder
from saccade.camera.recordings import open_recording
from saccade.camera.sources import Reopening
from saccade.camera.sources.sim import SimSource
from saccade.stream.opening import open_capture

#: What a killed recorder may lack of its end.
PROMISED_S = 1.0
#: Of the formats that are recorded.
SUFFIXES = (".aedat4", ".raw")
_SACCADE = [sys.executable, "-m", "saccade"]


def killed(
    kills: int = 50, rates: tuple[str, ...] = ("1M", "50k"), at_once: int = 2
) -> dict[str, Any]:
    """Recorders killed at random points of their first two seconds: what their files hold.

    What is missing is counted by the sensor's clock, whose 0 the recording process tells. `torn`
    are files whose last packet is not whole: all before it is read, then comes an error.
    """
    rng = random.Random(1)
    waits = [rng.uniform(0, 2 * PROMISED_S) for _ in range(kills)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        paths = [Path(folder) / f"{k}{SUFFIXES[k // 2 % len(SUFFIXES)]}" for k in range(kills)]
        found = list(pool.map(_kill, paths, waits, itertools.cycle(rates)))
    missing_s = [missing for missing, _ in found]
    worst = max(missing_s)
    return {
        "about": f"recorder killed at {kills} random points",
        "kills": kills,
        "torn": sum(torn for _, torn in found),
        "missing_s": {"median": round(sorted(missing_s)[kills // 2], 3), "max": round(worst, 3)},
        "note": f"at most {worst:.2f} s missing",
        "passed": {"readable": worst < math.inf, "kept": worst <= PROMISED_S},
    }


def _kill(path: Path, wait_s: float, rate: str) -> tuple[float, bool]:
    """Records into `path` and kills that; seconds that are missing (infinite: all), and `torn`."""
    program = [sys.executable, "-m", "benchmarks.load_recorder", f"sim://scene?rate={rate}"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*program, str(path)], stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        start_ns = int(process.stdout.readline())
        time.sleep(wait_s)
        lived_s = (time.monotonic_ns() - start_ns) / 1e9
        process.kill()
    last_us, torn = 0, False
    with open_recording(path) as recording:
        try:
            for packet in recording.packets():
                last_us = max(last_us, int(packet.t[-1]))
        except RecordingError:
            torn = True
    path.unlink()
    kept = last_us or lived_s < PROMISED_S
    return (max(0.0, lived_s - last_us / 1e6) if kept else math.inf), torn


def full(seconds: float = 6.0, model: str | None = None) -> dict[str, Any]:
    """A run that records to a disk of 2 MB: its labels, its file and how it ends."""
    about = "recording to a full disk of 2 MB"
    with _small_disk() as disk, tempfile.TemporaryDirectory() as folder:
        if disk is None:
            return {"about": about, "note": "not run: it needs the right to mount", "passed": {}}
        path, lines = disk / "live.aedat4", Path(folder) / "labels.jsonl"
        arguments = ["run", "sim://noise?rate=1M", "--seconds", str(seconds), "--record", str(path)]
        arguments += ["--out", f"jsonl:{lines}", "--summary", f"{folder}/summary.json"]
        arguments += ["--model", model] if model else []
        done = subprocess.run([*_SACCADE, *arguments], capture_output=True, text=True, check=False)
        total = json.loads((Path(folder) / "summary.json").read_text())
        beside = json.loads(path.with_name(path.name + ".json").read_text())
        with open_recording(path) as recording:
            kept = sum(map(len, recording.packets()))
        last_us = json.loads(lines.read_text().splitlines()[-1])["t_end_us"]
    return {
        "about": about,
        "labels": total["labels"],
        "recorded": kept,
        "events_in": total["events_in"],
        "note": f"{kept:,} of {total['events_in']:,} events kept",
        "passed": {
            "readable": 0 < kept == beside["events"],
            "told": done.returncode == 2 and "No space left" in done.stderr,
            "accounted for": beside["state"] == "failed"
            and total["events_in"] == total["events_published"] + sum(total["dropped"].values()),
            "labels go on": last_us > (seconds - 1) * 1e6,
        },
    }


@contextlib.contextmanager
def _small_disk() -> Iterator[Path | None]:
    """A folder that holds 2 MB; None where nothing can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def _record() -> None:
    """The process that is killed: says when the sensor's clock was 0, in monotonic ns."""
    uri, path = sys.argv[1:]
    capture = open_capture(uri)
    Recorder(capture, path)
    capture.start()
    source = capture.source.source if isinstance(capture.source, Reopening) else capture.source
    assert isinstance(source, SimSource)
    while not source.start_ns:
        time.sleep(0.001)
    print(source.start_ns, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    _record()
