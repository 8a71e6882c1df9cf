"""Speed of the event filters beside dv-processing's, on the same packets.

`python -m benchmarks.filters --rivals PYTHON [--share 0.1] [--rounds 7] [--readme]` filters the
scenes, in packets of 13,000 events as dv writes them, with each filter alone and with all together,
and writes `benchmarks/records/filters.json`. PYTHON is the interpreter of an environment with
`pip install dv-processing==2.0.4`, whose Python has no refractory period, and no mask in a chain.

All figures are million incoming events per second of CPU time on one thread, the best round: events
in columns to events in columns for saccade, in event stores for dv-processing. Rounds take turns,
so that a minute in which the machine is slow is slow for both. Counts of removed events are
recorded: where both do the same, they must be equal.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import compare_command
from benchmarks.decode import AEDAT4_PACKET
from benchmarks.scenes import D346, HD, Scene, packets
from saccade.camera.events import Packet
from saccade.camera.filters import EventFilter, FilterSpec, write_hot_pixels

SCENES = {"1280x720": HD, "346x260": D346}
REFRACTORY_US, BACKGROUND_US = 1000, 5000
HOT_EVERY = 1999  # one pixel of so many is masked
#: What the table calls them.
NAMES = {
    "roi": "region of interest (the middle quarter)",
    "polarity": "polarity",
    "hot": "hot-pixel mask",
    "refractory": f"refractory period ({REFRACTORY_US // 1000} ms)",
    "background": f"background activity ({BACKGROUND_US // 1000} ms)",
    "chain": "region, polarity and background in one",
    "all": "all five in one",
}


def specs(scene: Scene, mask: Path) -> dict[str, FilterSpec]:
    """The settings that are timed, by name."""
    middle = (scene.width // 4, scene.height // 4, scene.width // 2, scene.height // 2)
    most = (16, 16, scene.width - 32, scene.height - 32)
    return {
        "roi": FilterSpec(roi=middle),
        "polarity": FilterSpec(polarity="on"),
        "hot": FilterSpec(hot_pixels=mask),
        "refractory": FilterSpec(refractory_us=REFRACTORY_US),
        "background": FilterSpec(background_us=BACKGROUND_US),
        "chain": FilterSpec(most, "on", None, None, BACKGROUND_US),
        "all": FilterSpec(most, "on", mask, REFRACTORY_US, BACKGROUND_US),
    }


def time_filter(scene: Scene, spec: FilterSpec, stream: list[Packet]) -> dict[str, Any]:
    """CPU seconds of one pass, and the events removed."""
    filters = EventFilter(scene.width, scene.height, spec)
    begun = time.process_time()
    for packet in stream:
        filters.apply(packet)
    return {"cpu_s": time.process_time() - begun, "removed": sum(filters.removed.values())}


# Runs in the rivals' environment: events as a structured array, packets by their bounds.
RIVAL = """
import json, sys, time
from datetime import timedelta
import numpy as np
import dv_processing as dv

folder, settings = sys.argv[1], json.loads(sys.argv[2])
events, bounds = np.load(folder + "/events.npy"), np.load(folder + "/bounds.npy")
mask = np.load(folder + "/mask.npy")
stores = []
for first, last in zip(bounds, bounds[1:]):
    store = dv.EventStore()
    for t, x, y, on in events[first:last].tolist():
        store.push_back(t, x, y, on)
    stores.append(store)
size = settings["width"], settings["height"]
period = timedelta(microseconds=settings["background_us"])
make = {
    "roi": lambda: [dv.EventRegionFilter(tuple(settings["middle"]))],
    "polarity": lambda: [dv.EventPolarityFilter(True)],
    "hot": lambda: [dv.EventMaskFilter(mask)],
    "background": lambda: [dv.noise.BackgroundActivityNoiseFilter(size, period)],
}
make["chain"] = lambda: [
    dv.EventRegionFilter(tuple(settings["most"])),
    *(filter for name in ("polarity", "background") for filter in make[name]()),
]

