"""The whole path: throughput, event-to-label latency, each stage, start-up time, installed size.

`python -m benchmarks.pipeline [--readme]` writes `benchmarks/records/pipeline.json`, and with
--readme the table in README.md. The HD stream is simulated here: ellipses before a 1280x720
sensor, moved by a random walk; its times are scaled to the rate asked for.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, median_seconds, write_readme, write_record
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.frames import FrameMaker
from saccade.camera.inspection import inspect
from saccade.camera.recordings import open_recording
from saccade.camera.simulate import Sensor, random_walk, simulate_image
from saccade.camera.slicing import TimeSlicer
from saccade.engines.labels import LabelScorer
from saccade.engines.models import load_model
from saccade.engines.onnx import OnnxEngine
from saccade.stream.pipeline import Pipeline

SAMPLE = ROOT / "camera" / "samples" / "three_objects.aedat4"
WINDOW_US = 30_000
#: Events per second of the simulated HD streams, and for how many seconds.
HD_STREAMS = {"hd_1M": (1e6, 3.0), "hd_10M": (1e7, 2.0), "hd_50M": (5e7, 0.5)}


def hd_events(n: int) -> Iterator[Packet]:
    """About `n` events of moving ellipses, 1280x720."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[0:720, 0:1280]
    image = np.full((720, 1280), 0.5)
    for _ in range(60):
        x, y, a, b = rng.uniform((0, 0, 20, 20), (1280, 720, 150, 150))
        image[((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1] = rng.uniform(0.1, 0.9)
    sensor = Sensor(1280, 720, 0.25, 0.25, 0.02, refractory_us=0, leak_hz=0, noise_hz=1.0)
    seen = 0
    for packet in simulate_image(image, random_walk(60_000_000, 300, seed=2), sensor, seed=3):
        yield packet
        seen += len(packet)
        if seen >= n:
            return


def write_hd(path: Path, rate: float, seconds: float) -> int:
    """Writes an AEDAT4 (LZ4) recording of the HD scene at `rate`; gives its number of events."""
    n = int(rate * seconds)
    packets = list(hd_events(n))
    total = sum(map(len, packets))
    span = int(packets[-1].t[-1]) - int(packets[0].t[0])
    scale = total / rate * 1e6 / span
    with Aedat4Writer(path, 1280, 720, "lz4") as writer:
        for packet in packets:
            t = np.floor(packet.t * scale).astype(np.uint64)
            writer.write(Packet(t, packet.x, packet.y, packet.on))
    return total


def stages(path: Path) -> dict[str, float]:
    """Each stage alone on one thread: millions of events per second, or microseconds a frame."""
    recording = open_recording(path)
    packets = list(recording.packets())
    n = sum(map(len, packets))
    cuts = list(_cut(packets))
    model = load_model()
    maker = FrameMaker(recording.width, recording.height, model.frame_spec())
    out = np.empty((model.manifest.input.size,) * 2, np.float32)
    engine = OnnxEngine(model)
    engine.input[0] = maker.make(cuts[0].packets)
    bank = model.labels()
    scorer = LabelScorer(bank, model.manifest.embedding.scale, 5)

    def frames() -> None:
        for cut in cuts:
            maker.make(cut.packets, out)

    found = {
        "decode_mev_s": n / median_seconds(lambda: sum(map(len, recording.packets()))) / 1e6,
        "slice_mev_s": n / median_seconds(lambda: list(_cut(packets))) / 1e6,
        "frame_mev_s": n / median_seconds(frames) / 1e6,
        "frame_us": median_seconds(frames) / len(cuts) * 1e6,
        "encode_us": median_seconds(lambda: engine.run(1), 101) * 1e6,
        "label_us": median_seconds(lambda: scorer(engine.output[0]), 101) * 1e6,
    }
    recording.close()
    return {name: round(value, 1) for name, value in found.items()}


def _cut(packets: list[Packet]) -> Iterator[Any]:
    slicer = TimeSlicer(WINDOW_US)
    return chain(chain.from_iterable(map(slicer.feed, packets)), slicer.finish())


def whole_path(path: Path, speed: float) -> dict[str, Any]:
    """A run of the pipeline: throughput in Mev/s, latency in ms, drops."""
    with Pipeline(path, window=WINDOW_US, speed="max" if math.isinf(speed) else speed) as pipeline:
        labels = sum(1 for _ in pipeline)
    total = pipeline.summary
    latency = total.latency_us
    return {
        "events": total.events_in,
        "labels": labels,
        "mev_s": round(total.events_in / total.seconds / 1e6, 2),
        "labels_s": round(labels / total.seconds, 1),
        "dropped": sum(total.dropped.values()),
        "latency_ms": {
            key: round(getattr(latency, key) / 1000, 2) for key in ("p50", "p90", "p99", "max")
        },
    }


def start_up() -> dict[str, float]:
    """Wall milliseconds of `saccade --help` as a whole process: median and least of 15."""
    program = [str(Path(sys.executable).parent / "saccade"), "--help"]
    times: list[float] = []
    for _ in range(15):
        begun = time.perf_counter()
        subprocess.run(program, capture_output=True, check=True)
        times.append((time.perf_counter() - begun) * 1000)
    return {"median_ms": round(statistics.median(times), 1), "min_ms": round(min(times), 1)}


def installed_size() -> dict[str, float]:
    """Megabytes of a fresh environment with the base package, pip itself left out."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", str(ROOT)]
        subprocess.run(install, check=True, capture_output=True)
        site = next(Path(folder).glob("lib/python*/site-packages"))
        sizes: dict[str, int] = {}
        for path in site.rglob("*"):
            if path.is_file():
                part = path.relative_to(site).parts[0]
                sizes[part] = sizes.get(part, 0) + path.stat().st_size
    own = {k: v for k, v in sizes.items() if not k.startswith(("pip", "setuptools"))}
    return {
        "total_mb": round(sum(own.values()) / 1e6, 1),
        "saccade_mb": round(own.get("saccade", 0) / 1e6, 1),
    }


def readme_table(record: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    rows = ["| stream | in real time: event to label, ms (p50 / p99) | dropped | at full speed |"]
    rows.append("|---|---|---|---|")
    for found in record["streams"].values():
        live, most = found["real_time"], found["max_speed"]
        latency = live["latency_ms"]
        behind = live["mev_s"] < 0.9 * found["rate_mev_s"]
        rows.append(
            f"| {found['what']} | {latency['p50']:.1f} / {latency['p99']:.1f}"
            f"{' (decoding is slower than the clock)' if behind else ''} | "
            f"{live['dropped']:,} | {most['mev_s']:.1f} Mev/s, {most['labels_s']:.0f} labels/s |"
        )
    machine, installed = record["machine"], record["installed"]["total_mb"]
    rows.append("")
    rows.append(
        f"Slices of 30 ms, saccade-mini, {machine['cores']} cores ({machine['cpu']}). Latency is "
        "from a slice's last event, by the recording's clock, to its labels. One encoder run: "
        f"{record['streams']['sample']['stages']['encode_us'] / 1000:.1f} ms. `saccade --help`: "
        f"{record['start_up']['median_ms']:.0f} ms. Installed: {installed:.0f} MB."
        " Made by `python -m benchmarks.pipeline --readme`."
    )
    return "\n".join(rows)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the table in README.md")
    options = parser.parse_args()
    streams: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = {"sample": (SAMPLE, "the bundled recording, 128x128")}
        for name, (rate, seconds) in HD_STREAMS.items():
            path = Path(folder) / f"{name}.aedat4"
            write_hd(path, rate, seconds)
            paths[name] = (path, f"simulated 1280x720, {rate / 1e6:.0f} Mev/s")
        for name, (path, what) in paths.items():
            streams[name] = {
                "what": what,
                "rate_mev_s": round(inspect(path).rate / 1e6, 3),
                "stages": stages(path),
                "real_time": whole_path(path, 1.0),
                "max_speed": whole_path(path, math.inf),
            }
            print(name, json.dumps(streams[name]), flush=True)
    content = {"streams": streams, "start_up": start_up(), "installed": installed_size()}
    written = write_record("pipeline", content)
    if options.readme:
        write_readme("pipeline", readme_table(json.loads(written.read_text())))
    print(written.relative_to(ROOT))


if __name__ == "__main__":
    main()
