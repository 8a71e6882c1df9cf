"""Frames: counts bit for bit, values to 1e-6, against the numpy definition."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reference import frames as reference

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec

pytestmark = pytest.mark.usefixtures("all_paths")


def random_packet(n: int, width: int, height: int, seed: int = 0) -> Packet:
    rng = np.random.default_rng(seed)
    return Packet(
        np.arange(n, dtype=np.uint64),
        rng.integers(0, width, n).astype(np.uint16),
        rng.integers(0, height, n).astype(np.uint16),
        rng.random(n) < 0.5,
    )


@pytest.mark.parametrize("counting", ["sensor", "encoder"])
@pytest.mark.parametrize("kind", ["paper", "signed", "clamped"])
@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(346, 260, 224), (1280, 720, 96), (31, 17, 64), (96, 96, 96), (1, 1, 5), (7, 300, 33)],
)
def test_frame_equals_its_definition(kind, counting, width, height, size):
    spec = FrameSpec(kind, size, counting, clamp=3)
    for n in (0, 1, 5000):
        p = random_packet(n, width, height, seed=n)
        maker = FrameMaker(width, height, spec)
        counted = reference.counts(p.x, p.y, p.on, width, height, size, counting)
        np.testing.assert_array_equal(maker.count([p[: n // 2], p[n // 2 :]]), counted)
        wanted = reference.frame(p.x, p.y, p.on, width, height, kind, size, counting, 3)
        np.testing.assert_allclose(maker.make([p]), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rows", [(0, 1), (299, 300), (100, 117)])
def test_rows_without_events_cost_nothing_and_change_nothing(rows):
    p = random_packet(500, 340, 300)
    p = Packet(p.t, p.x, (rows[0] + p.y % (rows[1] - rows[0])).astype(np.uint16), p.on)
    for kind in ("paper", "signed", "clamped"):
        maker = FrameMaker(340, 300, FrameSpec(kind, 83, "sensor"))
        wanted = reference.frame(p.x, p.y, p.on, 340, 300, kind, 83, "sensor", 10)
        for _ in range(2):
            np.testing.assert_allclose(maker.make([p]), wanted, atol=1e-6, rtol=0)


def test_frames_do_not_leak_into_the_next_one():
    maker = FrameMaker(64, 48, FrameSpec("paper", 32, "sensor"))
    p = random_packet(1000, 64, 48)
    first = maker.make([p])
    assert not maker.make([]).any()
    np.testing.assert_array_equal(maker.make([p]), first)


def test_counters_saturate_and_say_so():
    n = 70_000
    p = Packet(
        np.zeros(n, np.uint64), np.full(n, 3, np.uint16), np.full(n, 2, np.uint16), np.ones(n, bool)
    )
    maker = FrameMaker(8, 8, FrameSpec("paper", 8, "sensor"))
    counts = maker.count([p])
    assert counts[1, 2, 3] == 65_535
    assert counts[0].max() == 0
    assert maker.saturated == n - 65_535


def test_events_outside_the_sensor_are_counted_never_written():
    p = Packet(
        np.zeros(4, np.uint64),
        np.array([8, 65_535, 0, 7], np.uint16),
        np.array([0, 0, 9, 7], np.uint16),
        np.ones(4, bool),
    )
    maker = FrameMaker(8, 8, FrameSpec("paper", 4, "encoder"))
    assert maker.count([p]).sum() == 1
    assert maker.out_of_bounds == 3


@pytest.mark.parametrize("size", [224, 96, 20, 500])
@pytest.mark.parametrize("counting", ["sensor", "encoder"])
def test_neighbours_that_share_a_counter_are_all_counted(counting, size):
    maker = FrameMaker(346, 260, FrameSpec("paper", size, counting))
    outside = 0
    for n in range(70):
        rng, step = np.random.default_rng(n), np.arange(n)
        x = (rng.integers(0, 300, n)[step // 20] + step % 3).astype(np.uint16)
        y = rng.integers(0, 260, n)[step // 7].astype(np.uint16)
        on = rng.random(n) < 0.9
        far = rng.random(n) < (0.1 if n % 3 == 0 else 0.0)
        x[far] = rng.integers(346, 65_536, int(far.sum()))
        counted = reference.counts(x[~far], y[~far], on[~far], 346, 260, size, counting)
        found = maker.count([Packet(np.zeros(n, np.uint64), x, y, on)])
        np.testing.assert_array_equal(found, counted)
        outside += int(far.sum())
    assert maker.out_of_bounds == outside


@pytest.mark.parametrize(
    "out",
    [np.zeros((5, 5), np.float64), np.zeros((4, 5), np.float32),
     np.zeros((5, 10), np.float32)[:, ::2], np.zeros((5, 5), np.float32, order="F")],
)  # fmt: skip
def test_a_frame_to_write_into_that_is_none_is_refused(out):
    maker = FrameMaker(8, 8, FrameSpec("paper", 5, "sensor"))
    with pytest.raises(SaccadeError, match=r"float32 \[5, 5\]"):
        maker.make([random_packet(10, 8, 8)], out)
    assert not maker.make([]).any()


def test_a_frame_that_failed_leaves_nothing_for_the_next():
    maker = FrameMaker(8, 8, FrameSpec("paper", 8, "sensor"))
    good = random_packet(10, 8, 8)
    for bad in (
        Packet(good.t, good.x.astype(np.int64), good.y, good.on),
        Packet(good.t, good.x, good.y[:5], good.on),
        Packet(good.t, good.x[::2], good.y[::2], good.on[::2]),
    ):
        with pytest.raises((TypeError, ValueError)):
            maker.make([good, bad])
        assert not maker.make([]).any()


@pytest.mark.parametrize(
    "wrong", [{"kind": "gray"}, {"counting": "both"}, {"size": 0}, {"clamp": 0}]
)
def test_a_wrong_spec_is_refused_with_its_value(wrong):
    with pytest.raises(SaccadeError, match=str(next(iter(wrong.values())))):
        FrameSpec(**wrong)
