"""Labels under load: what is promised of a live source, by scenario, with a virtual camera.

`python -m benchmarks.load [--seconds 60] [--only NAME] [--readme]` writes
`benchmarks/records/load.json`. Each scenario is `saccade run` in a process of its own, its labels
and its status read by a subscriber in this one, its memory read from /proc. Event to label is open
loop: from the end of a slice by the sensor's clock, which is set against this machine's by the
arrival that was quickest, until the label was received. A camera, the run and the subscriber share
the machine's cores: on a busy one, or one of two cores, the camera may be what fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import write_readme, write_record
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import LabelHeader, Message, StatusHeader

WINDOW_US = 30_000
BURST_US, PERIOD_US = 100_000, 1_000_000
SLOW_FROM_S = 2.0
#: Megabytes a minute that the resident memory may grow, by a line through its second half.
MOST_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A load, and what must hold.

    Attributes:
        about: for the table.
        uri: of the camera; `{rate}` and `{burst}` are events per second.
        rate, burst: those, scaled down in the short form.
        drops: names of the stages that must not drop; "*" is all.
        p99_ms: latest label of ninety-nine in a hundred.
        worst_ms: latest label of all.
        settled_ms: latest label of a slice that begins two windows after a burst or later.
        slow: the engine takes ten times as long, from 2 s to 2 s before the end.
    """

    about: str
    uri: str
    rate: float
    burst: float = 0.0
    drops: tuple[str, ...] = ()
    p99_ms: float | None = None
    worst_ms: float | None = None
    settled_ms: float | None = None
    slow: bool = False


HD = "size=1280x720"
SCENARIOS = {
    "davis": Scenario(
        "12 Mev/s, DAVIS346", "sim://scene?rate={rate}", 12e6, drops=("*",), p99_ms=10.0
    ),
    "hd": Scenario(
        "50 Mev/s, 1280x720", f"sim://noise?rate={{rate}}&{HD}", 50e6, drops=("source",)
    ),
    "bursts": Scenario(
        "165 Mev/s, bursts of 1 Gev/s for 100 ms",
        f"sim://noise?rate={{rate}}&burst={{burst}}&burst_for=100ms&burst_every=1s&{HD}",
        165e6, 1e9, worst_ms=150.0, settled_ms=60.0,
    ),
    "slowed": Scenario(
        "engine 10 times slower for a while", "sim://scene?rate={rate}", 12e6, worst_ms=250.0,
        slow=True,
    ),
    "silence": Scenario("no event", "sim://scene?rate={rate}", 0.0, drops=("*",)),
    "trickle": Scenario("1 event/s", "sim://scene?rate={rate}", 1.0, drops=("*",)),
}  # fmt: skip


class Watched:
    """What a subscriber saw of a run, and its memory."""

    def __init__(self, process: subprocess.Popen[bytes], address: str) -> None:
        self.labels: list[tuple[int, LabelHeader]] = []  # receipt, monotonic ns
        self.states: list[StatusHeader] = []
        self.rss: list[tuple[float, float]] = []  # s, MB
        self._process = process
        self._subscriber = Subscriber(address, ("label/", "status/"), until_end=True)
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def read(self) -> None:
        """Until the run has said that it ended, or is no more."""
        while not self._subscriber.ended:
            message = self._subscriber.receive(timeout_s=1.0)
            if message is not None:
                self._take(message)
            elif self._process.poll() is not None:
                break
        self._process.wait()
        self._thread.join()
        self._subscriber.close()

    def _take(self, message: Message) -> None:
        if isinstance(message.header, LabelHeader):
            self.labels.append((time.monotonic_ns(), message.header))
        elif isinstance(message.header, StatusHeader):
            self.states.append(message.header)

    def _sample(self) -> None:
        begun = time.monotonic()
        while self._process.poll() is None:
            try:
                text = Path(f"/proc/{self._process.pid}/statm").read_text()
            except OSError:
                return
            fields = text.split()
            if len(fields) > 1:  # none of a process that has just ended
                self.rss.append((time.monotonic() - begun, int(fields[1]) * 4096 / 1e6))
            time.sleep(0.2)


def measure(name: str, seconds: float, share: float, model: str | None = None) -> dict[str, Any]:
    """Runs one scenario; gives its figures, and under "passed" whether each promise held.

    Args:
        name: one of `SCENARIOS`.
        seconds: its length.
        share: of its rates.
        model: another one than the default.
    """
    scenario = SCENARIOS[name]
    uri = scenario.uri.format(rate=scenario.rate * share, burst=scenario.burst * share)
    with tempfile.TemporaryDirectory() as folder:
        address, summary = f"ipc://{folder}/out", Path(folder) / "summary.json"
        arguments = ["run", uri, "--seconds", str(seconds), "--window", f"{WINDOW_US}us"]
        arguments += ["--out", address, "--wait-for", "1", "--summary", str(summary)]
        arguments += ["--model", model] if model else []
        program = [sys.executable, "-m", "saccade"]
        if scenario.slow:
            end = max(SLOW_FROM_S, seconds - SLOW_FROM_S)
            program = [sys.executable, "-m", "benchmarks.load_slow", str(SLOW_FROM_S), str(end)]
        process = subprocess.Popen([*program, *arguments], stdout=subprocess.DEVNULL)
        watched = Watched(process, address)
        watched.read()
        if process.returncode:
            raise SystemExit(f"{name}: `saccade {' '.join(arguments)}` ended {process.returncode}")
        return _judged(scenario, watched, json.loads(summary.read_text()), seconds)


