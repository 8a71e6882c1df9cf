"""Checks arrays of a GPU against those of the CPU; every difference is an AssertionError.

`python -m benchmarks.gpu_parity [--small]`; with --small it is short enough for compute-sanitizer.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise, product

import numpy as np

from benchmarks.gpu_arrays import check_slice
from benchmarks.gpu_driver import Array, Driver
from benchmarks.scenes import HD, packets
from saccade.camera import _native
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec

SIZES = ((1280, 720, 224), (346, 260, 224), (31, 17, 64), (7, 300, 33), (1, 1, 5), (2048, 2048, 96))
KINDS, COUNTINGS = ("paper", "signed", "clamped"), ("sensor", "encoder")


def random_packet(n: int, width: int, height: int, rng: np.random.Generator) -> Packet:
    """Events anywhere, a few of them outside the sensor."""
    x = rng.integers(0, width + 1, n).astype(np.uint16)
    y = rng.integers(0, height + 1, n).astype(np.uint16)
    return Packet(np.arange(n, dtype=np.uint64), x, y, rng.random(n) < 0.5)


def pack(p: Packet) -> np.ndarray:
    """uint32 [N], as CudaFrameMaker.add_packed takes them."""
    return p.x | p.y.astype(np.uint32) << 11 | p.on.astype(np.uint32) << 22


def scene(n: int) -> Packet:
    """About n events as a 1280x720 sensor gives them."""
    return Packet.joined(list(packets(HD, min(1.0, n / HD.events))))


def check_frames(driver: Driver, p: Packet, width: int, height: int, spec: FrameSpec) -> None:
    """Counts, frames in both precisions, from the host and from the device."""
    reference = FrameMaker(width, height, spec)
    counts, frame = reference.count([p]), reference.make([p])
    maker = CudaFrameMaker(width, height, spec, slot_bytes=1 << 16)
    halves = CudaFrameMaker(width, height, spec, channels=3, half=True)
    half = len(p) // 2
    assert np.array_equal(maker.count([p[:half], p[half:]]), counts)
    assert np.abs(maker.make([p]).to_host()[0] - frame).max() <= 1e-6
    assert np.abs(halves.make([p]).to_host().astype(np.float32) - frame).max() <= 1e-3
    inside = p.x < 2048  # what else is out of bounds is no packed event
    events = Array(driver, pack(p)[inside & (p.y < 2048)])
    maker.add_packed(events)
    assert np.array_equal(maker.counts_to_host(), counts)
    assert np.abs(maker.finish().to_host()[0] - frame).max() <= 1e-6
    assert maker.saturated * 2 == reference.saturated * 3  # two passes there, three here
    graph = halves.capture("packed")
    halves.add_packed(events, graph)
    found = halves.frame_on_device().to_host()
    assert np.abs(found.astype(np.float32) - frame).max() <= 1e-3


def check_words(driver: Driver, source: str, data: bytes, size: tuple[int, int], cuts: int) -> None:
    """Counts and losses of raw bytes, in chunks from the host and at once from the device."""
    rng = np.random.default_rng(3)
    decoder = {"evt2": _native.Evt2Decoder, "evt3": _native.Evt3Decoder}[source](*size)
    events = Packet(*decoder.decode(np.frombuffer(data, np.uint8)))
    inside = events.t.copy()
    begin, end = (0, 1 << 63) if not len(inside) else np.quantile(inside, [0.2, 0.8]).astype(int)
    chosen = (events.t >= np.uint64(begin)) & (events.t < np.uint64(end))
    spec = FrameSpec("signed", 64, "sensor")
    part = Packet(events.t[chosen], events.x[chosen], events.y[chosen], events.on[chosen])
    wanted = FrameMaker(*size, spec).count([part])
    edges = np.sort([0, *rng.integers(0, len(data) + 1, cuts), len(data)])
    for again in (False, True):
        maker = CudaFrameMaker(*size, spec, slot_bytes=1 << 14)
        add = getattr(maker, f"add_{source}")
        for a, b in pairwise(edges):
            if again:
                add(data[a:b], 0, 0)
            add(data[a:b], int(begin), int(end), again)
        assert np.array_equal(maker.counts_to_host(), wanted)
        losses = decoder.dropped | decoder.skipped
        found = maker.dropped | maker.skipped
        assert {name: found[name] for name in losses} == losses
    maker = CudaFrameMaker(*size, spec)
    width = 2 if source == "evt3" else 4
    whole = len(data) // width * width
    words = Array(driver, np.frombuffer(data[:whole], f"<u{width}"))
    getattr(maker, f"add_{source}")(words, int(begin), int(end))
    assert np.array_equal(maker.counts_to_host(), wanted)


def check_extremes(driver: Driver, n: int) -> None:
    """All events at one pixel, and counters that overflow in both halves of their word."""
    rng = np.random.default_rng(4)
    for share in (0.0, 0.4, 1.0):
        x = np.where(rng.random(n) < 0.9, 3, rng.integers(0, 64, n)).astype(np.uint16)
        p = Packet(np.zeros(n, np.uint64), x, np.full(n, 2, np.uint16), rng.random(n) < share)
        for counting in COUNTINGS:
            check_frames(driver, p, 64, 48, FrameSpec("signed", 32, counting))


def check_arrays(driver: Driver, small: bool, rng: np.random.Generator) -> int:
    """Histograms, voxel grids and time surfaces; gives the number of checks."""
    checks = 0
    sizes = ((346, 260), (31, 17), (7, 300), (1, 1), (2048, 3), (3, 2048))
    for width, height in sizes[1:2] if small else sizes:
        for n in (0, 1, 3000) if small else (0, 1, 5, 300_000):
            p = random_packet(n, width, height, rng)
            checks += check_slice(driver, p, width, height)
        equal = Packet(np.zeros_like(p.t), p.x, p.y, p.on)  # of the longest
        checks += check_slice(driver, equal, width, height)
    n = 70_000 if small else 10_000_000
    one = np.full(n, 3, np.uint16)  # all at one pixel: counters that stop
    p = Packet(np.arange(n, dtype=np.uint64), one, one, rng.random(n) < 0.7)
    checks += check_slice(driver, p, 31, 17)
    return checks if small else checks + check_slice(driver, scene(2_000_000), 1280, 720)


def check_all(driver: Driver, small: bool) -> int:
    """Every check; gives their number."""
    rng, checks = np.random.default_rng(2), 0
    sizes = ((31, 17, 64), (346, 260, 96)) if small else SIZES
    for (width, height, size), kind, counting in product(sizes, KINDS, COUNTINGS):
        spec = FrameSpec(kind, size, counting, clamp=3)
        for n in (0, 1, 3000) if small else (0, 1, 5, 20_000, 300_000):
            check_frames(driver, random_packet(n, width, height, rng), width, height, spec)
            checks += 1
    check_extremes(driver, 70_000 if small else 700_000)
    checks += check_arrays(driver, small, rng)
    for source, bits in (("evt2", 32), ("evt3", 16)):
        for size in ((640, 480), (1280, 720), (1, 1)):
            n = 20_000 if small else 2_000_000
            words = rng.integers(0, 1 << bits, n, dtype=np.uint32).astype(f"<u{bits // 8}")
            check_words(driver, source, words.tobytes() + b"\x01", size, 5 if small else 40)
            checks += 1
    p = scene(30_000 if small else 2_000_000)
    for encoder, source in ((_native.Evt2Encoder, "evt2"), (_native.Evt3Encoder, "evt3")):
        data = bytes(encoder(1280, 0).encode(p.t, p.x, p.y, p.on))
        check_words(driver, source, data, (1280, 720), 5 if small else 40)
        checks += 1
    for kind in KINDS[: 1 if small else 3]:
        check_frames(driver, p, 1280, 720, FrameSpec(kind, 224, "sensor"))
        checks += 1
    return checks


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    begun = time.perf_counter()
    driver = Driver()
    driver.use()
    checks = check_all(driver, options.small)
    print(f"kernels of {_native.__file__}")
    print(f"{checks} checks, no difference, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
