"""The accounts add up, whatever overlaps, gaps and drops there were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.stream.statistics import Latencies, Ledger


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 25),
    st.lists(st.sampled_from(["published", "queue", "rate"]), min_size=1, max_size=12),
    st.integers(0, 10),
    st.randoms(use_true_random=False),
)
def test_ledger_equals_the_sets_of_events(window, stride, fates, tail, random):
    slices = [(k * stride, k * stride + window) for k in range(len(fates))]
    events = max(slices[-1][1], (len(fates) - 1) * stride + window) + tail
    ledger = Ledger()
    published, lost = set(), {"queue": set(), "rate": set()}
    dropped = []  # since the last publication: several queues drop, in any order
    for (first, last), fate in zip(slices, fates, strict=True):
        if fate == "published":
            random.shuffle(dropped)
            for one in dropped:
                ledger.drop(*one)
            dropped = []
            ledger.publish(first, last)
            published |= set(range(first, last))
        else:
            dropped.append((first, last, fate))
            lost[fate] |= set(range(first, last))
    for one in dropped:
        ledger.drop(*one)
    ledger.close(events)
    assert ledger.published == len(published)
    assert ledger.dropped["rate"] == len(lost["rate"] - published)
    assert ledger.dropped["queue"] == len(lost["queue"] - lost["rate"] - published)
    assert ledger.published + sum(ledger.dropped.values()) == events


def test_a_run_broken_off_books_what_was_on_its_way_as_dropped_by_the_queue():
    ledger = Ledger()
    ledger.publish(0, 50)
    ledger.drop(100, 120)
    ledger.drop(0, 200)
    ledger.close(200)
    assert (ledger.published, ledger.dropped["queue"], ledger.dropped["slice"]) == (50, 150, 0)


def test_a_slice_beyond_the_rate_stays_so_in_a_run_broken_off():
    ledger = Ledger()
    ledger.drop(0, 60, "rate")
    ledger.drop(0, 100)
    ledger.close(100)
    assert (ledger.dropped["rate"], ledger.dropped["queue"]) == (60, 40)


def test_a_publication_that_nobody_took_is_lost():
    ledger = Ledger()
    ledger.publish(0, 50)
    ledger.publish(40, 80)
    ledger.lose_latest()
    ledger.close(80)
    assert (ledger.published, ledger.dropped["publish"]) == (50, 30)


def test_percentiles_are_right_to_half_a_percent():
    values = np.random.default_rng(1).lognormal(7, 1, 20_000)
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    summary = latencies.summary()
    for share, found in ((50, summary.p50), (90, summary.p90), (99, summary.p99)):
        assert found == pytest.approx(np.percentile(values, share), rel=0.012)
    assert summary.max == pytest.approx(values.max(), abs=0.06)


def test_nothing_measured_is_zero():
    assert Latencies().summary().p99 == 0.0
