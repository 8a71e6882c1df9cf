"""The simulator against cases whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.event_statistics import REAL, simulated, statistics
from tests.reference import simulate as reference

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.recordings import open_recording
from saccade.camera.simulate import (
    DARK,
    Path,
    Sensor,
    Simulator,
    log_intensity,
    random_walk,
    saccades,
    simulate_frames,
    simulate_image,
)

CLEAN = Sensor(64, 48, 0.2, 0.2, 0.0, 0, 0.0, 0.0)
ALL_FLAWS = Sensor(21, 9, 0.15, 0.2, 0.03, 1500, leak_hz=9.0, noise_hz=60.0, noise_in_light=0.25)


@pytest.fixture(params=["wide", "plain"])
def _both_paths(request: pytest.FixtureRequest) -> Iterator[None]:
    _native.allow_simd("avx512" if request.param == "wide" else "none")
    yield
    _native.allow_simd("avx512")


def scene(sensor: Sensor, seed: int = 2) -> list[tuple[int, np.ndarray]]:
    """Frames of light that changes in places, here and there not at all."""
    rng = np.random.default_rng(seed)
    light = rng.normal(-1, 0.5, (sensor.height, sensor.width)).astype(np.float32)
    frames = [(1000, light)]
    for k, gap in enumerate((900, 10_000, 33_333, 5000, 5000, 200_000, 100, 300_000)):
        light = light.copy()
        if k not in (3, 5):
            change = rng.normal(0, 0.6, light.shape) * (rng.random(light.shape) < 0.4)
            change[rng.random(sensor.height) < 0.3] = 0
            light += change.astype(np.float32)
        frames.append((frames[-1][0] + gap, light))
    return frames


@pytest.mark.usefixtures("_both_paths")
@pytest.mark.parametrize("settled", [True, False])
@pytest.mark.parametrize(
    "sensor",
    [ALL_FLAWS, replace(ALL_FLAWS, refractory_us=0, noise_in_light=1.0), CLEAN,
     replace(ALL_FLAWS, leak_hz=0.0), replace(ALL_FLAWS, width=7, noise_hz=0.0)],
)  # fmt: skip
def test_events_are_those_of_the_plain_twin_on_any_number_of_threads(sensor, settled):
    sensor = replace(sensor, height=9)
    twin = reference.Simulator(sensor, 5, DARK, settled)
    ours = [Simulator(sensor, 5, settled=settled, threads=n) for n in (1, 3)]
    total = 0
    for t, light in scene(sensor):
        wanted = twin.step(light, t)
        for simulator in ours:
            p = simulator.step(light, t)
            found = zip(p.t.tolist(), p.y.tolist(), p.x.tolist(), p.on.tolist(), strict=True)
            assert list(found) == wanted
        total += len(wanted)
    assert total > 100


@pytest.mark.usefixtures("_both_paths")
@pytest.mark.parametrize("fill", [math.nan, -1.0])
@pytest.mark.parametrize("turned", [0.0, 0.4])
@pytest.mark.parametrize("shape", [(12, 17), (1, 9), (9, 1), (2, 2)])
def test_a_view_of_an_image_is_that_of_the_plain_twin(shape, turned, fill):
    light = np.random.default_rng(1).random(shape).astype(np.float32)
    affine = (0.7, turned, -2.3, -turned, 0.6, -1.2)
    out = np.empty((20, 27), np.float32)
    _native.LightImage(light).show(*affine, fill, out)
    np.testing.assert_array_equal(out, reference.show(light, affine, fill, 27, 20))


# A step edge of contrast C passes at 1 pixel a ms, from the right: its ramp is one pixel wide, so
# pixel x sees light rise evenly from (63 - x) ms to (64 - x) ms.
@pytest.mark.parametrize("contrast", [0.5, 0.95, -0.7])
def test_a_step_edge_gives_floor_of_contrast_over_threshold_events_at_their_microsecond(contrast):
    simulator = Simulator(CLEAN, seed=1, settled=False)
    light = np.zeros((1, 129), np.float32)
    light[:, 64:] = contrast
    image = _native.LightImage(light)
    affines = np.array([[1, 0, k, 0, 1, 0] for k in range(64)], np.float64)
    times = 1000 * np.arange(64, dtype=np.uint64)
    parts = (slice(0, 1), slice(1, 9), slice(9, 64))
    found = [simulator.look(image, affines[part], times[part]) for part in parts]
    t, x, on = (np.concatenate([getattr(p, name) for p in found]) for name in ("t", "x", "on"))
    n = math.floor(abs(contrast) / 0.2)
    for column in range(1, 64):
        times = t[x == column].reshape(n, 48).astype(np.int64)
        wanted = 1000 * (63 - column) + np.arange(1, n + 1) * 1000 * 0.2 / abs(contrast)
        assert np.abs(times - wanted[:, None]).max() <= 1
    assert on.all() if contrast > 0 else not on.any()


def test_a_constant_scene_gives_noise_alone_as_poisson_as_it_should_be():
    sensor = Sensor(64, 48, 0.2, 0.2, 0.0, 0, leak_hz=0.0, noise_hz=4.0)
    simulator = Simulator(sensor, seed=3)
    gray = np.full((48, 64), -1.0, np.float32)
    packets = [simulator.step(gray, t) for t in range(0, 2_000_001, 10_000)]
    x, y, on = (np.concatenate([getattr(p, k) for p in packets]) for k in ("x", "y", "on"))
    counts = np.bincount(y.astype(np.int64) * 64 + x, minlength=64 * 48)
    assert counts.mean() == pytest.approx(8.0, rel=0.02)
    assert counts.var() == pytest.approx(8.0, rel=0.08)  # equal to the mean: Poisson
    assert on.mean() == pytest.approx(0.5, abs=0.01)


def test_shot_noise_falls_with_light():
    sensor = Sensor(64, 48, 0.2, 0.2, 0.0, 0, 0.0, noise_hz=8.0, noise_in_light=0.25)
    for brightness, wanted in ((0.0, 8.0), (0.5, 5.0), (1.0, 2.0)):
        frames = [(t, np.full((48, 64), brightness)) for t in (0, 1_000_000)]
        n = sum(map(len, simulate_frames(frames, sensor, seed=1)))
        assert n / (64 * 48) == pytest.approx(wanted, rel=0.05)


def test_no_pixel_fires_in_its_refractory_period():
    sensor = replace(CLEAN, refractory_us=700, noise_hz=500.0)
    image = np.random.default_rng(1).random((48, 64))
    packets = list(simulate_image(image, random_walk(200_000, 300, seed=1), sensor, seed=1))
    t, x, y = (np.concatenate([getattr(p, k) for p in packets]) for k in ("t", "x", "y"))
    order = np.lexsort((t, x, y))
    same = (np.diff(x[order].astype(int)) == 0) & (np.diff(y[order].astype(int)) == 0)
    assert np.diff(t[order].astype(np.int64))[same].min() == 700


def test_what_comes_and_goes_is_as_often_on_as_off_and_thresholds_tilt_it():
    image = np.random.default_rng(1).random((60, 80))
    walk = random_walk(300_000, 200, seed=1)
    shares = []
    for off in (0.2, 0.3):
        packets = simulate_image(image, walk, replace(CLEAN, threshold_off=off), seed=1)
        shares.append(np.concatenate([p.on for p in packets]).mean())
    assert shares[0] == pytest.approx(0.5, abs=0.01)
    assert shares[1] > 0.55


def test_frames_in_time_give_the_events_of_their_light():
    frames = [np.full((48, 64), value, np.uint8) for value in (20, 200)]
    packets = list(simulate_frames([(0, frames[0]), (33_333, frames[1])], CLEAN, seed=1))
    change = math.log(200 / 255 + DARK) - math.log(20 / 255 + DARK)
    assert len(packets) == 1 and packets[0].on.all()
    assert len(packets[0]) / (48 * 64) == pytest.approx(change / 0.2 - 0.5, rel=0.01)


def test_the_logarithm_of_bytes_is_that_of_floats():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(log_intensity(gray), log_intensity(gray / np.float32(255)))


def test_light_that_no_image_has_is_refused():
    for wrong in (np.full((4, 4), np.inf), np.full((4, 4), -1.0)):
        with np.errstate(invalid="ignore"), pytest.raises(SaccadeError, match="image: values"):
            list(simulate_image(wrong, saccades(1000, 3), CLEAN, seed=1))


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
        {"noise_in_light": 1.5},
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


def test_integers_that_are_no_bytes_are_no_image():
    with pytest.raises(SaccadeError, match="int64"):
        log_intensity(np.full((4, 4), 255))


@pytest.mark.parametrize("name", ["nmnist", "boxes"])
def test_events_are_like_those_of_real_sensors(shared_data, name):
    with open_recording(shared_data / "recordings" / REAL[name]) as recording:
        real = statistics(list(recording.packets()), recording.width, recording.height)
    ours = simulated(name)
    assert ours["on"] == pytest.approx(real["on"], abs=0.05)
    assert ours["same"] == pytest.approx(real["same"], abs=0.13)
    assert ours["busiest"] == pytest.approx(real["busiest"], abs=0.12)
    assert ours["active"] == pytest.approx(real["active"], rel=0.4)
    assert 1 / 2.5 < ours["pace"] / real["pace"] < 2.5
