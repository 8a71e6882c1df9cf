"""Disturbances: events as they would be under other conditions."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.camera.disturbances import Disturbance
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet


def packets(n=4, each=500, seed=0):
    """Packets of 20 ms of a sensor of 64x48, one after the other; times fall a little in each."""
    rng = np.random.default_rng(seed)
    for k in range(n):
        t = np.sort(rng.integers(20_000 * k, 20_000 * (k + 1), each)).astype("u8")
        t[10:12] = t[11:9:-1]
        x, y = rng.integers(0, 64, each).astype("u2"), rng.integers(0, 48, each).astype("u2")
        yield Packet(t, x, y, rng.random(each) < 0.5)


def disturb(disturbance, source=None):
    """The events, all in one packet."""
    found = list(disturbance.apply(source or packets(), 64, 48, np.random.default_rng(7)))
    columns = zip(*[(p.t, p.x, p.y, p.on) for p in found], strict=True)
    return Packet(*map(np.concatenate, columns))


def test_noise_comes_at_its_rate_between_the_events():
    before, after = disturb(Disturbance()), disturb(Disturbance(noise_hz=20.0))
    added = len(after) - len(before)
    expected = 20 * 64 * 48 * float(before.t.max() - before.t.min()) / 1e6
    assert abs(added - expected) < 4 * expected**0.5
    events = {tuple(each) for each in before.to_array().tolist()}
    rows = after.to_array().tolist()
    kept = [row for row in rows if row in events]
    noise = [row for row in rows if row not in events]
    assert kept[: len(before)] == before.to_array().tolist()
    x, y, on = (np.array(column) for column in list(zip(*noise, strict=True))[1:])
    assert (x.max(), y.max()) == (63, 47)
    assert 25 < x.mean() < 38
    assert 0.4 < on.mean() < 0.6
    times = np.array([row[0] for row in noise])
    assert (np.diff(times) >= 0).all()
    assert np.histogram(times, 4)[0].min() > 0.7 * len(noise) / 4


def test_a_silence_gets_no_noise():
    t = np.array([0, 1000, 5_000_000, 5_001_000], np.uint64)
    zeros = np.zeros(4, np.uint16)
    events = Packet(t, zeros, zeros, np.ones(4, bool))
    after = disturb(Disturbance(noise_hz=1000.0), iter([events[:1], events[1:3], events[3:]]))
    assert len(after) > 4000
    assert not ((after.t > 1000) & (after.t < 5_000_000)).any()


def test_noise_goes_on_after_a_clock_that_was_set_back():
    zeros, on = np.zeros(2, np.uint16), np.ones(2, bool)
    times = [[0, 50_000_000], [1000, 500_000], [500_000, 1_000_000]]
    source = (Packet(np.array(t, np.uint64), zeros, zeros, on) for t in times)
    after = disturb(Disturbance(noise_hz=1.0), source)
    assert abs(len(after) - 6 - 64 * 48 * 0.999) < 4 * (64 * 48) ** 0.5


def test_half_of_the_events_are_dropped_by_chance():
    before, after = disturb(Disturbance()), disturb(Disturbance(kept=0.5))
    assert abs(len(after) / len(before) - 0.5) < 0.05
    assert {*after.to_array().tolist()} <= {*before.to_array().tolist()}


def test_times_and_coordinates_are_scaled():
    before = disturb(Disturbance())
    assert (disturb(Disturbance(speed=2.0)).t == before.t // 2).all()
    assert (disturb(Disturbance(speed=0.5)).t == before.t * 2).all()
    last = Packet(np.array([2**64 - 1], np.uint64), before.x[:1], before.y[:1], before.on[:1])
    assert disturb(Disturbance(speed=0.5), iter([last])).t[0] == 2**63
    large = Disturbance(sensor=(1280, 720))
    assert large.size(64, 48) == (1280, 720)
    after = disturb(large)
    assert (after.x == before.x * 20).all()
    assert (after.y == before.y.astype(int) * 15).all()
    assert (disturb(Disturbance(sensor=(32, 47))).y == before.y.astype(int) * 47 // 48).all()


def test_chances_are_those_of_the_seed():
    for each in (Disturbance(noise_hz=5.0), Disturbance(kept=0.3)):
        np.testing.assert_array_equal(disturb(each).to_array(), disturb(each).to_array())


def test_what_cannot_be_is_refused():
    for values in ({"kept": 0.0}, {"speed": 0.0}, {"noise_hz": -1.0}, {"sensor": (0, 5)}):
        with pytest.raises(SaccadeError):
            Disturbance(**values)
