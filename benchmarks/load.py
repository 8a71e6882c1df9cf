"""Labels under load: what is promised of a live source, by scenario, with a virtual camera.

`python -m benchmarks.load [--only NAME] [--readme]` writes `benchmarks/records/load.json` and takes
some ten minutes. Each scenario is `saccade run` in a process of its own, its labels and its status
read by a subscriber in this one, its memory read from /proc. Event to label is open loop: from the
end of a slice by the sensor's clock, which is set against this machine's by the arrival that was
quickest, until the label was received. A camera, the run and the subscriber share the machine's
cores: `cores` says what the first two take of them, `waited` how many of their threads were ready
and had none. Then recorders are killed or fill their disk (`load_recorder`), and subscribers
are stopped and killed (`subscribers`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import load_recorder, subscribers
from benchmarks.common import write_readme, write_record
from benchmarks.load_scenarios import SCENARIOS, SLOW_FROM_S, WINDOW_US, Scenario
from benchmarks.load_watch import Watched, growth, latencies_ms, pause_ms, settled_ms
from saccade.stream.wire import StatusHeader

#: Megabytes a minute that the resident memory may grow in its second half; of a shorter run that
#: says nothing.
MOST_GROWTH, LEAST_SLOPE_S = 2.0, 30.0
#: Milliseconds that publishing a label may take, 99 of 100 times, whoever subscribes.
MOST_SEND_MS = 1.0


def measure(
    name: str, seconds: float | None = None, share: float = 1.0, model: str | None = None
) -> dict[str, Any]:
    """Runs one scenario; gives its figures, and under "passed" whether each promise held.

    Args:
        name: one of `SCENARIOS`.
        seconds: another length.
        share: of its rates.
        model: another one than the default.
    """
    scenario = SCENARIOS[name]
    seconds = seconds or scenario.seconds
    uri = scenario.uri.format(rate=scenario.rate * share, burst=scenario.burst * share)
    with tempfile.TemporaryDirectory() as folder:
        address, summary = f"ipc://{folder}/out", Path(folder) / "summary.json"
        arguments = ["run", uri, "--seconds", str(seconds), "--window", f"{scenario.window_us}us"]
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
        total = json.loads(summary.read_text())
    facts = _facts(scenario, watched, total, seconds)
    return facts | {"passed": _passed(scenario, watched, total, facts)}


def _facts(
    scenario: Scenario, watched: Watched, total: dict[str, Any], seconds: float
) -> dict[str, Any]:
    late = latencies_ms(watched) if scenario.one_clock else np.array([])
    return {
        "about": scenario.about,
        "seconds": seconds,
        "events_in": total["events_in"],
        "mev_s": round(total["events_in"] / seconds / 1e6, 2),
        "slices": total["slices"],
        "labels": total["labels"],
        "dropped": {stage: n for stage, n in total["dropped"].items() if n},
        "latency_ms": {
            f"p{q}": round(float(np.percentile(late, q)), 2) if len(late) else None
            for q in (50, 99, 100)
        },
        "settled_ms": None if scenario.settled_ms is None else settled_ms(watched),
        "pause_ms": pause_ms(watched),
        "outages": max((state.outages for state in watched.states), default=0),
        "rss_mb": round(max((mb for _, mb in watched.rss), default=0.0), 1),
        "rss_mb_per_min": growth(watched.rss),
        "held_per_min": growth(watched.open),
        "backlog_mb": round(max((s.backlog_bytes for s in watched.states), default=0) / 1e6, 1),
        "cores": {whose: round(ran / seconds, 2) for whose, ran in watched.ran.items()},
        "waited": {whose: round(s / seconds, 2) for whose, s in watched.waited.items()},
    }


def _passed(
    scenario: Scenario, watched: Watched, total: dict[str, Any], facts: dict[str, Any]
) -> dict[str, bool]:
    dropped, seconds = total["dropped"], facts["seconds"]
    passed = {
        "identity": balanced(total) and all(map(_balanced_at, watched.states)),
        "one run": len({header.run for _, header in watched.labels}) == 1,
        "status": len(watched.states) >= int(seconds) - 1,
        "rate": total["slices"] >= 0.8 * seconds * 1e6 / scenario.window_us,
    }
    if seconds >= LEAST_SLOPE_S:
        passed["memory"] = facts["rss_mb_per_min"] <= MOST_GROWTH
        passed["descriptors and threads"] = facts["held_per_min"] <= 1.0
    if scenario.drops:
        must_not = dropped if "*" in scenario.drops else scenario.drops
        passed["drops"] = not any(dropped[stage] for stage in must_not)
    if scenario.slow:  # nothing was dropped after the last label
        passed["newest"] = watched.labels[-1][1].dropped.queue == dropped["queue"]
    if scenario.outages_every_s is not None:
        passed["outages"] = facts["outages"] >= int(seconds / scenario.outages_every_s) - 1
    for key, limit, value in (
        ("p99", scenario.p99_ms, facts["latency_ms"]["p99"]),
        ("worst", scenario.worst_ms, facts["latency_ms"]["p100"]),
        ("settled", scenario.settled_ms, facts["settled_ms"]),
        ("pause", scenario.pause_ms, facts["pause_ms"]),
    ):
        if limit is not None:
            passed[key] = value is not None and value <= limit
    return passed


def balanced(total: dict[str, Any]) -> bool:
    """Whether every event was published or dropped by a stage."""
    return total["events_in"] == total["events_published"] + sum(total["dropped"].values())


def _balanced_at(state: StatusHeader) -> bool:
    dropped = sum(getattr(state.dropped, stage) for stage in state.dropped.__struct_fields__)
    return state.events_in == state.events_published + dropped + state.events_pending


def send(readers: int = 50, seconds: float = 15.0, rate: float = 100.0) -> dict[str, Any]:
    """Subscribers of whom one is stopped and one is killed: what publishing a label takes."""
    facts = subscribers.measure(readers, int(seconds * rate), rate)
    return {
        "about": f"{readers} subscribers, one stopped, one killed",
        **facts,
        "note": f"sending takes {facts['p99_ms']:.2f} ms, 99 of 100 times",
        "passed": {"send": facts["p99_ms"] < MOST_SEND_MS},
    }


#: What is measured besides the scenarios.
OTHERS: dict[str, Callable[[], dict[str, Any]]] = {
    "killed": load_recorder.killed,
    "full": load_recorder.full,
    "subscribers": send,
}


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
        lines.append(
            f"| {facts['about']} | {facts['mev_s']} | {dropped} | {shown} | {facts['rss_mb']:.0f} "
            f"| {_held(facts)} |"
        )
    lines += ["", *(f"- {facts['about']}: {_held(facts)}." for facts in record["others"].values())]
    if machine := record.get("machine"):
        lines += [
            "",
            f"Slices of {WINDOW_US // 1000} ms, saccade-mini; {machine['cores']} cores "
            f"({machine['cpu']}) for the virtual camera, the run and the subscriber together. Made "
            "by `python -m benchmarks.load --readme`.",
        ]
    return "\n".join(lines)


def _held(facts: dict[str, Any]) -> str:
    failed = ", ".join(key for key, held in facts["passed"].items() if not held)
    return (f"not {failed}" if failed else "all") + (
        f" ({facts['note']})" if "note" in facts else ""
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="of each scenario, not its own length")
    parser.add_argument("--share", type=float, default=1.0, help="of the rates")
    parser.add_argument("--only", choices=[*SCENARIOS, *OTHERS], action="append")
    parser.add_argument("--model")
    parser.add_argument("--readme", action="store_true", help="write the table in README.md")
    parser.add_argument("--print", action="store_true", help="write no record")
    options = parser.parse_args()
    found: dict[str, dict[str, Any]] = {"scenarios": {}, "others": {}}
    for name in options.only or [*SCENARIOS, *OTHERS]:
        if name in SCENARIOS:
            facts = measure(name, options.seconds, options.share, options.model)
        else:
            facts = OTHERS[name]()
        found["scenarios" if name in SCENARIOS else "others"][name] = facts
        print(name, json.dumps(facts), flush=True)
    if options.print:
        print(table(found))
        return
    path = write_record("load", {"load_average": os.getloadavg()[0], **found})
    if options.readme:
        write_readme("load", table(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
