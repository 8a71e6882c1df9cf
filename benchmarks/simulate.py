"""Speed of the event simulator, and its events beside real ones.

`python -m benchmarks.simulate [--rounds 5] [--data ../shared/data/recordings] [--readme]` writes
`benchmarks/records/simulate.json`, and with --readme the tables in docs/simulator.md.

Speed is million events per second of CPU time on one thread, the best round: a textured image (1/f
noise with the contrast of photographs) before a sensor with all flaws, moved by at most one pixel
a step, turned or zoomed, to events in columns. "faint" has two fifths of the contrast.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, write_record
from benchmarks.event_statistics import rows, texture
from saccade.camera.motion import Path as Motion
from saccade.camera.motion import rotation, saccades, zoom
from saccade.camera.simulate import Sensor, simulate_frames, simulate_image

SIZES = ((346, 260), (1280, 720))
DOC = ROOT / "docs" / "simulator.md"


def scenes(width: int, height: int) -> dict[str, tuple[float, Motion]]:
    """Contrast and motion by name, of about 60 steps each."""
    radius = math.hypot(width, height) / 2
    return {
        "moved": (1.0, saccades(60_000, 18.0)),
        "moved, faint": (0.4, saccades(60_000, 18.0)),
        "turned": (1.0, rotation(60_000, 60 / radius)),
        "zoomed": (1.0, zoom(60_000, math.exp(30 / radius))),
    }


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each sensor and scene, and for a video of that size."""
    image = texture(1024, 1)
    out: list[dict[str, Any]] = []
    for width, height in SIZES:
        sensor = Sensor(width, height)
        for name, (contrast, path) in scenes(width, height).items():
            shown = (128 + contrast * (image.astype(np.float32) - 128)).astype(np.uint8)
            best, n = math.inf, 0
            for _ in range(rounds):
                begun = time.process_time()
                events = simulate_image(shown, path, sensor, seed=1, fit=1.9)
                n = sum(map(len, events))
                best = min(best, time.process_time() - begun)
            out.append(_row(width, height, name, n, best))
        out.append(_row(width, height, "video at 30 Hz", *_video(image, sensor, rounds)))
    return out


def _video(image: np.ndarray, sensor: Sensor, rounds: int) -> tuple[int, float]:
    """Frames a pixel apart, cut out of the image."""
    tall = np.tile(image, (1, 2))
    frames = [tall[: sensor.height, k : k + sensor.width] for k in range(30)]
    times = [k * 1_000_000 // 30 for k in range(30)]
    best, n = math.inf, 0
    for _ in range(rounds):
        begun = time.process_time()
        n = sum(map(len, simulate_frames(zip(times, frames, strict=True), sensor, seed=1)))
        best = min(best, time.process_time() - begun)
    return n, best


def _row(width: int, height: int, name: str, n: int, cpu_s: float) -> dict[str, Any]:
    mev_s = round(n / cpu_s / 1e6, 1)
    return {"size": f"{width}x{height}", "scene": name, "events": n, "mev_s": mev_s}


def speed_table(record: dict[str, Any]) -> str:
    """Markdown: a row for each scene."""
    found = {(row["scene"], row["size"]): row["mev_s"] for row in record["speed"]}
    sizes = [f"{width}x{height}" for width, height in SIZES]
    lines = [f"| scene | {' | '.join(sizes)} |", "|---|---|---|"]
    for name in dict.fromkeys(row["scene"] for row in record["speed"]):
        lines.append(f"| {name} | {' | '.join(str(found[name, size]) for size in sizes)} |")
    cpu, cores = record["machine"]["cpu"], record["machine"]["cores"]
    lines += ["", f"Million events per second of CPU time, one thread, {cores} cores ({cpu})."]
    return "\n".join(lines)


def reality_table(record: dict[str, Any]) -> str:
    """Markdown: a row for each recording and each scene of ours."""
    found = record["reality"]
    names = list(next(iter(found.values()))["real"])
    lines = [f"| events of | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for scene, kinds in found.items():
        for kind, values in kinds.items():
            lines.append(f"| {scene}, {kind} | {' | '.join(str(values[n]) for n in names)} |")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/recordings")
    parser.add_argument("--readme", action="store_true", help="write the tables in the docs")
    options = parser.parse_args()
    path = write_record(
        "simulate", {"speed": measure(options.rounds), "reality": rows(options.data)}
    )
    if options.readme:
        record = json.loads(path.read_text())
        text = DOC.read_text()
        for mark, table in (("speed", speed_table(record)), ("reality", reality_table(record))):
            head, begin, rest = text.partition(f"<!-- {mark} -->\n")
            _, end, tail = rest.partition(f"<!-- end of {mark} -->")
            assert begin and end, f"{DOC} has no place for {mark}"
            text = f"{head}{begin}{table}\n{end}{tail}"
        DOC.write_text(text)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
