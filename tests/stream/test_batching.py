"""Batches form where frames wait, the engine's own times are for it, and none of them is late."""

from __future__ import annotations

import time

import numpy as np
import pytest
from tests.live import packet, steady
from tests.stream.test_live import live, settled

from saccade.camera.errors import SaccadeError
from saccade.engines.models import load_model
from saccade.engines.onnx import OnnxEngine
from saccade.stream.batching import BatchSizes
from saccade.stream.pipeline import Pipeline


def told(most, each_us):
    """Sizes that know what their engine takes."""
    sizes = BatchSizes(most)
    for size, us in each_us.items():
        for _ in range(4):
            sizes.took(size, size * us)
    return sizes


def test_a_size_is_tried_and_kept_where_it_is_faster():
    sizes = BatchSizes(8)
    each_us = {1: 100.0, 2: 70.0, 4: 60.0, 8: 90.0}
    chosen = []
    for _ in range(30):
        chosen.append(sizes.choose(20, 50_000))
        sizes.took(chosen[-1], chosen[-1] * each_us[chosen[-1]])
    assert {*chosen[:14]} == {1, 2, 4, 8}  # each is tried
    assert chosen[14:] == [4] * 16


@pytest.mark.parametrize(
    ("each_us", "waiting", "left_us", "expected"),
    [
        ({1: 100.0, 2: 92.0, 4: 91.0}, 9, 50_000, 1),  # not worth it
        ({1: 100.0, 2: 70.0, 4: 50.0}, 9, 50_000, 4),
        ({1: 100.0, 2: 70.0, 4: 50.0}, 3, 50_000, 2),  # no more wait
        ({1: 100.0, 2: 70.0, 4: 50.0}, 1, 50_000, 1),
        ({1: 100.0, 2: 70.0, 4: 50.0}, 9, 150, 2),  # four would make the oldest late
        ({1: 100.0, 2: 70.0, 4: 50.0}, 9, -5, 1),  # which it is already
        ({1: 100.0}, 9, 50_000, 2),  # not known yet
        ({1: 100.0}, 9, 150, 1),
        ({}, 9, 50_000, 1),
    ],
)
def test_a_choice_by_times_waiting_frames_and_budget(each_us, waiting, left_us, expected):
    assert told(4, each_us).choose(waiting, left_us) == expected


def test_an_engine_for_one_frame_gets_one_and_other_numbers_say_nothing():
    assert told(1, {1: 100.0}).choose(9, 50_000) == 1
    sizes = told(8, {1: 100.0, 2: 80.0})
    sizes.took(3, 1.0)
    assert sizes.choose(3, 50_000) == 2


class BatchEngine(OnnxEngine):
    """Takes as long for any number of frames, and notes how many there were."""

    seconds = 0.0

    def run(self, n: int, stream: int = 0) -> None:
        self.runs = [*getattr(self, "runs", []), n]
        time.sleep(self.seconds)
        super().run(n)


@pytest.fixture(scope="module")
def loaded(model):
    return load_model(model)


def sides(n):
    """A packet for each slice of 10 ms: left, right, left, ..."""
    for k in range(n):
        yield packet(50 + k, 10_000 * k, 10_000 * (k + 1), x=3 if k % 2 == 0 else 12)


def test_slices_that_wait_are_run_together_and_each_keeps_its_own_labels(loaded, monkeypatch):
    monkeypatch.setattr("saccade.stream.chain.BUDGET_US", 60_000_000)
    monkeypatch.setattr("saccade.stream.chain.SLICE_QUEUE", 1000)
    monkeypatch.setattr("saccade.stream.chain.FRAME_QUEUE", 1000)
    engine = BatchEngine(loaded, batch=4)
    engine.seconds = 0.002
    pipeline, capture = live(sides(120), loaded, window="10ms", engine=engine)
    predictions = list(pipeline)
    settled(pipeline, capture)
    assert sum(engine.runs) == len(predictions) == 120
    assert max(engine.runs) == 4
    assert [p.t_begin_us for p in predictions] == [10_000 * k for k in range(120)]
    assert [p.n_events for p in predictions] == [50 + k for k in range(120)]
    assert [p.labels[0] for p in predictions] == ["left", "right"] * 60
    assert len({p.embedding.tobytes() for p in predictions}) > 60  # of as many events each
    assert [p.seq for p in predictions] == list(range(120))


def test_no_batch_forms_where_the_engine_keeps_up(loaded, monkeypatch):
    monkeypatch.setattr("saccade.stream.stages.BatchSizes.choose", _checked)
    engine = BatchEngine(loaded, batch=4)
    pipeline, _ = live(steady(0.3), loaded, window="20ms", engine=engine)
    pipeline_runs = len(list(pipeline))
    assert sum(engine.runs) >= pipeline_runs > 0


_CHOOSE = BatchSizes.choose


def _checked(self, waiting, left_us):
    """A batch needs a backlog, however fast this machine is."""
    size = _CHOOSE(self, waiting, left_us)
    assert size <= waiting and (waiting > 1 or size == 1)
    return size


def test_a_batch_is_dropped_by_the_budget_alone_and_the_newest_slice_is_labelled(loaded):
    engine = BatchEngine(loaded, batch=4)
    engine.seconds = 0.03
    pipeline, capture = live(steady(1.0), loaded, window="10ms", engine=engine)
    predictions = list(pipeline)
    total = settled(pipeline, capture)
    assert {p.n_events for p in predictions} == {1000}
    assert total.events_published == 1000 * len(predictions)
    assert predictions[-1].dropped["queue"] == total.dropped["queue"]
    assert np.all(np.diff([p.t_begin_us for p in predictions]) > 0)


@pytest.mark.parametrize(("speed", "batch"), [("max", 1), (1.0, 4)])
def test_a_recording_has_batches_at_a_set_speed_alone(loaded, recording, speed, batch):
    with Pipeline(recording, model=loaded, speed=speed) as pipeline:
        assert len(pipeline._engine.input) == batch


def test_a_batch_is_what_was_asked_for_or_refused(loaded, recording):
    with Pipeline(recording, model=loaded, speed=1.0, batch=2) as pipeline:
        assert len(pipeline._engine.input) == 2
    with pytest.raises(SaccadeError, match="from 1 to 8"):
        Pipeline(recording, model=loaded, speed=1.0, batch=9)
    with pytest.raises(SaccadeError, match="one by one; leave it out"):
        Pipeline(recording, model=loaded, batch=2)
