"""The short form of benchmarks/load.py: what must hold on any machine, however slow and busy."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from benchmarks import load_recorder
from benchmarks.load import SCENARIOS, measure, send, table
from benchmarks.load_watch import growth

#: What depends on the machine's speed; the long form judges it.
OF_SPEED = {"drops", "p99", "worst", "settled", "pause", "rate", "status"}
OF_SPEED |= {"outages", "send", "kept"}
SECONDS = 2.5
SHORT = ("bursts", "slowed", "silence", "trickle", "unplug", "stall", "garbage", "jump")


@pytest.fixture(scope="module")
def found(model):
    """What each measures; they run beside each other, for none of this depends on speed."""
    work = {name: partial(measure, name, SECONDS, _share(name), model) for name in SHORT}
    work["killed"] = partial(load_recorder.killed, 2, ("50k",))
    work["full"] = partial(load_recorder.full, SECONDS, model)
    work["subscribers"] = partial(send, 6, 1.0)
    with ThreadPoolExecutor(4) as pool:
        running = {name: pool.submit(one) for name, one in work.items()}
        yield lambda name: running[name].result()


def _share(name):
    loud = {"bursts", "slowed"}
    return 0.005 if name in loud else 1.0 if SCENARIOS[name].rate < 1e3 else 0.02


@pytest.mark.parametrize("name", SHORT)
def test_no_event_is_unaccounted_for_and_the_run_goes_on(found, name):
    facts = found(name)
    assert all(held for key, held in facts["passed"].items() if key not in OF_SPEED), facts
    assert facts["labels"] > 5
    assert name == "silence" or facts["events_in"] > 0
    # A leap of the clock becomes 2 s of empty slices at most, and of those there are few here.
    most = SECONDS * 1e6 / SCENARIOS[name].window_us + (300 if name != "garbage" else 1e6)
    assert facts["slices"] < most
    json.dumps(facts)
    assert facts["about"] in table({"scenarios": {name: facts}, "others": {}})


def test_an_unplugged_camera_is_counted_and_comes_back(found):
    assert 1 <= found("unplug")["outages"] <= 5
    assert found("unplug")["events_in"] > 0


@pytest.mark.parametrize("name", ["killed", "full", "subscribers"])
def test_what_ends_badly_leaves_what_was_promised(found, name):
    facts = found(name)
    if not facts["passed"]:
        pytest.skip(facts["note"])
    assert all(held for key, held in facts["passed"].items() if key not in OF_SPEED), facts
    assert facts["about"] in table({"scenarios": {}, "others": {name: facts}})


def test_growth_is_the_slope_of_a_line():
    assert growth([(float(k), 100.0 + k / 60) for k in range(60)]) == 1.0
    assert growth([]) == 0.0
    assert set(SCENARIOS) >= {"davis", "hd", *SHORT}
