"""Videos through the command line and the pipeline: a label for each chunk, every event counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.camera.videos import HEIGHT, WIDTH, formula, moving_square, write_video
from tests.commands import command, refused
from tests.recordings import write_quarters

from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.filters import FilterSpec
from saccade.camera.recordings import open_recording
from saccade.camera.video import VideoSpec
from saccade.stream.pipeline import Pipeline
from saccade.stream.video import parse_video


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "video.avi", moving_square(70))


@pytest.mark.parametrize("kind", ["rgb", "gray"])
def test_each_chunk_of_a_video_has_one_label(model, video, kind):
    with Pipeline(video, model=model, video=VideoSpec(kind)) as pipeline:
        spec = pipeline._source.frame_maker.spec
        predictions = list(pipeline)
    assert (spec.kind, spec.clamp, spec.counting) == (
        "clamped", 10 if kind == "rgb" else 16, "sensor",
    )  # fmt: skip
    assert [p.t_begin_us for p in predictions] == [k * 16 * 1_000_000 // 30 for k in range(5)]
    summary = pipeline.summary
    assert summary.events_in == summary.events_published > 1000
    assert sum(summary.dropped.values()) == 0


def test_a_window_or_a_frame_of_ones_own_takes_its_place(model, video):
    with Pipeline(video, model=model, window="100ms", frame="paper") as pipeline:
        assert pipeline._source.frame_maker.spec.kind == "paper"
        assert len(list(pipeline)) == 23
    with Pipeline(video, model=model, frame="paper") as pipeline:
        assert pipeline._source.frame_maker.spec.kind == "paper"
        assert len(list(pipeline)) == 5
    with Pipeline(video, model=model, video=VideoSpec("simulated")) as pipeline:
        assert pipeline._source.frame_maker.spec == pipeline.model.frame_spec(None)
        assert len(list(pipeline)) > 60


def test_sections_and_filters_keep_the_chunks(model, video):
    with Pipeline(video, model=model, start="1s") as pipeline:
        begins = [p.t_begin_us for p in pipeline]
    assert begins == [k * 16 * 1_000_000 // 30 for k in (1, 2, 3, 4)]
    with Pipeline(video, model=model, filters=FilterSpec(polarity="on")) as pipeline:
        assert len(list(pipeline)) == 5
    summary = pipeline.summary
    assert summary.filtered["polarity"] == summary.dropped["filter"] > 1000
    assert summary.events_in == summary.events_published + summary.dropped["filter"]


def test_run_labels_a_video(model, video, tmp_path):
    done = command("run", video, "--model", model, "--speed", "max", "--video-events", "gray",
                   "--video-threshold", "25", "--out", f"jsonl:{tmp_path}/labels.jsonl",
                   "--summary", tmp_path / "run.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "labels.jsonl").read_text().splitlines()) == 5
    wanted = sum(int(total.sum()) for total in formula(moving_square(70), "gray", 25))
    assert json.loads((tmp_path / "run.json").read_text())["events_in"] == wanted


def test_a_broken_tail_is_told_after_its_labels(model, video):
    whole = video.read_bytes()
    video.write_bytes(whole[: len(whole) * 2 // 3])
    labels = []
    with Pipeline(video, model=model) as pipeline, pytest.raises(RecordingError, match="frames"):
        for prediction in pipeline:
            labels.append(prediction.labels[0])
    assert len(labels) == 3
    assert pipeline.summary.events_in == pipeline.summary.events_published


def test_convert_writes_what_a_simulated_sensor_sees(video, tmp_path):
    out = tmp_path / "out.aedat4"
    done = command("convert", video, out, "--sensor", "threshold_on=0.3,noise_hz=0,leak_hz=0")
    assert done.returncode == 0, done.stderr
    with open_recording(out) as recording:
        assert (recording.width, recording.height) == (WIDTH, HEIGHT)
        packets = list(recording.packets())
    t, on = (np.concatenate([getattr(p, name) for p in packets]) for name in ("t", "on"))
    assert len(np.unique(t)) > 1000
    assert 0.1 < on.mean() < 0.9


def test_what_is_no_video_has_no_video_settings(model, tmp_path):
    recording = write_quarters(tmp_path / "events.aedat4")
    with pytest.raises(SaccadeError, match="no video"):
        Pipeline(recording, model=model, video=VideoSpec())
    refused(command("convert", recording, tmp_path / "o.npz", "--sensor", "noise_hz=1"), "no video")


def test_a_video_that_cannot_be_opened_is_one_line(tmp_path):
    path = write_video(tmp_path / "video.mp4", moving_square(20))
    path.write_bytes(path.read_bytes()[:3000])
    done = command("inspect", path)
    refused(done, "cannot be opened")
    assert len(done.stderr.splitlines()) == 1


def test_a_video_in_chunks_has_no_loop(model, video):
    with pytest.raises(SaccadeError, match="loop: "):
        Pipeline(video, model=model, loop=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gray", None, "noise_hz=1"), "simulated"),
        (("simulated", 10.0, None), "threshold_on"),
        ((None, None, "speed=1"), "is none of its settings"),
        ((None, None, "noise_hz=1,noise_hz=2"), "twice"),
        ((None, None, "noise_hz=loud"), "no number"),
        ((None, None, "noise_hz=-1"), "noise_hz"),
        ((None, 300.0, None), "threshold"),
    ],
)
def test_video_settings_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(SaccadeError, match=message):
        parse_video(*arguments)
