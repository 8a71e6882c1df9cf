"""Random slices for tests of what turns slices into arrays."""

from __future__ import annotations

import numpy as np

from saccade.camera.accumulator import Accumulator
from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.slicing import Slice

SMALL = {"slot_bytes": 1 << 14}  # the host clears the ring of each accumulator


def random_events(n: int, width: int, height: int, times: str = "rising", seed: int = 0):
    """Of `EVENT_DTYPE`; one in fifty lies outside the sensor."""
    rng = np.random.default_rng(seed)
    events = np.zeros(n, EVENT_DTYPE)
    t = rng.integers(1_700_000_000_000_000, 1_700_000_000_030_000, n)
    if times in ("rising", "falling"):
        t = np.sort(t)[:: 1 if times == "rising" else -1]
    events["t"] = t[:1] if times == "equal" else t
    events["x"] = rng.integers(0, width, n) + (rng.random(n) < 0.01) * width
    events["y"] = rng.integers(0, height, n) + (rng.random(n) < 0.01) * height
    events["on"] = rng.random(n) < 0.5
    return events


def slice_of(events, begin: int | None = None, end: int | None = None) -> Slice:
    """All events in two packets; the window that holds them unless it is given."""
    packet = Packet.from_array(events)
    n = len(packet)
    t = events["t"].tolist() or [0]
    begin = min(t) if begin is None else begin
    end = max(t) + 1 if end is None else end
    return Slice(begin, end, 0, n, (packet[: n // 3], packet[n // 3 :]))


def outside(events, width: int, height: int) -> int:
    return int(((events["x"] >= width) | (events["y"] >= height)).sum())


def on_host(accumulator: Accumulator, cut: Slice) -> np.ndarray:
    """The same lines for every accumulator, whatever its device."""
    out = np.full(accumulator.shape, 7, accumulator.dtype)
    assert accumulator.make(cut, out) is out
    return out
