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
    from saccade.training.mini_model import Mini

    torch.set_num_threads(1)  # batches of 11 gain nothing by more
    images, held = mini_data.load_images(images_tar)
    held_frames = mini_data.cached_frames(held, mini.VALIDATION_SEED, 0, tmp_path)
    recipe = mini.Recipe(epochs=4, variants=2, grow=2, cool=2, batch=11)

    def trainer() -> mini.Trainer:
        return mini.Trainer(mini.Frames(images, tmp_path, 2), recipe)

    figures = mini.train(trainer(), images.names, held_frames, held.classes, tmp_path)
    assert set(figures) == {"top1", "mean_class", "top5"}
    log = (tmp_path / "log.jsonl").read_text().splitlines()
    assert len(log) == 4
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)

    (stopped := tmp_path / "stopped").mkdir()
    half = trainer()
    half.epoch(), half.epoch()
    half.save(stopped / "checkpoint.pt", images.names, {})
    mini.train(trainer(), images.names, held_frames, held.classes, stopped)
    again = torch.load(stopped / "checkpoint.pt", weights_only=True)["model"]
    assert all(torch.equal(again[key], value) for key, value in state["model"].items())

    model = Mini(2)
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
    engine.input[0] = held_frames[0] / np.float32(255)
    engine.run(1)
    with torch.inference_mode():
        wanted = model.encoder.eval()(torch.from_numpy(engine.input.copy())).numpy()
    np.testing.assert_allclose(engine.output, wanted, atol=1e-4)


@pytest.mark.parametrize("depths", [(1, 2, 2), (2, 3, 3)])
def test_an_exported_model_goes_on_where_it_was(images_tar, depths):
    import torch

    from saccade.engines.models import load_model
    from saccade.engines.onnx import OnnxEngine
    from saccade.training.mini_data import load_images, simulated_frame
    from saccade.training.mini_model import Mini, MiniEncoder
    from saccade.training.mini_start import unfold

    bundled = load_model("saccade-mini")
    pixels = load_images(images_tar)[0].pixels[:4]
    frames = np.stack([simulated_frame(image, 7) for image in pixels])[:, None] / np.float32(255)
    model = Mini(len(bundled.labels().names))
    model.encoder = MiniEncoder(depths=depths)
    unfold(model, bundled.folder, torch.from_numpy(frames), None)
    with torch.inference_mode():
        found = model.eval()(torch.from_numpy(frames)).numpy()
    engine = OnnxEngine(bundled)
    for frame, cosines in zip(frames, found / float(model.head.scale.detach()), strict=True):
        engine.input[0] = frame[0]
        engine.run(1)
        wanted = engine.output[0] @ bundled.labels().embeddings.T
        np.testing.assert_allclose(cosines, wanted, atol=1e-4)
    model.encoder = MiniEncoder(depths=(1, 1, 2))
    with pytest.raises(ValueError, match="less deep"):
        unfold(model, bundled.folder, torch.from_numpy(frames), None)


def test_a_mixed_frame_keeps_its_own_share():
    import torch

    from saccade.training.mini_augment import augment, mix

    generator = torch.Generator().manual_seed(3)
    frames = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 1, 96, 96) + 1
    assert augment(frames, generator, 64).shape == (6, 1, 64, 64)
    for _ in range(8):
        mixed, other, own = mix(frames, 1.0, generator)
        wanted = own * (torch.arange(6) + 1) + (1 - own) * (other + 1)
        torch.testing.assert_close(mixed.mean((1, 2, 3)), wanted)
        assert (own >= 0.25).all() and (own <= 1).all()
    assert mix(frames, 0.0, generator)[0] is frames


def test_a_text_counts_where_its_class_has_one(tmp_path):
    import torch

    from saccade.training.mini_text import read_texts

    texts, names = np.eye(3, 512, dtype=np.float16) * 9, np.array(["cup", "cougar", "mug"])
    np.savez(tmp_path / "texts.npz", lvis_text=texts, lvis_names=names)
    targets = read_texts(tmp_path / "texts.npz", ["tick", "cougar_body", "cup"])
    assert targets.target.tolist() == [-1, 1, 0]
    losses = targets.losses(targets.texts[[0, 1, 0]], torch.tensor([0, 1, 1]))
    assert losses[0] == 0
    assert losses[1] < 0.01
    assert losses[2] > 10


def test_left_out_classes_are_measured_by_examples(images_tar):
    from saccade.training.mini_data import load_images, without
    from saccade.training.mini_measure import few_shot, unseen_names

    images, _ = load_images(images_tar)
    seen, unseen = without(images, ["disc"])
    assert (seen.names, unseen.names, len(seen.pixels)) == (("bar",), ("disc",), 11)
    assert unseen_names("abcdefghij", 2) == ("c", "h")
    rows = np.repeat(np.eye(3, dtype=np.float32), 8, 0)
    assert few_shot(rows, np.repeat([4, 5, 9], 8)) == 1.0


def test_the_rate_falls_and_the_frames_grow_at_the_end():
    from saccade.training.mini import Recipe

    recipe = Recipe(epochs=50, cool=10, learning_rate=1e-3)
    assert recipe.rate(0) < recipe.rate(2) < recipe.rate(5) == recipe.rate(40) == 1e-3
    assert recipe.rate(45) == pytest.approx(5e-4)
    assert [recipe.size(epoch, 96) for epoch in (0, 39, 40, 43, 44, 49)] == [64, 64, 80, 80, 96, 96]
    flat = Recipe(epochs=50, cool=0, learning_rate=1e-3)
    assert flat.rate(49.9) == 1e-3
    assert flat.size(49, 96) == 64
