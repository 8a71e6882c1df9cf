"""The whole path: labels are right, every event is accounted for, nothing is silently lost."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from tests.models import make_model
from tests.recordings import PLACES

from saccade.camera.errors import RecordingError, SaccadeError
from saccade.engines.models import load_model
from saccade.engines.onnx import OnnxEngine
from saccade.stream.pipeline import Pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_model(tmp_path_factory.mktemp("models") / "halves"))


class SlowEngine(OnnxEngine):
    """Takes a while for each frame, as an encoder on a small board does."""

    seconds = 0.03

    def run(self, n: int, stream: int = 0) -> None:
        time.sleep(self.seconds)
        super().run(n)


def balanced(pipeline: Pipeline) -> bool:
    total = pipeline.summary
    return total.events_in == total.events_published + sum(total.dropped.values())


@pytest.mark.parametrize("kind", ["paper", "signed", "clamped"])
def test_labels_follow_the_scene(model, recording, kind):
    with Pipeline(recording, model=model, window="50ms", frame=kind, top=2) as pipeline:
        predictions = list(pipeline)
    assert [p.labels[0] for p in predictions[::2]] == list(PLACES)
    assert [p.seq for p in predictions] == list(range(8))
    assert [p.t_begin_us for p in predictions] == [1_000_000 + 50_000 * k for k in range(8)]
    assert all(p.t_end_us - p.t_begin_us == 50_000 for p in predictions)
    assert sum(p.n_events for p in predictions) == 20_000
    assert all(len(p.labels) == 2 and p.embedding.shape == (4,) for p in predictions)
    assert pipeline.summary.events_published == pipeline.summary.events_in == 20_000


def test_chosen_words_are_the_only_labels(model, recording):
    with Pipeline(recording, model=model, labels="sinister, Right", window="100ms") as pipeline:
        found = [p.labels[0] for p in pipeline]
    assert found[:2] == ["sinister", "Right"]


def test_slices_by_count_and_with_strides(model, recording):
    by_count = list(Pipeline(recording, model=model, count=3000))
    assert [p.n_events for p in by_count] == [3000] * 6 + [2000]
    overlapping = Pipeline(recording, model=model, window="50ms", stride="25ms")
    assert sum(p.n_events for p in overlapping) > 20_000
    assert overlapping.summary.events_published == 20_000
    gapped = Pipeline(recording, model=model, count=1000, stride="3000")
    assert len(list(gapped)) == 7
    assert gapped.summary.dropped["slice"] == 13_000
    assert balanced(gapped)


def test_two_runs_at_full_speed_are_equal(model, recording):
    def run():
        return [
            (p.seq, p.t_begin_us, p.n_events, p.labels, p.scores, tuple(p.dropped.items()))
            for p in Pipeline(recording, model=model, window="7ms")
        ]

    assert run() == run()


def test_full_speed_waits_for_a_slow_engine(model, recording):
    engine = SlowEngine(model)
    engine.seconds = 0.003
    pipeline = Pipeline(recording, model=model, window="5ms", engine=engine)
    assert len(list(pipeline)) == 80
    assert sum(pipeline.summary.dropped.values()) == 0
    assert pipeline.summary.events_published == 20_000


@pytest.mark.parametrize("stride", [None, "2500us", "9ms"])
def test_real_speed_drops_the_oldest_whole_slices_and_counts_them(model, recording, stride):
    pipeline = Pipeline(
        recording, model=model, window="5ms", stride=stride, speed=1.0, engine=SlowEngine(model)
    )
    begun = time.monotonic()
    predictions = list(pipeline)
    total = pipeline.summary
    assert balanced(pipeline)
    assert total.dropped["queue"] > 0
    assert total.labels == len(predictions) < total.slices
    assert time.monotonic() - begun > 0.39  # the recording lasts 0.4 s
    # The newest slice is never the one that is dropped.
    slicer = pipeline._replay._slicer
    last = (400_000 - 1) // slicer.stride_us * slicer.stride_us
    assert predictions[-1].t_begin_us >= 1_000_000 + last - slicer.window_us
    assert predictions[-1].dropped["queue"] == total.dropped["queue"]


def test_under_overload_labels_stay_fresh(model, recording):
    engine = SlowEngine(model)
    engine.seconds = 0.06
    pipeline = Pipeline(recording, model=model, window="10ms", speed=0.5, engine=engine)
    latencies = [p.timing.latency_us for p in pipeline]
    assert len(latencies) > 5
    # It waits for 50 ms, a window (20 ms) and the encoder's 60 ms; the rest is for a busy machine.
    assert max(latencies) < 250_000
    assert balanced(pipeline)


def test_a_stop_leaves_out_what_was_not_due(model, recording):
    pipeline = Pipeline(recording, model=model, window="20ms", speed=1.0)
    predictions = []
    for prediction in pipeline:
        predictions.append(prediction)
        if prediction.seq == 3:
            pipeline.stop()
    assert 4 <= len(predictions) <= 8
    assert pipeline.summary.events_published == sum(p.n_events for p in predictions)
    assert pipeline.summary.events_in < 10_000
    assert pipeline.summary.dropped["slice"] == 0
    assert balanced(pipeline)


def test_a_stop_does_not_wait_for_the_rest_of_a_packet(model, recording):
    pipeline = Pipeline(recording, model=model, count=1)
    for prediction in pipeline:
        if prediction.seq == 3:
            pipeline.stop()
    assert pipeline.summary.labels < 50
    assert pipeline.summary.events_in == pipeline.summary.labels


def test_closing_from_another_thread_ends_the_iteration_and_the_accounts(model, recording):
    pipeline = Pipeline(recording, model=model, window="5ms", speed=1.0)
    threading.Timer(0.1, pipeline.close).start()
    assert len(list(pipeline)) < 79
    total = pipeline.summary
    assert total.events_in == total.events_published + total.dropped["queue"]


def test_real_speed_keeps_everything_where_the_engine_keeps_up(model, recording, monkeypatch):
    monkeypatch.setattr("saccade.stream.chain.BUDGET_US", 10_000_000)  # for a busy machine
    pipeline = Pipeline(recording, model=model, window="50ms", speed=2.0)
    assert len(list(pipeline)) == 8
    assert pipeline.summary.events_published == 20_000


def test_leaving_early_counts_what_was_on_its_way(model, recording):
    pipeline = Pipeline(recording, model=model, window="5ms")
    for prediction in pipeline:
        if prediction.seq == 10:
            break
    pipeline.close()
    assert balanced(pipeline)
    assert pipeline.summary.dropped["queue"] > 0


def test_stop_drains_and_loop_goes_on_with_the_clock(model, recording):
    pipeline = Pipeline(recording, model=model, window="50ms", loop=True)
    predictions = []
    for prediction in pipeline:
        predictions.append(prediction)
        if prediction.seq == 30:
            pipeline.stop()
    assert len(predictions) >= 31
    assert balanced(pipeline)
    assert sum(pipeline.summary.dropped.values()) == 0
    steps = np.diff([p.t_begin_us for p in predictions])
    assert (steps == 50_000).all()
    assert [p.labels[0] for p in predictions[10:14:2]] == ["right", "top"]


def test_events_before_the_damage_are_labelled_then_its_offset_is_named(model, recording, tmp_path):
    data = bytearray(recording.read_bytes())
    offset = len(data) * 2 // 3
    damaged = tmp_path / "damaged.aedat4"
    damaged.write_bytes(data[:offset])
    pipeline = Pipeline(damaged, model=model, window="50ms")
    found = []
    with pytest.raises(RecordingError, match=r"byte \d+") as error:
        found += [(p.labels[0], p.n_events) for p in pipeline]
    found += []
    assert error.value.offset is not None
    assert 0 < error.value.offset <= offset
    assert pipeline.summary.labels >= 4
    assert 8000 < pipeline.summary.events_published < 15_000
    assert balanced(pipeline)


def test_a_failing_engine_ends_the_run_with_its_error(model, recording):
    class Broken(OnnxEngine):
        def run(self, n: int, stream: int = 0) -> None:
            raise RuntimeError("out of memory")

    pipeline = Pipeline(recording, model=model, engine=Broken(model))
    with pytest.raises(RuntimeError, match="out of memory"):
        list(pipeline)
    assert balanced(pipeline)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": "0"}, "window 0: must be longer"),
        ({"window": "30"}, "us, ms, s or h"),
        ({"window": 0}, "must be positive"),
        ({"count": 0}, "must be positive"),
        ({"count": 5, "window": "3ms"}, "not both"),
        ({"count": 5, "stride": "3ms"}, "number of events"),
        ({"speed": "fast"}, "speed fast"),
        ({"speed": 0}, "speed 0"),
        ({"speed": "nan"}, "speed nan"),
        ({"top": 0}, "top 0"),
        ({"top": 2.5}, "top 2.5: must be a whole number"),
        ({"window": 30.5}, "window 30.5: must be a whole number"),
        ({"window": True}, "window True"),
        ({"window": 30, "stride": 1.5}, "stride 1.5"),
        ({"count": 10.0}, "count 10.0"),
        ({"count": 10, "stride": 1.5}, "stride 1.5"),
        ({"geometry": "640x480"}, "geometry '640x480'"),
        ({"geometry": (640, 480.0)}, "geometry 480.0"),
        ({"labels": "cat,dog"}, "'cat', 'dog'"),
        ({"labels": []}, "none given"),
        ({"frame": "gray"}, "frame kind 'gray'"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(model, recording, settings, message):
    with pytest.raises(SaccadeError, match=message) as error:
        Pipeline(recording, model=model, **settings)
    assert "\n" not in str(error.value)


def test_a_pipeline_is_iterated_once(model, recording):
    pipeline = Pipeline(recording, model=model)
    list(pipeline)
    with pytest.raises(SaccadeError, match="already iterated"):
        next(iter(pipeline))
    closed = Pipeline(recording, model=model)
    closed.close()
    with pytest.raises(SaccadeError, match="closed"):
        next(iter(closed))
