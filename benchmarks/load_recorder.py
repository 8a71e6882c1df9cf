"""Recordings that end badly: killed at random points, and on a disk of 2 MB. A part of `load`.

A recording has two processes, the run's and the one that writes the file: either of them is killed,
or both at once.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

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
#: Who is killed: the run, the process that writes, both.
VICTIMS = ("run", "writer", "both")
#: How soon the run must say that the writer is gone.
NOTICED_S = 1.0
_SACCADE = [sys.executable, "-m", "saccade"]


def killed(
    kills: int = 60, rates: tuple[str, ...] = ("1M", "50k"), at_once: int = 2
) -> dict[str, Any]:
    """Recordings killed at random points of their first two seconds: what their files hold.

    What is missing is counted by the sensor's clock, whose 0 the recording process tells. `torn`
    are files whose last packet is not whole: all before it is read, then comes an error.
    """
    rng = random.Random(1)
    waits = [rng.uniform(0, 2 * PROMISED_S) for _ in range(kills)]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        paths = [Path(folder) / f"{k}{SUFFIXES[k // 2 % len(SUFFIXES)]}" for k in range(kills)]
        victims = itertools.cycle(VICTIMS)
        found = list(pool.map(_kill, paths, waits, itertools.cycle(rates), victims))
    missing_s = sorted(one.missing_s for one in found)
    worst, noticed_s = missing_s[-1], max(one.noticed_s for one in found)
    return {
        "about": f"recording killed at {kills} random points: the run, the writer, both",
        "kills": kills,
        "torn": sum(one.torn for one in found),
        "unfinished": sum(one.unfinished for one in found),
        "missing_s": {"median": round(missing_s[kills // 2], 3), "max": round(worst, 3)},
        "noticed_s": round(noticed_s, 3),
        "note": f"at most {worst:.2f} s missing",
        "passed": {
            "readable": worst < math.inf,
            "kept": worst <= PROMISED_S,
            "finished by who is left": not any(one.unfinished for one in found),
            "noticed": noticed_s <= NOTICED_S,
        },
    }


class _Killed(NamedTuple):
    missing_s: float  # infinite: all
    torn: bool
    unfinished: bool  # one of two was left, and has not finished the side-car
    noticed_s: float  # until the run said that the writer is gone; 0 where it was killed itself


def _kill(path: Path, wait_s: float, rate: str, victim: str) -> _Killed:
    """Records into `path` and kills that."""
    program = [sys.executable, "-m", "benchmarks.load_recorder", f"sim://scene?rate={rate}"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*program, str(path)], stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        start_ns, writer = map(int, process.stdout.readline().split())
        time.sleep(wait_s)
        lived_s, noticed_s = (time.monotonic_ns() - start_ns) / 1e9, 0.0
        if victim != "run":
            os.kill(writer, signal.SIGKILL)
        if victim == "writer":
            killed = time.monotonic()
            noticed_s = float(process.stdout.readline()) - killed
        process.kill()
    unfinished = victim != "both" and not _finished(path)
    last_us, torn = 0, False
    try:
        with open_recording(path) as recording:
            for packet in recording.packets():
                last_us = max(last_us, int(packet.t[-1]))
    except RecordingError:  # also of a file in which there is nothing yet
        torn = last_us > 0
    path.unlink()
    kept = last_us or lived_s < PROMISED_S
    missing_s = max(0.0, lived_s - last_us / 1e6) if kept else math.inf
    return _Killed(missing_s, torn, unfinished, noticed_s)


def _finished(path: Path) -> bool:
    """Whether the side-car says so, within a while."""
    beside, until = path.with_name(path.name + ".json"), time.monotonic() + 10
    while time.monotonic() < until:
        if json.loads(beside.read_text())["state"] != "recording":
            return True
        time.sleep(0.02)
    return False


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
    """The run that is killed: says when the sensor's clock was 0, in monotonic ns, and who writes.

    Then, when it has noticed that the writer is gone.
    """
    uri, path = sys.argv[1:]
    capture = open_capture(uri)
    recorder = Recorder(capture, path)
    capture.start()
    source = capture.source.source if isinstance(capture.source, Reopening) else capture.source
    assert isinstance(source, SimSource)
    while not source.start_ns:
        time.sleep(0.001)
    print(source.start_ns, recorder.pid, flush=True)
    while not recorder.error:
        time.sleep(0.001)
    print(time.monotonic(), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    _record()
