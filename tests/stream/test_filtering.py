"""Filters and the limit to the rate in a pipeline and on the command line: every event counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.commands import command
from tests.recordings import HEIGHT, WIDTH, quarters, write_quarters

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.filters import EventFilter, FilterSpec, read_hot_pixels
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.recordings import open_recording
from saccade.stream.durations import parse_rate
from saccade.stream.pipeline import Pipeline
from saccade.stream.settings import parse_filters

ALL = FilterSpec((5, 3, 40, 40), "on", None, 2000, 3000)


def run(recording, model, **settings):
    pipeline = Pipeline(recording, model=model, **settings)
    predictions = list(pipeline)
    total = pipeline.summary
    assert total.events_in == 20_000 == total.events_published + sum(total.dropped.values())
    assert sum(total.filtered.values()) == total.dropped["filter"]
    return predictions, total


def windows(predictions):
    return [(p.seq, p.t_begin_us, p.t_end_us) for p in predictions]


@pytest.mark.parametrize("stride", [None, "3ms", "25ms"])
def test_filters_leave_the_windows_where_they_were(model, recording, stride):
    every, _ = run(recording, model, window="7ms", stride=stride)
    kept, total = run(recording, model, window="7ms", stride=stride, filters=ALL)
    assert windows(kept) == windows(every)
    filters = EventFilter(WIDTH, HEIGHT, ALL)
    t = np.concatenate([filters.apply(packet).t for packet in quarters()])
    for p in kept:
        assert p.n_events == ((t >= p.t_begin_us) & (t < p.t_end_us)).sum()
    assert total.filtered == filters.removed
    assert all(total.filtered[name] for name in ("roi", "polarity", "refractory", "background"))
    assert 0 < kept[-1].dropped["filter"] <= total.dropped["filter"]
    assert total.events_lost == 0


def test_a_region_without_events_gives_the_same_empty_windows(model, recording):
    nothing = FilterSpec(roi=(0, 24, 32, 24), polarity="on", background_us=1)
    every, _ = run(recording, model, window="10ms")
    kept, total = run(recording, model, window="10ms", filters=nothing)
    assert windows(kept) == windows(every)
    assert not any(p.n_events for p in kept)
    assert total.events_published == 0


def test_slices_by_count_hold_kept_events(model, recording):
    kept, total = run(recording, model, count=1000, filters=FilterSpec(roi=(0, 0, 32, 48)))
    assert total.filtered["roi"] == total.dropped["filter"] > 5000
    assert [p.n_events for p in kept[:-1]] == [1000] * (total.events_published // 1000)


def test_two_runs_with_filters_are_equal(model, recording):
    def content():
        found, _ = run(recording, model, window="7ms", filters=ALL, max_rate=5000.0)
        return [(p.seq, p.t_begin_us, p.n_events, p.scores) for p in found]

    assert content() == content()


def test_beyond_the_limit_whole_slices_are_dropped_and_counted(model, recording):
    every, _ = run(recording, model, window="10ms")
    fewer, total = run(recording, model, window="10ms", max_rate=25_000)
    counts = {p.t_begin_us: p.n_events for p in every}
    assert all(p.n_events == counts[p.t_begin_us] for p in fewer)
    assert 15 <= len(fewer) <= 24  # the recording has 50,000 events/s, and 40 slices
    assert total.dropped["rate"] == 20_000 - total.events_published == total.events_lost
    assert (total.slices, total.labels) == (40, len(fewer))
    assert fewer[-1].dropped["rate"] > 0


def test_a_run_with_filters_that_is_left_early_is_accounted_for(model, recording):
    with Pipeline(
        recording, model=model, window="5ms", filters=ALL, max_rate=20_000.0, loop=True
    ) as pipeline:
        for prediction in pipeline:
            if prediction.seq == 60:
                break
    total = pipeline.summary
    assert total.events_in == total.events_published + sum(total.dropped.values())
    assert sum(total.filtered.values()) == total.dropped["filter"] > 10_000


def test_a_refused_region_closes_the_recording(model, recording, monkeypatch):
    opened = open_recording(recording)
    monkeypatch.setattr("saccade.stream.video.open_recording", lambda *_: opened)
    with pytest.raises(SaccadeError, match=r"roi 60,0,10,10: must lie inside the sensor \(64x48\)"):
        Pipeline(str(recording), model=model, filters=FilterSpec(roi=(60, 0, 10, 10)))
    with pytest.raises((SaccadeError, ValueError)):
        list(opened.packets())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("1,2,3", None, None, None, None), "roi '1,2,3': write X,Y,WIDTH,HEIGHT"),
        (("-1,2,3,4", None, None, None, None), "roi '-1,2,3,4'"),
        ((None, "up", None, None, None), "polarity 'up'"),
        ((None, None, None, "5", None), "refractory '5': not a duration"),
        ((None, None, None, None, "2e9s"), "background 2e9s: must be from 1us to a day"),
        ((None, None, None, None, "100s"), "background 100000000 us: must be whole, from"),
    ],
)
def test_wrong_filters_are_refused_in_one_line(settings, message):
    with pytest.raises(SaccadeError, match=message):
        parse_filters(*settings)


def test_rates_are_read_as_users_write_them():
    assert [parse_rate(text) for text in ("10M", "500k", "1.5G", "1e7", " 20 ")] == [
        10e6, 500e3, 1.5e9, 1e7, 20,
    ]  # fmt: skip
    for text in ("", "M", "10m", "-5", "0", "ten", "1e999"):
        with pytest.raises(SaccadeError, match="max-rate"):
            parse_rate(text)


def test_the_command_filters_limits_and_says_so(model, recording, tmp_path):
    mask, summary = tmp_path / "mask.txt", tmp_path / "summary.json"
    mask.write_text("1,1\n40,2\n")
    done = command(
        "run", recording, "--model", model, "--speed", "max", "--window", "10ms",
        "--roi", "1,1,60,40", "--polarity", "off", "--hot-pixels", mask, "--refractory", "2ms",
        "--background", "3ms", "--max-rate", "5k", "--summary", summary,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    total = json.loads(summary.read_text())
    assert total["events_in"] == 20_000
    assert total["events_in"] == total["events_published"] + sum(total["dropped"].values())
    assert all(total["filtered"].values())
    assert total["dropped"]["rate"] > 0
    assert f"filtered: roi {total['filtered']['roi']:,}, polarity" in done.stdout


def test_filtered_events_are_no_loss_and_limited_ones_are(model, recording):
    options = ("run", recording, "--model", model, "--speed", "max", "--fail-on-drop")
    assert command(*options, "--roi", "0,0,8,8").returncode == 0
    done = command(*options, "--max-rate", "10k")
    assert (done.returncode, "events were dropped" in done.stderr) == (3, True)


def with_hot_pixel(path):
    """The quarters, slower, and a pixel that fires 500 times a second."""
    packets = quarters(part_us=400_000)
    hot = np.arange(1_000_000, 2_600_000, 2000)
    t = np.concatenate([*(p.t for p in packets), hot])
    order = np.argsort(t, kind="stable")
    x = np.concatenate([*(p.x for p in packets), np.full(len(hot), 17)])
    y = np.concatenate([*(p.y for p in packets), np.full(len(hot), 40)])
    on = np.concatenate([*(p.on for p in packets), np.ones(len(hot), bool)])
    events = Packet(
        t[order].astype(np.uint64), x[order].astype(np.uint16), y[order].astype(np.uint16),
        on[order],
    )  # fmt: skip
    with Aedat4Writer(path, WIDTH, HEIGHT) as writer:
        writer.write(events)
    return path


def test_hot_pixels_are_learned_to_a_file_that_a_run_takes(model, tmp_path):
    path, mask = with_hot_pixel(tmp_path / "hot.aedat4"), tmp_path / "mask.txt"
    done = command("hot-pixels", path, mask)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{mask}: 1 hot pixels of 64x48\n"
    assert np.argwhere(read_hot_pixels(mask, WIDTH, HEIGHT)).tolist() == [[40, 17]]
    assert "of less than a second" in command("hot-pixels", path, mask, "--from", "1s").stdout
    found = {}
    for value in ("learn", mask):
        pipeline = Pipeline(path, model=model, filters=FilterSpec(hot_pixels=value))
        list(pipeline)
        found[value] = pipeline.summary.filtered["hot"]
    assert found["learn"] == pytest.approx(300, abs=5)
    assert found[mask] == pytest.approx(800, abs=10)


def test_no_output_takes_the_place_of_what_is_read(model, tmp_path):
    path = write_quarters(tmp_path / "quarters.aedat4")
    before = path.read_bytes()
    done = command("hot-pixels", path, path)
    assert (done.returncode, "this is the recording" in done.stderr) == (2, True)
    mask = tmp_path / "mask.txt"
    mask.write_text("1,1\n")
    done = command("run", path, "--model", model, "--hot-pixels", mask, "--out", f"jsonl:{mask}")
    assert (done.returncode, "this is the hot pixels' file" in done.stderr) == (2, True)
    assert (path.read_bytes(), mask.read_text()) == (before, "1,1\n")
    missing = command("hot-pixels", path, tmp_path / "no" / "mask.txt")
    assert (missing.returncode, "No such file" in missing.stderr) == (2, True)
