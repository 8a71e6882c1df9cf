"""What training does to events and frames, and what it leaves."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL.Image", reason="training needs the extra: pip install -e '.[train]'")

from tests.training.sets import events

from saccade.training.datasets import augment

WIDTH, HEIGHT = 120, 90
PACKET = events(8000, WIDTH, HEIGHT)


def test_time_runs_backwards_and_polarity_with_it():
    found = augment.flip_time(PACKET)
    assert (found.t[0], found.t[-1]) == (PACKET.t[0], PACKET.t[-1])
    assert np.all(np.diff(found.t.astype(np.int64)) >= 0)
    np.testing.assert_array_equal(found.x, PACKET.x[::-1])
    np.testing.assert_array_equal(found.on, ~PACKET.on[::-1])
    for column in ("t", "x", "y", "on"):
        twice = getattr(augment.flip_time(found), column)
        np.testing.assert_array_equal(twice, getattr(PACKET, column))


def test_a_shift_moves_what_stays_on_the_sensor():
    found = augment.shift(PACKET, -20, 7, WIDTH, HEIGHT)
    kept = (PACKET.x >= 20) & (PACKET.y < HEIGHT - 7)
    np.testing.assert_array_equal(found.x, PACKET.x[kept] - 20)
    np.testing.assert_array_equal(found.y, PACKET.y[kept] + 7)
    assert found.x.dtype == found.y.dtype == np.uint16


def test_a_small_sensor_is_not_emptied_by_the_shift():
    assert augment.shifts(640, 480) == augment.shifts(240, 180) == (20, 20)
    assert augment.shifts(34, 34) == (4, 4)


def test_noise_is_near_events_in_space_and_time():
    point = events(4000, 2, 2)
    point = type(point)(point.t, point.x * 0 + 60, point.y * 0 + 40, point.on)
    found = augment.add_noise(point, 3000, WIDTH, HEIGHT, np.random.default_rng(1))
    assert len(found) == 7000
    assert np.all(np.diff(found.t.astype(np.int64)) >= 0)
    moved = found.x[(found.x != 60) | (found.y != 40)].astype(float) - 60
    # 3000 draws of sigma 1.5, rounded; those that stayed put are not among the moved.
    assert np.sqrt(np.sum(moved**2) / 3000) == pytest.approx(np.sqrt(1.5**2 + 1 / 12), rel=0.05)
    few = augment.add_noise(point[:50], 3000, WIDTH, HEIGHT, np.random.default_rng(1))
    assert len(few) == 100


def test_events_are_augmented_by_the_generator_alone():
    a, b, c = (
        augment.augment_events(PACKET, WIDTH, HEIGHT, np.random.default_rng(k)) for k in (1, 1, 2)
    )
    np.testing.assert_array_equal(a.to_array(), b.to_array())
    assert len(a) != len(c) or (a.to_array() != c.to_array()).any()
    assert a.x.max() < WIDTH
    assert a.y.max() < HEIGHT
    empty = PACKET[:0]
    assert len(augment.augment_events(empty, WIDTH, HEIGHT, np.random.default_rng(3))) == 0


def test_crops_have_the_papers_areas_and_ratios():
    rng = np.random.default_rng(0)
    boxes = [augment.crop_box(224, rng) for _ in range(500)]
    areas = [(r - left) * (b - t) / 224**2 for left, t, r, b in boxes]
    ratios = [(r - left) / (b - t) for left, t, r, b in boxes]
    assert 0.44 < min(areas) < 0.5
    assert 0.9 < max(areas) <= 1
    assert 0.74 < min(ratios) < 0.8
    assert 1.25 < max(ratios) < 1.35
    assert all(left >= 0 and t >= 0 and r <= 224 and b <= 224 for left, t, r, b in boxes)


def test_a_frame_is_cropped_and_mirrored():
    ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    found = [augment.augment_frame(ramp, np.random.default_rng(k)) for k in range(40)]
    assert all(frame.shape == (64, 64) and frame.dtype == np.float32 for frame in found)
    mirrored = [frame[0, 0] > frame[0, -1] for frame in found]
    assert 8 < sum(mirrored) < 32
