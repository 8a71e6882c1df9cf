"""Counting while decoding changes nothing that a pipeline says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.recordings import HEIGHT, WIDTH, quarters

from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.filters import FilterSpec
from saccade.camera.writers import open_writer
from saccade.stream import opening as module
from saccade.stream.pipeline import Pipeline


def run(source: Path, fused: bool, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[Any]:
    """Everything that the predictions and the summary say, but for times."""
    with monkeypatch.context() as patch:
        if not fused:
            patch.setattr(module, "make_framer", lambda *_: None)
        pipeline = Pipeline(source, **options)
    assert (pipeline._replay._framer is not None) == fused
    said: list[Any] = []
    try:
        for p in pipeline:
            window = (p.seq, p.t_begin_us, p.t_end_us, p.t_last_us, p.n_events)
            said.append((window, p.labels, p.scores, p.dropped, p.embedding.tobytes()))
            said.append(p.frame.tobytes())
    except RecordingError as error:
        said.append(str(error))
    total = pipeline.summary
    return [*said, total.events_in, total.events_published, total.dropped, total.slices]


@pytest.fixture(scope="module", params=["aedat4", "evt3", "evt2", "csv"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fused") / f"a.{request.param}"
    with open_writer(path, WIDTH, HEIGHT, request.param) as writer:
        for packet in quarters():
            writer.write(packet)
    return path


@pytest.mark.parametrize(
    "options",
    [{"window": "7ms"}, {"count": 1111}, {"frame": "signed"}, {"count": 50, "frame": "clamped"}],
)  # fmt: skip
def test_labels_are_the_same(source, model, options, monkeypatch) -> None:
    one, other = (run(source, f, monkeypatch, model=model, **options) for f in (True, False))
    assert one == other
    assert len(one) > 10


def test_so_are_those_of_a_damaged_recording(source, model, tmp_path, monkeypatch) -> None:
    damaged = tmp_path / source.name
    data = source.read_bytes()
    damaged.write_bytes(data[: len(data) * 2 // 3 | 1])
    one, other = (run(damaged, f, monkeypatch, model=model) for f in (True, False))
    assert one == other


def test_real_recordings_have_the_same_labels(shared_data: Path, monkeypatch) -> None:
    found = shared_data / "recordings"
    for path in (found / "aedat4", found / "evt3", found / "evt2"):
        first = min(path.iterdir(), key=lambda p: p.stat().st_size)
        one, other = (run(first, f, monkeypatch, window="2ms") for f in (True, False))
        assert one == other


def test_what_needs_the_events_has_them(source, model) -> None:
    for options in (
        {"stride": "10ms", "window": "20ms"},
        {"start": "100ms"},
        {"stop": "100ms"},
        {"loop": True},
        {"filters": FilterSpec(roi=(0, 0, 10, 10))},
    ):
        with Pipeline(source, model=model, **options) as pipeline:
            assert pipeline._replay._framer is None


def test_a_full_counter_is_in_the_summary(model, tmp_path) -> None:
    path = tmp_path / "a.aedat4"
    n = 65_535 + 465
    same = np.full(n, 3, np.uint16)
    with open_writer(path, WIDTH, HEIGHT, "aedat4") as writer:
        writer.write(Packet(np.arange(n, dtype=np.uint64) // 10, same, same, np.ones(n, bool)))
    with Pipeline(path, model=model, window="1s") as pipeline:
        (prediction,) = pipeline
    assert prediction.n_events == n
    assert pipeline.summary.saturated == 465
