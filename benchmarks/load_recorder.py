"""Recordings that end badly: killed at random points, and on a disk of 2 MB. A part of `load`."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saccade.camera.errors import RecordingError
from saccade.camera.recordings import open_recording

#: What a killed recorder may lack of its end.
PROMISED_S = 1.0
_SACCADE = [sys.executable, "-m", "saccade"]
_LINE_S = 1.0  # `saccade record` says this long after its start, and then again, how it goes


def killed(
    kills: int = 50, seed: int = 1, rate: str = "1M", at_once: int = 2, suffix: str = ".aedat4"
) -> dict[str, Any]:
    """Recorders killed at random points of their second second: what their files hold.

    What is missing counts from the least that the sensor's clock can have been at the kill: the
    time since the recorder's first line, and the second before it.
    """
    rng = random.Random(seed)
    missing_s: list[float] = []
    unreadable = 0
    with tempfile.TemporaryDirectory() as folder:
        left = kills
        while left:
            paths = [Path(folder) / f"{left - k}{suffix}" for k in range(min(at_once, left))]
            for path, lived_s in zip(paths, _kill(paths, rng, rate), strict=True):
                last_us, error = _last_us(path)
                unreadable += error is not None
                missing_s.append(max(0.0, lived_s - last_us / 1e6))
                path.unlink()
            left -= len(paths)
    worst = max(missing_s)
    return {
        "about": f"recorder killed at {kills} random points",
        "kills": kills,
        "unreadable": unreadable,
        "missing_s": {"median": round(sorted(missing_s)[kills // 2], 3), "max": round(worst, 3)},
        "note": f"at most {worst:.2f} s missing",
        "passed": {"readable": not unreadable, "kept": worst <= PROMISED_S},
    }


def _kill(paths: list[Path], rng: random.Random, rate: str) -> list[float]:
    """Records into each path and kills that; how long each has recorded at least."""
    uri = f"sim://scene?rate={rate}"
    running = [
        subprocess.Popen([*_SACCADE, "record", uri, str(path)], stderr=subprocess.PIPE, text=True)
        for path in paths
    ]
    lived: list[float] = []
    for process in running:
        assert process.stderr is not None
        line = process.stderr.readline()
        begun = time.monotonic()
        if "recording" not in line:
            raise SystemExit(f"killed: {line}{process.stderr.read()}")
        time.sleep(rng.random())
        lived.append(_LINE_S + time.monotonic() - begun)
        process.kill()
        process.communicate()
    return lived


def _last_us(path: Path) -> tuple[int, RecordingError | None]:
    """Time of the last event that can be read, and what was wrong before the end."""
    last = 0
    with open_recording(path) as recording:
        try:
            for packet in recording.packets():
                last = max(last, int(packet.t[-1]))
        except RecordingError as error:
            return last, error
    return last, None


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