def run(filters):
    if len(filters) > 1:
        chain = dv.EventFilterChain()
        for filter in filters:
            chain.addFilter(filter)
        filters = [chain]
    begun, kept = time.process_time(), 0
    for store in stores:
        filters[0].accept(store)
        kept += filters[0].generateEvents().size()
    return {"cpu_s": time.process_time() - begun, "removed": len(events) - kept}

for line in sys.stdin:
    print(json.dumps(run(make[line.strip()]())), flush=True)
"""


class Rival:
    """dv-processing in a process of its own, which holds the events and waits for its turns."""

    filters = ("roi", "polarity", "hot", "background", "chain")

    def __init__(self, python: str, folder: Path, settings: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [python, "-c", RIVAL, str(folder), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def time_filter(self, name: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def measure(name: str, share: float, python: str | None, rounds: int) -> dict[str, Any]:
    """The rows of one scene, by filter."""
    scene = SCENES[name]
    events = Packet.from_array(np.concatenate([p.to_array() for p in packets(scene, share)]))
    stream, n = list(events.split(AEDAT4_PACKET)), len(events)
    hot = np.zeros((scene.height, scene.width), bool)
    hot.ravel()[::HOT_EVERY] = True
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "hot.txt"
        write_hot_pixels(mask, hot)
        chosen = specs(scene, mask)
        rival = _start_rival(python, Path(folder), scene, stream, hot) if python else None
        for _ in range(rounds):
            for key, spec in chosen.items():
                row = runs.setdefault(key, {"saccade": []})
                row["saccade"].append(time_filter(scene, spec, stream))
                if rival and key in rival.filters:
                    row.setdefault("dv-processing", []).append(rival.time_filter(key))
        if rival:
            rival.close()
    rows = {key: {who: _row(n, found) for who, found in row.items()} for key, row in runs.items()}
    return {"events": n, "packets": len(stream), "filters": rows}


def _row(n: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    best = min(run["cpu_s"] for run in runs)
    return {"mev_s": round(n / best / 1e6, 1), "removed": runs[0]["removed"]}


def _start_rival(
    python: str, folder: Path, scene: Scene, stream: list[Packet], hot: np.ndarray
) -> Rival:
    events = np.concatenate([packet.to_array() for packet in stream])
    events["t"] += BACKGROUND_US  # dv-processing's pixels begin with an event at 0
    np.save(folder / "events.npy", events)
    np.save(folder / "bounds.npy", np.cumsum([0, *map(len, stream)]))
    np.save(folder / "mask.npy", np.where(hot, 0, 255).astype(np.uint8))
    chosen = specs(scene, folder / "hot.txt")
    settings = {
        "width": scene.width, "height": scene.height, "background_us": BACKGROUND_US,
        "middle": chosen["roi"].roi, "most": chosen["chain"].roi,
    }  # fmt: skip
    return Rival(python, folder, settings)


def readme_table(record: dict[str, Any]) -> str:
    """Markdown: a row for each filter."""
    sizes = list(record["scenes"])
    lines = [f"| filter | {' | '.join(f'{size}: saccade / dv-processing' for size in sizes)} |"]
    lines.append("|---|" + "---|" * len(sizes))
    for key, title in NAMES.items():
        cells: list[str] = []
        for size in sizes:
            row = record["scenes"][size]["filters"][key]
            rival = f"{row['dv-processing']['mev_s']:.0f}" if "dv-processing" in row else "none"
            cells.append(f"{row['saccade']['mev_s']:.0f} / {rival}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    machine = record["machine"]
    lines += [
        "",
        f"Million events per second of CPU time on one thread, best of {record['rounds']} rounds, "
        f"{machine['cores']} cores ({machine['cpu']}). "
        "Made by `python -m benchmarks.filters --readme`.",
    ]
    return "\n".join(lines)


def measure_all(folder: Path, share: float, rivals: str | None, rounds: int) -> dict[str, Any]:
    """All filters on all scenes, which need no file."""
    return {"rounds": rounds, "scenes": {s: measure(s, share, rivals, rounds) for s in SCENES}}


if __name__ == "__main__":
    compare_command("filters", __doc__, measure_all, readme_table, share=0.1, rounds=7)
