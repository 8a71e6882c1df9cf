"""Training of saccade-mini in small: the split of the data, a few steps, an export that agrees."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra: pip install -e '.[train]'")
Image = pytest.importorskip(
    "PIL.Image", reason="training needs the extra: pip install -e '.[train]'"
)


@pytest.fixture
def images_tar(tmp_path: Path) -> Path:
    """Two classes of 12 images (bars and discs) and a background class."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:60, 0:80]
    path = tmp_path / "images.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("bar", "disc", "BACKGROUND_Google"):
            for k in range(12):
                x, y = rng.integers(30, 50), rng.integers(25, 35)
                disc = (columns - x) ** 2 + (rows - y) ** 2 < 200
                shape = disc if name == "disc" else abs(columns - x) < 6
                data = io.BytesIO()
                pixels = np.where(shape, 220, 60).astype(np.uint8)
                Image.fromarray(pixels).save(data, "JPEG")
                info = tarfile.TarInfo(f"{name}/image_{k:04}.jpg")
                info.size = data.tell()
                data.seek(0)
                archive.addfile(info, data)
    return path


def test_every_tenth_image_of_a_class_is_held_out(images_tar):
    from saccade.training.mini_data import load_images

    train, held = load_images(images_tar)
    assert train.names == held.names == ("bar", "disc")
    assert len(train.pixels) == 22
    assert held.classes.tolist() == [0, 1]


def test_a_frame_is_the_same_for_its_seed(images_tar):
    from saccade.training.mini_data import load_images, simulated_frame

    image = load_images(images_tar)[0].pixels[0]
    frames = [simulated_frame(image, seed) for seed in (4, 4, 5)]
    assert frames[0].shape == (96, 96)
    assert frames[0].max() > 50
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()


# torch's exporter warns of torch's own deprecations.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_training_learns_and_the_export_agrees(images_tar, tmp_path):
    import torch

    from saccade.engines.models import load_model
    from saccade.engines.onnx import OnnxEngine
    from saccade.training import mini, mini_data, mini_export

    torch.set_num_threads(2)
    train, held = mini_data.load_images(images_tar)
    frames = np.stack([mini_data.simulated_frame(i, k) for k, i in enumerate(train.pixels)])[None]
    held_frames = np.stack([mini_data.simulated_frame(i, 9) for i in held.pixels])
    recipe = mini.Recipe(epochs=6, small_epochs=3, batch=11)
    figures = mini.train(frames, train, held_frames, held.classes, tmp_path, recipe)
    assert set(figures) == {"top1", "mean_class", "top5"}
    log = (tmp_path / "log.jsonl").read_text().splitlines()
    assert len(log) == 6

    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    model = mini.Mini(2)
    model.load_state_dict(state["model"])
    folder = tmp_path / "model"
    folder.mkdir()
    mini_export.export_onnx(model, folder / "model.onnx")
    assert str(Path(mini.__file__).parents[3]).encode() not in (folder / "model.onnx").read_bytes()
    mini_export.write_bank(model, state["names"], folder)
    mini_export.write_manifest(folder, 9.0, {"seed": 1}, figures)
    loaded = load_model(folder)
    assert loaded.labels().names == ("bar", "disc")
    engine = OnnxEngine(loaded)
    engine.input[0] = frames[0, 0] / np.float32(255)
    engine.run(1)
    with torch.inference_mode():
        wanted = model.encoder.eval()(torch.from_numpy(engine.input.copy())).numpy()
    np.testing.assert_allclose(engine.output, wanted, atol=1e-4)
