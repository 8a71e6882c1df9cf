"""Times frames on a GPU with CUDA events: `python -m benchmarks.gpu_timing` prints one JSON object.

Each figure is for one frame, from events or words to fp16 in the encoder's input, 224x224. `device`
is from memory of the device, and the device's time alone; `host` is from memory of the host, with
packing, the copy, and the time that the host takes to queue.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from benchmarks.gpu_arrays import array_figures, torch_voxels
from benchmarks.gpu_driver import Array, Driver
from benchmarks.gpu_parity import pack, random_packet, scene
from saccade.camera import _native
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.events import Packet
from saccade.camera.frames import Counting, FrameKind, FrameSpec

WIDTH, HEIGHT, SIZE = 1280, 720, 224
COUNTS = (10_000, 100_000, 500_000, 2_000_000, 10_000_000)
Figure = dict[str, float]
Words = Literal["evt3", "evt2"]


def rated(figure: Figure, n_events: int, n_bytes: int) -> dict[str, Any]:
    """A figure with its events and input bytes per second."""
    seconds = figure["median_us"] * 1e-6
    return figure | {
        "events": n_events,
        "gev_s": round(n_events / seconds / 1e9, 2),
        "input_gb_s": round(n_bytes / seconds / 1e9, 1),
    }


def maker_of(counting: Counting = "sensor", kind: FrameKind = "paper") -> CudaFrameMaker:
    """A maker whose pieces hold any of our inputs."""
    spec = FrameSpec(kind, SIZE, counting)
    return CudaFrameMaker(WIDTH, HEIGHT, spec, half=True, slot_bytes=1 << 26)


def packed_figures(
    driver: Driver, p: Packet, counting: Counting, kind: FrameKind
) -> dict[str, Any]:
    """Packed events to a frame: from the device and the host, one by one and as a graph."""
    maker = maker_of(counting, kind)
    events = Array(driver, pack(p))
    graph = maker.capture("packed")

    def direct() -> None:
        maker.add_packed(events)
        maker.finish()

    def from_host() -> None:
        maker.add([p])
        maker.finish()

    figures = {
        "device": driver.microseconds(direct, maker.stream),
        "device, graph": driver.microseconds(lambda: maker.add_packed(events, graph), maker.stream),
        "host, graph": driver.microseconds(lambda: maker.add([p], graph), maker.stream, hold=False),
        "host": driver.microseconds(from_host, maker.stream, hold=False),
        "finish alone": driver.microseconds(maker.finish, maker.stream),
    }
    return {key: rated(value, len(p), 4 * len(p)) for key, value in figures.items()}


def word_figures(driver: Driver, p: Packet, source: Words, counting: Counting) -> dict[str, Any]:
    """Raw words to a frame, likewise."""
    encoder = {"evt2": _native.Evt2Encoder, "evt3": _native.Evt3Encoder}[source](WIDTH, 0)
    data = np.asarray(encoder.encode(p.t, p.x, p.y, p.on))
    maker = maker_of(counting)
    add = getattr(maker, f"add_{source}")
    words = Array(driver, data.view("<u2" if source == "evt3" else "<u4"))
    graph = maker.capture(source)

    def direct() -> None:
        add(words)
        maker.finish()

    figures = {
        "device": driver.microseconds(direct, maker.stream),
        "device, graph": driver.microseconds(lambda: add(words, graph=graph), maker.stream),
        "host, graph": driver.microseconds(
            lambda: add(data, graph=graph), maker.stream, hold=False
        ),
    }
    return {key: rated(value, len(p), len(data)) for key, value in figures.items()}


def torch_figures(driver: Driver, p: Packet) -> dict[str, Any]:
    """Counting with torch on the same GPU, from ready indices, and its whole frame from packed."""
    try:
        import torch
        from torch.nn.functional import interpolate
    except ImportError:
        return {"torch": "not installed"}
    cells = torch.from_numpy(
        (p.on.astype(np.int64) * HEIGHT + p.y) * WIDTH + p.x.astype(np.int64)
    ).cuda()
    ones = torch.ones(len(p), dtype=torch.int32, device="cuda")
    counts = torch.zeros(2 * HEIGHT * WIDTH, dtype=torch.int32, device="cuda")
    packed = torch.from_numpy(pack(p).astype(np.int32)).cuda()

    def whole() -> None:
        index = (packed >> 11 & 0x7FF) * WIDTH + (packed & 0x7FF)
        total = torch.bincount(index, minlength=HEIGHT * WIDTH).view(1, 1, HEIGHT, WIDTH)
        frame = total / (total.max() + 1.0)
        interpolate(frame, (SIZE, SIZE), mode="bilinear", antialias=True).half()

    work: dict[str, Callable[[], object]] = {
        "index_add_": lambda: counts.index_add_(0, cells, ones),
        "bincount": lambda: torch.bincount(cells, minlength=2 * HEIGHT * WIDTH),
        "index_put_": lambda: counts.index_put_((cells,), ones, accumulate=True),
        "packed to fp16 frame (bincount)": whole,
    }
    stream = torch.cuda.current_stream().cuda_stream
    found: dict[str, Any] = {"torch": torch.__version__}
    for name, task in work.items():
        found[name] = rated(driver.microseconds(task, stream), len(p), 4 * len(p))
    return found


def main() -> None:
    """The command."""
    driver = Driver()
    driver.use()
    rng = np.random.default_rng(1)
    record: dict[str, Any] = {}
    for n in COUNTS:
        p = random_packet(n, WIDTH - 1, HEIGHT - 1, rng)
        record[f"packed, random, {n}"] = packed_figures(driver, p, "sensor", "paper")
    p = scene(2_000_000)
    for counting in get_args(Counting):
        record[f"packed, scene, {counting}"] = packed_figures(driver, p, counting, "paper")
        for source in get_args(Words):
            record[f"{source}, scene, {counting}"] = word_figures(driver, p, source, counting)
    record["packed, scene, signed"] = packed_figures(driver, p, "sensor", "signed")
    record["arrays, scene"] = array_figures(driver, p, WIDTH, HEIGHT)
    record["torch, scene, voxel_grid"] = torch_voxels(driver, p, WIDTH, HEIGHT) or "not installed"
    record["torch, scene"] = torch_figures(driver, p)
    print(json.dumps(record))


if __name__ == "__main__":
    main()