def _judged(
    scenario: Scenario, watched: Watched, total: dict[str, Any], seconds: float
) -> dict[str, Any]:
    late = latencies_ms(watched)
    dropped = total["dropped"]
    must_not = dropped if "*" in scenario.drops else scenario.drops
    facts: dict[str, Any] = {
        "about": scenario.about,
        "seconds": seconds,
        "events_in": total["events_in"],
        "mev_s": round(total["events_in"] / seconds / 1e6, 2),
        "labels": total["labels"],
        "dropped": {stage: n for stage, n in dropped.items() if n},
        "latency_ms": {
            f"p{q}": round(float(np.percentile(late, q)), 2) if len(late) else None
            for q in (50, 99, 100)
        },
        "settled_ms": round(float(late[settled(watched)].max(initial=0.0)), 2),
        "rss_mb": round(max((mb for _, mb in watched.rss), default=0.0), 1),
        "rss_mb_per_min": growth(watched.rss),
        "backlog_mb": round(max((s.backlog_bytes for s in watched.states), default=0) / 1e6, 1),
    }
    passed = {
        "identity": balanced(total) and all(map(_balanced_at, watched.states)),
        "status": len(watched.states) >= int(seconds) - 1,
        "rate": total["slices"] >= 0.8 * seconds * 1e6 / WINDOW_US,
        "memory": facts["rss_mb_per_min"] <= MOST_GROWTH,
    }
    if scenario.drops:
        passed["drops"] = not any(dropped[stage] for stage in must_not)
    for key, limit, value in (
        ("p99", scenario.p99_ms, facts["latency_ms"]["p99"]),
        ("worst", scenario.worst_ms, facts["latency_ms"]["p100"]),
        ("settled", scenario.settled_ms, facts["settled_ms"]),
    ):
        if limit is not None:
            passed[key] = value is not None and value <= limit
    return facts | {"passed": passed}


def balanced(total: dict[str, Any]) -> bool:
    """Whether every event was published or dropped by a stage."""
    return total["events_in"] == total["events_published"] + sum(total["dropped"].values())


def _balanced_at(state: StatusHeader) -> bool:
    dropped = sum(getattr(state.dropped, stage) for stage in state.dropped.__struct_fields__)
    return state.events_in == state.events_published + dropped + state.events_pending


def latencies_ms(watched: Watched) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Of each label of events: from its slice's end to its receipt."""
    labels = _of_events(watched)
    if not labels:
        return np.array([], np.float64)
    offset_ns = min(header.clock_offset_ns for _, header in labels)
    return np.array([at - header.t_end_us * 1000 - offset_ns for at, header in labels]) / 1e6


def settled(watched: Watched) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which of these slices begin two windows after the last burst or later; bursts end periods."""
    begins = np.array([header.t_begin_us for _, header in _of_events(watched)], np.int64)
    at = begins % PERIOD_US
    return (at >= 2 * WINDOW_US) & (at + WINDOW_US <= PERIOD_US - BURST_US)


def _of_events(watched: Watched) -> list[tuple[int, LabelHeader]]:
    return [(at, header) for at, header in watched.labels if header.n_events]


def growth(rss: list[tuple[float, float]]) -> float:
    """Megabytes a minute, by a line through the second half of the samples, the end left out."""
    half = rss[len(rss) // 2 : -5]
    if len(half) < 2:
        return 0.0
    seconds, megabytes = np.array(half).T
    return round(float(np.polyfit(seconds, megabytes, 1)[0]) * 60, 2)


def table(record: dict[str, Any]) -> str:
    """The README's table of a record."""
    lines = [
        "| load | Mev/s | dropped | slice's end to label, ms: p50, p99, max | memory, MB | holds |",
        "|---|---|---|---|---|---|",
    ]
    for facts in record["scenarios"].values():
        late = facts["latency_ms"]
        shown = ", ".join("-" if late[q] is None else f"{late[q]:.1f}" for q in late)
        dropped = ", ".join(f"{stage} {n:,}" for stage, n in facts["dropped"].items()) or "0"
        failed = ", ".join(key for key, held in facts["passed"].items() if not held)
        lines.append(
            f"| {facts['about']} | {facts['mev_s']} | {dropped} | {shown} | {facts['rss_mb']:.0f} "
            f"| {f'not {failed}' if failed else 'all'} |"
        )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each scenario")
    parser.add_argument("--share", type=float, default=1.0, help="of the rates")
    parser.add_argument("--only", choices=SCENARIOS, action="append")
    parser.add_argument("--model")
    parser.add_argument("--readme", action="store_true", help="write the table in README.md")
    parser.add_argument("--print", action="store_true", help="write no record")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    for name in options.only or SCENARIOS:
        found[name] = measure(name, options.seconds, options.share, options.model)
        print(name, json.dumps(found[name]), flush=True)
    if options.print:
        print(table({"scenarios": found}))
        return
    path = write_record("load", {"scenarios": found})
    if options.readme:
        write_readme("load", table(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
