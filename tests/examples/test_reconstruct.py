"""FireNet+ makes pictures of our voxel grids, as they are and end to end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from examples.reconstruct import Reconstructor, pictures

from saccade.camera.errors import SaccadeError
from saccade.camera.formats.aedat4 import Aedat4Recording
from saccade.camera.recordings import open_recording
from saccade.camera.slicing import Slice

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "reconstruct.py"


@pytest.fixture(scope="module")
def model(shared_data: Path) -> str:
    return str(shared_data / "models" / "firenet_plus.onnx")


@pytest.fixture(scope="module")
def lab(shared_data: Path) -> Path:
    return shared_data / "recordings" / "aedat4" / "davis346_lab_lz4.aedat4"


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.mark.parametrize(("normalise", "least"), [(False, 0.25), (True, 0.45)])
def test_the_picture_is_what_the_frames_of_the_camera_show(lab, model, normalise, least):
    with open_recording(lab) as recording:
        assert isinstance(recording, Aedat4Recording)
        frame = list(recording.frames())[-1].pixels.astype(float)
        made = list(pictures(recording, model, "20ms", None, normalise, 1))
    assert len(made) == 6
    for picture in made:
        assert (picture.shape, picture.dtype) == ((260, 346), np.float32)
        assert np.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.max() <= 1
        assert picture.std() > 0.05
    last = made[-1]
    assert correlation(last, frame) > least
    # and not for any reason but the scene, which moves by a pixel or two at most
    for wrong in (1 - last, last[::-1], last[:, ::-1], np.roll(last, (40, 60), (0, 1))):
        assert correlation(wrong, frame) < 0.15


def test_its_states_go_from_slice_to_slice(lab, model):
    with open_recording(lab) as recording:
        first, second, *_ = pictures(recording, model, "20ms", "60ms", False, 1)
    assert correlation(first, second) > 0.5
    empty = Slice(0, 20_000, 0, 0, ())
    reconstruct = Reconstructor(model, 32, 24)
    assert not np.array_equal(reconstruct(empty), reconstruct(empty))


def test_a_size_that_the_network_does_not_take_is_padded_and_cropped(lab, model):
    with open_recording(lab) as recording:
        plain = list(pictures(recording, model, "40ms", "90ms", False, 1))[-1]
    with open_recording(lab) as recording:
        padded = list(pictures(recording, model, "40ms", "90ms", False, 32))[-1]
    assert padded.shape == plain.shape
    # FireNet+ takes any size; what is far from the border does not see the padding
    np.testing.assert_allclose(padded[40:-40, 40:-40], plain[40:-40, 40:-40], atol=1e-3)


def test_the_script_writes_one_picture_or_all(lab, model, tmp_path):
    from PIL import Image

    def script(*arguments: object) -> str:
        command = [sys.executable, SCRIPT, lab, model, *arguments]
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=True
        ).stdout

    out = tmp_path / "new" / "last.png"
    assert script(out, "--window", "30ms", "--to", "100ms").startswith("3 windows of 30ms")
    script(tmp_path / "all_{:02d}.png", "--window", "30ms", "--to", "100ms")
    found = sorted(tmp_path.glob("all_*.png"))
    assert [path.name for path in found] == ["all_00.png", "all_01.png", "all_02.png"]
    with Image.open(out) as one, Image.open(found[-1]) as last:
        assert (one.size, one.mode) == ((346, 260), "L")
        assert one.tobytes() == last.tobytes()


def test_what_gives_no_picture_is_one_line(lab, model, tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, lab, model, tmp_path / "a.png", "--window", "10s"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "shorter than a window of 10s" in done.stderr


def test_a_model_that_takes_no_events_is_refused():
    other = ROOT / "engines" / "models" / "saccade-mini" / "model.onnx"
    with pytest.raises(SaccadeError, match="none is `events`"):
        Reconstructor(str(other), 8, 8)
