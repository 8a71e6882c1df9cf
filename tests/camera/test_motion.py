"""Paths that an image takes before a simulated sensor."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saccade.camera.errors import SaccadeError
from saccade.camera.motion import Path, random_walk, rotation, saccades, zoom
from saccade.camera.simulate import Sensor, simulate_image


def test_a_zoom_fires_more_outside_and_a_rotation_follows_its_circle():
    rng = np.random.default_rng(1)
    image = rng.random((120, 160))
    sensor = Sensor(160, 120, 0.2, 0.2, 0.0, 0, 0.0, 0.0)
    for path in (zoom(100_000, 1.1), rotation(100_000, 0.1)):
        packets = list(simulate_image(image, path, sensor, seed=1, fit=1.2))
        x, y = (np.concatenate([getattr(p, k) for p in packets]) for k in ("x", "y"))
        counts = np.zeros((120, 160))
        np.add.at(counts, (y, x), 1)
        middle, whole = counts[50:70, 70:90].mean(), counts.mean()
        assert 0 < middle < 0.5 * whole
    dot = np.zeros((121, 121))
    dot[58:63, 98:103] = 1.0  # 40 pixels to the right of the centre
    quarter = rotation(100_000, math.pi / 2)
    sensor = Sensor(121, 121, 0.2, 0.2, 0.0, 0, 0.0, 0.0)
    last = list(simulate_image(dot, quarter, sensor, seed=1, fit=1.0))[-1]
    assert abs(last.y.mean() - 100) < 3 and abs(last.x.mean() - 60) < 3  # now below: clockwise


def test_a_path_can_be_gone_again():
    path = zoom(1000, 2.0, start_us=50).repeated(3)
    assert (path.t_us[0], path.t_us[-1]) == (50, 3050)
    assert path.pose(550).scale == pytest.approx(2.0)
    assert path.pose(1550).scale == pytest.approx(2.0)
    assert path.pose(1050) == (0.0, 0.0, 1.0, 0.0)


def test_paths_last_as_long_as_they_say():
    for path in (saccades(300_000, 20, 50), random_walk(300_000, 100, seed=1, start_us=50)):
        assert (path.t_us[0], path.t_us[-1]) == (50, 300_050)
        assert np.all(np.diff(path.t_us) > 0)
    assert saccades(300_000, 20).at(150_000) == pytest.approx((5.0, 0.0))


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
