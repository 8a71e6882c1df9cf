"""The short form of benchmarks/load.py: what must hold on any machine, however slow and busy."""

from __future__ import annotations

import json

import pytest
from benchmarks.load import SCENARIOS, growth, measure, table

#: What depends on the machine's speed; the long form judges it.
OF_SPEED = {"drops", "p99", "worst", "settled", "memory", "rate", "status"}


@pytest.mark.parametrize("name", ["bursts", "slowed", "silence", "trickle"])
def test_no_event_is_unaccounted_for_and_the_status_goes_on(model, name):
    facts = measure(name, 3.0, share=1.0 if name in ("silence", "trickle") else 0.02, model=model)
    assert all(held for key, held in facts["passed"].items() if key not in OF_SPEED), facts
    assert facts["labels"] > 5
    assert name == "silence" or facts["events_in"] > 0
    json.dumps(facts)
    assert facts["about"] in table({"scenarios": {name: facts}})


def test_every_scenario_judges_its_identity_and_memory_by_a_line(model):
    assert growth([(float(k), 100.0 + k / 60) for k in range(60)]) == 1.0
    assert growth([]) == 0.0
    assert set(SCENARIOS) >= {"davis", "hd", "bursts", "slowed", "silence", "trickle"}
