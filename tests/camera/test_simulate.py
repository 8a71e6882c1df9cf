"""The simulator against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.camera.errors import SaccadeError
from saccade.camera.simulate import (
    Path,
    Sensor,
    Simulator,
    log_intensity,
    random_walk,
    saccades,
    simulate_image,
)

CLEAN = Sensor(64, 48, 0.2, 0.2, 0.0, 0, 0.0, 0.0)


# Pixels begin anywhere in their dead zone (-threshold_off, threshold_on), so a rise by C gives
# C / threshold - 1/2 events on average, and a fall after it C / threshold - 1.


def test_events_per_pixel_are_contrast_over_threshold():
    simulator = Simulator(CLEAN, seed=1)
    assert len(simulator.step(np.zeros((48, 64), np.float32), 0)) == 0
    up = simulator.step(np.full((48, 64), 1.0, np.float32), 10_000)
    assert up.on.all()
    assert len(up) / (48 * 64) == pytest.approx(1.0 / 0.2 - 0.5, rel=0.01)
    down = simulator.step(np.full((48, 64), 0.0, np.float32), 20_000)
    assert not down.on.any()
    assert len(down) / (48 * 64) == pytest.approx(1.0 / 0.2 - 1, rel=0.01)


def test_times_are_linear_in_the_light():
    simulator = Simulator(CLEAN, seed=1)
    simulator.step(np.zeros((48, 64), np.float32), 1000)
    t = simulator.step(np.full((48, 64), 2.0, np.float32), 11_000).t
    assert np.all(np.diff(t.astype(np.int64)) >= 0)
    assert t.min() >= 1000
    assert t.max() <= 11_000
    counts = np.histogram(t, 10, (1000, 11_000))[0] / (64 * 48)
    np.testing.assert_allclose(counts[1:], 1.0, atol=0.03)  # the light rises by a threshold a bin


def test_a_moving_edge_fires_where_it_passes_and_with_its_polarity():
    image = np.full((48, 128), 0.1)
    image[:, 64:] = 0.8
    path = Path(np.array([0, 100_000]), np.array([10.0, -10.0]), np.zeros(2))
    events = list(simulate_image(image, path, CLEAN, seed=3, fit=2.0))
    x = np.concatenate([p.x for p in events])
    on = np.concatenate([p.on for p in events])
    assert on.all()
    assert x.min() >= 20 and x.max() <= 43
    contrast = float(np.diff(log_intensity(np.array([[0.1, 0.8]])))[0, 0])
    inner = np.sum((x >= 25) & (x < 39)) / (14 * 48)
    assert inner == pytest.approx(contrast / 0.2 - 0.5, rel=0.03)


def test_noise_and_leak_come_at_their_rates():
    sensor = Sensor(64, 48, 0.2, 0.2, 0.0, 0, leak_hz=0.0, noise_hz=5.0)
    still = Path(np.array([0, 2_000_000]), np.zeros(2), np.zeros(2))
    gray = np.full((48, 64), 0.5)
    n = sum(len(p) for p in simulate_image(gray, still, sensor, seed=1))
    assert n / (64 * 48 * 2) == pytest.approx(5.0, rel=0.03)
    leaky = Sensor(64, 48, 0.2, 0.2, 0.0, 0, leak_hz=2.0, noise_hz=0.0)
    packets = list(simulate_image(gray, still, leaky, seed=1))
    assert sum(len(p) for p in packets) / (64 * 48 * 2) == pytest.approx(2.0 - 0.5 / 2, rel=0.03)
    assert all(p.on.all() for p in packets)


def test_a_seed_gives_the_same_events_and_another_does_not():
    image = np.random.default_rng(0).random((60, 80))
    path = saccades(60_000, 12)

    def events(seed):
        return [p.to_array() for p in simulate_image(image, path, Sensor(80, 60), seed=seed)]

    first, again, other = events(5), events(5), events(6)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert sum(map(len, first)) != sum(map(len, other))


def test_the_refractory_period_silences_a_pixel():
    sensor = Sensor(64, 48, 0.2, 0.2, 0.0, refractory_us=50_000, leak_hz=0.0, noise_hz=0.0)
    simulator = Simulator(sensor, seed=1)
    simulator.step(np.zeros((48, 64), np.float32), 0)
    packet = simulator.step(np.full((48, 64), 3.0, np.float32), 40_000)
    assert len(packet) == 64 * 48


def test_paths_last_as_long_as_they_say():
    for path in (saccades(300_000, 20, 50), random_walk(300_000, 100, seed=1, start_us=50)):
        assert (path.t_us[0], path.t_us[-1]) == (50, 300_050)
        assert np.all(np.diff(path.t_us) > 0)
    assert saccades(300_000, 20).at(150_000) == pytest.approx((5.0, 0.0))


@pytest.mark.parametrize("image", [np.zeros((0, 5)), np.zeros((4, 4, 3))])
def test_an_image_that_is_none_is_refused(image):
    with pytest.raises(SaccadeError, match="image of shape"):
        list(simulate_image(image, saccades(1000, 3), CLEAN, seed=1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 70_000}, {"height": 0}, {"threshold_on": 0.0}, {"threshold_off": -0.2},
        {"threshold_on": 1e-8}, {"threshold_on": float("nan")}, {"leak_hz": -1.0},
        {"noise_hz": float("inf")}, {"refractory_us": -1}, {"threshold_sigma": float("nan")},
    ],
)  # fmt: skip
def test_a_sensor_that_cannot_be_is_refused(wrong):
    with pytest.raises(SaccadeError, match="must be "):
        Sensor(**wrong)


def test_frames_out_of_order_or_without_bound_are_refused():
    simulator = Simulator(CLEAN, seed=1)
    dark = np.zeros((48, 64), np.float32)
    simulator.step(dark, 1000)
    for t in (1000, 999, 1000 + (1 << 32)):
        with pytest.raises(SaccadeError, match="must be later than 1000 us"):
            simulator.step(dark, t)
    for value in (np.inf, -np.inf, np.nan, 1e9):
        with pytest.raises(SaccadeError, match="between -100 and 100"):
            simulator.step(np.full((48, 64), value, np.float32), 2000)
    with pytest.raises(SaccadeError, match=r"float32 \[height, width\]"):
        simulator.step(np.zeros((64, 48), np.float32), 2000)
    assert len(simulator.step(dark, 2000)) == 0


def test_an_hour_between_two_frames_is_in_order():
    simulator = Simulator(Sensor(32, 24, 0.2, 0.2, 0.0, 0, 0.0, noise_hz=0.1), seed=1)
    simulator.step(np.zeros((24, 32), np.float32), 0)
    t = simulator.step(np.ones((24, 32), np.float32), 4_000_000_000).t.astype(np.int64)
    assert np.all(np.diff(t) >= 0)
    assert t[-1] > 3_900_000_000


def test_noise_keeps_to_the_refractory_period_for_any_step():
    sensor = Sensor(32, 24, 0.2, 0.2, 0.0, refractory_us=1000, leak_hz=0.0, noise_hz=300.0)
    counts = []
    for step_us in (500, 100_000):
        simulator = Simulator(sensor, seed=1)
        counts.append(0)
        for t in range(0, 1_000_001, step_us):
            counts[-1] += len(simulator.step(np.zeros((24, 32), np.float32), t))
    wanted = 300 / (1 + 300 * 0.001) * 32 * 24  # a dead time after each event
    assert counts == pytest.approx([wanted, wanted], rel=0.03)


def test_a_leak_under_still_light_spreads_over_time():
    simulator = Simulator(Sensor(32, 24, 0.2, 0.2, 0.0, 0, leak_hz=100.0, noise_hz=0.0), seed=1)
    simulator.step(np.zeros((24, 32), np.float32), 0)
    t = simulator.step(np.zeros((24, 32), np.float32), 100_000).t
    counts = np.histogram(t, 10, (0, 100_000))[0]
    np.testing.assert_allclose(counts[1:], 32 * 24, rtol=0.1)  # one event a pixel and 10 ms


@pytest.mark.parametrize(
    ("t", "x"),
    [
        ([0, 0], [0.0, 1.0]),
        ([], []),
        ([0, 5], [0.0]),
        ([0, 5], [0.0, np.nan]),
        ([-5, 5], [0.0, 0.0]),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(t, x):
    with pytest.raises(SaccadeError, match="path: "):
        Path(np.array(t, np.int64), np.array(x), np.array(x))


def test_integers_that_are_no_bytes_are_no_image():
    with pytest.raises(SaccadeError, match="int64"):
        log_intensity(np.full((4, 4), 255))
