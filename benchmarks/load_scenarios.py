"""The loads and faults of `benchmarks.load`, and what must hold under each."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_US = 30_000
BURST_US, PERIOD_US = 100_000, 1_000_000
SLOW_FROM_S = 2.0
HD = "size=1280x720"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load, and what must hold.

    Attributes:
        about: for the table.
        uri: of the camera; `{rate}` and `{burst}` are events per second.
        rate, burst: those, scaled down in the short form.
        seconds: its length.
        drops: names of the stages that must not drop; "*" is all.
        p99_ms: latest label of ninety-nine in a hundred, after its slice's end.
        worst_ms: latest label of all.
        settled_ms: latest label of a slice that begins two windows after a burst or later, after
            the arrival of its last event: our backlog, without the camera's own.
        pause_ms: longest time without a label of events.
        outages_every_s: how often the camera is unplugged.
        one_clock: the sensor's clock can be compared with ours.
        slow: the engine takes ten times as long, from 2 s to 2 s before the end; then the last
            label must be of the newest slice.
    """

    about: str
    uri: str
    rate: float
    burst: float = 0.0
    seconds: float = 10.0
    drops: tuple[str, ...] = ()
    p99_ms: float | None = None
    worst_ms: float | None = None
    settled_ms: float | None = None
    pause_ms: float | None = None
    outages_every_s: float | None = None
    one_clock: bool = True
    window_us: int = WINDOW_US
    slow: bool = False


SCENARIOS = {
    "davis": Scenario(
        "12 Mev/s, 346x260", "sim://scene?rate={rate}", 12e6, seconds=60, drops=("*",), p99_ms=10
    ),
    "hd": Scenario(
        "50 Mev/s, 1280x720", f"sim://noise?rate={{rate}}&{HD}", 50e6, seconds=60, drops=("source",)
    ),
    "bursts": Scenario(
        "165 Mev/s, bursts of 1 Gev/s for 100 ms, 1280x720",
        f"sim://noise?rate={{rate}}&burst={{burst}}&burst_for=100ms&burst_every=1s&{HD}"
        "&fifo=30ms",  # what waits in the camera is late before we have it
        165e6, 1e9, seconds=60, worst_ms=150, settled_ms=2 * WINDOW_US / 1000,
    ),
    "slowed": Scenario(
        "engine 10 times slower for 10 s", "sim://scene?rate={rate}", 12e6, seconds=14,
        worst_ms=250, window_us=10_000, slow=True,
    ),
    "silence": Scenario("no event", "sim://scene?rate={rate}", 0.0, drops=("*",)),
    "trickle": Scenario("1 event/s", "sim://scene?rate={rate}", 1.0, drops=("*",)),
    "unplug": Scenario(
        "unplugged every 600 ms, for 200 ms",
        "sim://scene?rate={rate}&unplug=400ms&replug=200ms&every=600ms", 1e6, seconds=61,
        pause_ms=2200, outages_every_s=0.6, one_clock=False,
    ),
    "stall": Scenario(
        "stalled for 500 ms every 2 s", "sim://scene?rate={rate}&stall=1s:500ms&every=2s", 1e6,
        pause_ms=1000,
    ),
    "garbage": Scenario(
        "one transfer in a hundred is random bytes", "sim://scene?rate={rate}&garbage=0.01", 1e6,
        pause_ms=1000, one_clock=False,
    ),
    "jump": Scenario(
        "clock leaps by 1 h every 2 s", "sim://scene?rate={rate}&jump=1s:1h&every=2s", 1e6,
        pause_ms=1000, one_clock=False,
    ),
}  # fmt: skip
