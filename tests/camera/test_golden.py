"""Every real recording against its known counts; those of no camera are refused by name."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from saccade.camera.errors import RecordingError
from saccade.camera.inspection import Inspection, inspect

FIELDS = ["n", "n_on", "t_first", "t_last", "duration_us", "sum_x", "sum_t", "backward_steps"]
#: Files that do not tell their sensor's size.
GEOMETRY = {
    "aedat2/davis_synthetic_square.aedat": (240, 180),
    "dat/ncars_004397.dat": (304, 240),
    "hdf5/person_qvga_evlib.h5": (320, 240),
}
NO_CAMERA = "aedat2/cochlea_not_a_camera.aedat"
#: The event_stream library counts y from the bottom, as the file does; saccade from the top.
FROM_THE_BOTTOM = ["es/tool_qvga.es", "es/trcl0.es"]


def _folder() -> Path:
    stated = os.environ.get("SACCADE_DATA")
    folder = Path(stated) if stated else Path(__file__).parents[3] / "shared" / "data"
    return folder / "recordings"


def _golden() -> dict[str, dict[str, Any]]:
    path = _folder() / "golden.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_there_are_recordings(shared_data: Path) -> None:
    assert len(_golden()) >= 30


@pytest.mark.parametrize("name", [name for name in _golden() if name != NO_CAMERA])
def test_a_real_recording_gives_the_known_counts(name: str) -> None:
    golden = _golden()[name]
    found = inspect(_folder() / name, GEOMETRY.get(name))
    assert found.error is None
    for field in FIELDS:
        if field in golden:
            assert getattr(found, field) == golden[field], field
    sum_y = golden["sum_y"]
    if name in FROM_THE_BOTTOM:
        sum_y = found.n * (found.height - 1) - sum_y
    assert found.sum_y == sum_y
    if "width" in golden:
        assert (found.width, found.height) == (golden["width"], golden["height"])
    assert not any(found.dropped.values())
    _check_streams(found, golden)


def _check_streams(found: Inspection, golden: dict[str, Any]) -> None:
    counts = {stream.kind: stream.count for stream in found.streams}
    for kind in ("frames", "imu", "triggers"):
        if kind in golden:
            assert counts.get(kind, 0) == golden[kind]


def test_a_cochlea_is_refused_by_name(shared_data: Path) -> None:
    with pytest.raises(RecordingError, match="silicon cochlea"):
        inspect(shared_data / "recordings" / NO_CAMERA)
