"""Live sources through the pipeline: labels at a constant rate, every event accounted for."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from tests.live import ScriptedSource, packet, steady

from saccade.camera.capture import Capture
from saccade.camera.errors import SaccadeError
from saccade.camera.filters import FilterSpec
from saccade.camera.slicing import LAST_US
from saccade.camera.sources import Reopening, SourceError, SourceLostError
from saccade.engines.models import load_model
from saccade.engines.onnx import OnnxEngine
from saccade.stream.heartbeat import Heartbeat
from saccade.stream.pipeline import Pipeline
from saccade.stream.publishing import fitting
from saccade.stream.wire import LabelHeader, encode


@pytest.fixture(scope="module")
def loaded(model):
    return load_model(model)


def live(script, model, ring_bytes=1 << 26, **settings):
    capture = Capture(ScriptedSource(script), ring_bytes)
    return Pipeline(capture, model=model, **settings), capture


def settled(pipeline, capture):
    """The accounts are exact: of what the source gave, all was published or dropped by a stage."""
    total = pipeline.summary
    assert total.events_in == total.events_published + sum(total.dropped.values())
    assert total.events_in == capture.source.sent + capture.refused
    return total


@pytest.fixture
def patient(monkeypatch):
    """Nothing is dropped for its age: this machine may be busy."""
    monkeypatch.setattr("saccade.stream.chain.BUDGET_US", 10_000_000)
    monkeypatch.setattr("saccade.stream.chain.SLICE_QUEUE", 1000)
    monkeypatch.setattr("saccade.stream.chain.FRAME_QUEUE", 1000)


def test_all_that_a_source_gave_is_labelled_in_windows_of_its_clock(loaded, patient):
    pipeline, capture = live(steady(0.4), loaded, window="20ms")
    predictions = list(pipeline)
    assert [p.t_begin_us for p in predictions] == [1_000_000 + 20_000 * k for k in range(20)]
    assert [p.n_events for p in predictions] == [2000] * 20
    assert {p.labels[0] for p in predictions} == {"left"}
    assert settled(pipeline, capture).events_published == 40_000
    assert all(p.timing.latency_us >= 0 for p in predictions)


@pytest.mark.parametrize("settings", [{}, {"stride": "10ms"}, {"filters": FilterSpec()}])
def test_silence_gives_empty_slices_at_the_same_rate(loaded, patient, settings):
    script = [packet(100, 5000, 15_000), 0.3, packet(100, 315_000, 325_000)]
    pipeline, capture = live(script, loaded, window="20ms", **settings)
    predictions = list(pipeline)
    begins = [p.t_begin_us for p in predictions]
    step = 10_000 if "stride" in settings else 20_000
    assert set(np.diff(begins)) == {step}
    assert begins[0] == 5000 and len(begins) >= 14
    assert sum(p.n_events == 0 for p in predictions) >= 10
    assert settled(pipeline, capture).events_published == 200


def test_a_source_that_never_sends_gives_empty_slices_from_its_opening(loaded, patient):
    pipeline, capture = live([0.25], loaded, window="20ms")
    predictions = list(pipeline)
    assert [p.t_begin_us for p in predictions[:3]] == [0, 20_000, 40_000]
    assert 5 <= len(predictions) <= 12
    assert not any(p.n_events for p in predictions)
    assert settled(pipeline, capture).events_in == 0


def test_no_slice_by_count_comes_of_silence(loaded, patient):
    pipeline, capture = live([packet(150, 0, 9000), 0.1, packet(70, 9000, 9100)], loaded, count=100)
    assert [p.n_events for p in pipeline] == [100, 100, 20]
    assert settled(pipeline, capture).events_published == 220


class SlowEngine(OnnxEngine):
    """Takes a while for each frame."""

    seconds = 0.05

    def run(self, n: int, stream: int = 0) -> None:
        time.sleep(self.seconds)
        super().run(n)


def test_a_slow_engine_costs_whole_old_slices_and_labels_stay_fresh(loaded):
    pipeline, capture = live(steady(1.0), loaded, window="10ms", engine=SlowEngine(loaded))
    predictions = list(pipeline)
    total = settled(pipeline, capture)
    assert total.dropped["queue"] > 0
    assert {p.n_events for p in predictions} == {1000}
    assert total.events_published == 1000 * len(predictions)
    assert predictions[-1].t_begin_us >= 1_000_000 + 980_000  # the newest is never dropped
    assert predictions[-1].dropped["queue"] == total.dropped["queue"]


class SlowCutter:
    """Takes a while for each packet, as filters do where events are too many."""

    def __init__(self, made):
        self._made = made

    def __getattr__(self, name):
        return getattr(self._made, name)

    def feed(self, events):
        time.sleep(0.01)
        return self._made.feed(events)


def test_a_slow_cutter_gives_whole_slices_that_are_fresh(loaded):
    pipeline, capture = live(steady(1.0), loaded, window="20ms", filters=FilterSpec())
    pipeline._replay._cutter = SlowCutter(pipeline._replay._cutter)
    predictions = list(pipeline)
    total = settled(pipeline, capture)
    assert pipeline._replay.reader.lost > 0
    assert len(predictions) > 4
    assert {p.n_events for p in predictions[:-1]} == {2000}
    assert total.events_published == sum(p.n_events for p in predictions)


def test_what_the_ring_loses_is_counted_and_no_slice_lacks_events(loaded, patient):
    def flood():
        yield packet(1000, 0, 1000)
        while capture.ring.nbytes:  # so that the windows begin at 0
            time.sleep(0.001)
        for k in range(1, 200):
            yield packet(1000, 1000 * k, 1000 * (k + 1))

    pipeline, capture = live(flood(), loaded, 300_000, window="5ms", filters=FilterSpec())
    pipeline._replay._cutter = SlowCutter(pipeline._replay._cutter)
    predictions = list(pipeline)
    total = settled(pipeline, capture)
    assert pipeline._replay.reader.lost > 0
    assert {p.n_events for p in predictions} <= {5000}
    assert predictions[-1].t_end_us == 200_000
    assert total.dropped["queue"] == 200_000 - 5000 * len(predictions)


def test_what_the_driver_lost_is_counted_by_the_source(loaded):
    script = [packet(100, 0, 1000), {"events": 7, "overflows": 3}, packet(100, 1000, 2000)]
    pipeline, capture = live(script, loaded, window="1ms")
    list(pipeline)
    assert settled(pipeline, capture).dropped["source"] == 7
    assert pipeline.summary.events_lost >= 7
    assert "3 overflows" in Heartbeat(pipeline, time.monotonic())().notes[0]


def test_filters_and_gaps_between_strides_are_accounted_for(loaded, patient):
    everything = FilterSpec(polarity="on")
    pipeline, capture = live(steady(0.2), loaded, window="10ms", stride="20ms", filters=everything)
    list(pipeline)
    total = settled(pipeline, capture)
    assert total.dropped["filter"] == 10_000
    assert total.dropped["slice"] == 5000


@pytest.mark.parametrize("stamp", [(1 << 63) - 1, 1 << 63, LAST_US, 86_400_000_000, 0])
@pytest.mark.parametrize("settings", [{}, {"stride": "10ms"}])
def test_a_damaged_clock_costs_no_event_and_no_run(loaded, patient, stamp, settings):
    bad = packet(10, 2_000_000, 2_001_000)
    bad.t[5:] = stamp
    script = [packet(100, 3_000_000, 3_010_000), bad, 0.1, packet(100, 3_100_000, 3_110_000), 0.05]
    pipeline, capture = live(script, loaded, window="20ms", **settings)
    predictions = list(pipeline)
    assert settled(pipeline, capture).events_published == 210
    assert len(predictions) < 500  # at most 2 s of empty slices for a leap, then the grid leaps too
    offsets = [p.timing.received_ns - p.t_last_us * 1000 for p in predictions]
    encode(LabelHeader(clock_offset_ns=fitting(min(offsets)), t_end_us=predictions[-1].t_end_us))


class Returning(ScriptedSource):
    """A source that is gone where its script says so, and comes back at once."""

    def reopen(self):
        pass


@pytest.mark.parametrize("settings", [{}, {"stride": "10ms"}])
def test_a_camera_that_comes_back_begins_a_grid_of_its_own(loaded, patient, settings):
    gone = SourceLostError("script://test", "the camera is gone", "plug it in")
    script = [packet(100, 300_000, 390_000), 0.1, gone, packet(100, 7000, 47_000)]
    begun = time.monotonic_ns() + 100_000_000
    capture = Capture(Reopening(Returning(script)), 1 << 26)
    pipeline = Pipeline(capture, model=loaded, window="20ms", **settings)
    predictions = list(pipeline)
    total = pipeline.summary
    assert total.events_published == total.events_in == 200
    begins = [p.t_begin_us for p in predictions if p.t_begin_us < 300_000]
    assert begins[:2] == [7000, 17_000 if settings else 27_000]
    assert sum(p.n_events for p in predictions if p.t_begin_us == 7000) == 50
    now = time.monotonic_ns()
    assert capture.clock.passed_us(now) < 47_000 + (now - begun) // 1000  # not as the one before


def test_a_stop_labels_what_was_read_to_its_last_event(loaded):
    pipeline, capture = live(steady(60.0), loaded, window="10ms")
    threading.Timer(0.2, pipeline.stop).start()
    predictions = list(pipeline)
    total = settled(pipeline, capture)
    assert total.dropped["slice"] == 0
    assert predictions[-1].dropped["queue"] == total.dropped["queue"]


def test_a_drain_that_takes_too_long_is_broken_off(loaded, monkeypatch):
    monkeypatch.setattr("saccade.stream.pipeline.DRAIN_S", 0.1)
    monkeypatch.setattr("saccade.stream.chain.END_S", 0.1)
    engine = SlowEngine(loaded)
    engine.seconds = 1.5
    pipeline, capture = live(steady(60.0), loaded, window="10ms", engine=engine)
    threading.Timer(0.2, pipeline.stop).start()
    assert list(pipeline) == []
    total = settled(pipeline, capture)
    assert total.dropped["queue"] == total.events_in > 0


def test_the_end_of_a_source_by_an_error_comes_after_its_last_events(loaded):
    fault = SourceError("script://test", "it sends what cannot be read", "update it")
    pipeline, capture = live([packet(100, 0, 1000), fault], loaded, window="10ms")
    predictions = []
    with pytest.raises(SourceError, match="update it"):
        predictions += iter(pipeline)
    assert pipeline.summary.events_published == 100
    settled(pipeline, capture)


def test_the_status_says_what_a_person_needs(loaded):
    pipeline, capture = live([*steady(0.1), 1.5], loaded, window="20ms")
    heartbeat = Heartbeat(pipeline, time.monotonic())
    seen = []
    for prediction in pipeline:
        if prediction.seq % 10 == 0:
            seen.append(heartbeat())
    assert seen[-1].notes == ["no events for 1 s: lens cap? biases?"]
    assert any(status.on_share == 0.5 for status in seen)
    assert all(status.budget_us == 50_000 and status.cpu >= 0 for status in seen)
    assert all(
        status.events_in
        == status.events_published + status.events_pending + sum(_counts(status.dropped))
        for status in seen
    )
    assert seen[0].stuck == ""


def _counts(dropped):
    return [getattr(dropped, name) for name in dropped.__struct_fields__]


def test_the_watchdog_names_the_stage_that_does_not_move(loaded, monkeypatch):
    monkeypatch.setattr("saccade.stream.chain.STUCK_S", 0.1)
    engine = SlowEngine(loaded)
    engine.seconds = 0.4
    pipeline, _ = live(steady(0.6), loaded, window="10ms", engine=engine)
    seen = set()
    timer = threading.Thread(target=lambda: seen.update(_watch(pipeline)))
    timer.start()
    list(pipeline)
    timer.join()
    assert "encode" in seen


def _watch(pipeline):
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        time.sleep(0.02)
        yield pipeline.stuck


@pytest.mark.parametrize(
    "setting", [{"loop": True}, {"speed": 2.0}, {"start": "1s"}, {"geometry": (3, 3)}]
)
def test_what_only_recordings_have_is_refused(loaded, setting):
    with pytest.raises(SaccadeError, match="a live source has none"):
        live([], loaded, **setting)
