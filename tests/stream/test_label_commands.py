"""`saccade labels`: banks made, shown as label files, and tested, as a user does it."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from PIL import Image
from tests.commands import command
from tests.models import make_model
from tests.text_models import make_text_model

from saccade.engines.bank import LabelBank

WORDS = "side: left, right | starboard; cup"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_text_model(tmp_path_factory.mktemp("labels") / "m")


@pytest.fixture(scope="module")
def bank(model):
    path = model.parent / "bank.safetensors"
    made = command("labels", "make", path, "--labels", WORDS, "--model", model)
    assert (made.returncode, made.stderr) == (0, "")
    assert f"{path}: 3 labels of 4 words, space halves/1, templates model/" in made.stdout
    return path


def test_a_bank_is_shown_as_a_label_file(bank, model, tmp_path):
    shown = command("labels", "show", bank)
    assert shown.stdout == "cup\n[side]\nleft\nright = right | starboard\n"
    (tmp_path / "words.txt").write_text(shown.stdout)
    again = tmp_path / "again.safetensors"
    made = command("labels", "make", again, "--labels", tmp_path / "words.txt", "--model", model)
    assert made.returncode == 0
    assert LabelBank.load(again).groups == LabelBank.load(bank).groups


def test_a_bank_is_shown_as_json(bank):
    shown = json.loads(command("labels", "show", bank, "--json").stdout)
    assert (shown["space"], shown["dimension"]) == ("halves/1", 4)
    assert shown["labels"][1] == {"name": "right", "texts": ["right", "starboard"]}
    assert shown["groups"] == {"side": ["left", "right"]}
    assert [each["templates"] for each in shown["templates"].values()] == [["a photo of a {}"]]


def test_templates_are_chosen(model, tmp_path):
    path = tmp_path / "b.safetensors"
    options = ["--template", "clip-cifar", "--template", "a {} seen by an event camera"]
    made = command("labels", "make", path, "--labels", "left", "--model", model, *options)
    assert "templates own/" in made.stdout
    prompts = LabelBank.load(path).prompts("left")
    assert len(prompts) == 19
    assert prompts[-1] == "a left seen by an event camera"


def test_near_labels_are_named(bank, tmp_path):
    whole = LabelBank.load(bank)
    twin = LabelBank(("twin",), whole.embeddings[:1], whole.space)
    path = tmp_path / "twins.safetensors"
    whole.join(twin).save(path)
    lines = command("labels", "test", path).stdout.splitlines()
    assert lines[1].endswith("1.000 at most")
    assert "  1.0000 left / twin (the same)" in lines
    found = json.loads(command("labels", "test", path, "--near", "-1", "--json").stdout)
    assert len(found["near"]) == 6
    assert found["nearest"][0]["cosine"] == pytest.approx(1)


def test_embeddings_measure_a_bank(tmp_path):
    model = make_model(tmp_path / "m")
    path = tmp_path / "e.npz"
    eye = np.eye(4, dtype=np.float16)
    seen = np.stack([eye, eye[[1, 1, 2, 3]]], axis=1)  # the second "left" looks like "right"
    names = np.array(["sinister", "hat", "top", "bottom"])
    np.savez(path, seen=seen, names=names, flat=seen[:, 0])
    tested = command("labels", "test", "--model", model, "--embeddings", path, "seen")
    assert "top-1 87.5%, top-5 100.0% of 8 embeddings of 4 labels" in tested.stdout
    assert "taken for another:\n  1 x left for right\n" in tested.stdout
    options = ["--embeddings", path, "flat", "--names", "names", "--json"]
    tested = command("labels", "test", "--model", model, *options)
    assert "1 of 4 names are no labels (hat, ...); left out" in tested.stderr
    found = json.loads(tested.stdout)["accuracy"]
    assert (found["embeddings"], found["top1"], found["confused"]) == (3, 1.0, [])


def with_image_tower(folder):
    """The encoder of halves as a tower for photos: the mean of three channels."""
    make_model(folder, channels=3)
    encoder = onnx.load(folder / "model.onnx")
    onnx.save(encoder, folder / "image.onnx")
    manifest = (folder / "model.toml").read_text()
    sha = manifest.split('sha256 = "')[1][:64]
    image = '\n[image]\nfile = "image.onnx"\nsize = 16\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n'
    (folder / "model.toml").write_text(f'{manifest}\n[files]\n"image.onnx" = "{sha}"\n{image}')
    return folder


def test_photos_measure_a_bank(tmp_path):
    model, photos = with_image_tower(tmp_path / "m"), tmp_path / "photos"
    for name, box in (("left", (0, 0, 32, 64)), ("Top", (0, 0, 64, 32)), ("hat", (0, 0, 1, 1))):
        (photos / name).mkdir(parents=True)
        photo = Image.new("RGB", (64, 64))
        photo.paste((255, 255, 255), box)
        for i in range(5):
            photo.save(photos / name / f"{i}.png")
    tested = command("labels", "test", "--model", model, "--images", photos)
    assert "top-1 100.0%, top-5 100.0% of 10 embeddings of 2 labels" in tested.stdout
    assert "1 of 3 names are no labels (hat, ...)" in tested.stderr
    (photos / "right").mkdir()
    (photos / "Top" / "notes.txt").write_text("no photo")
    tested = command("labels", "test", "--model", model, "--images", photos)
    assert tested.returncode == 2
    assert "notes.txt: no image that can be read" in tested.stderr


def test_mistakes_are_one_line(bank, model, tmp_path):
    arrays, words = tmp_path / "e.npz", tmp_path / "words.txt"
    rows = {"e": np.ones((2, 4)), "z": np.zeros((3, 4)), "w": np.ones((3, 5))}
    np.savez(arrays, **rows, i=np.eye(3, 4, dtype=int), names=np.array(["x", "y", "z"]))
    words.write_text("left\n")
    without = make_model(tmp_path / "m")
    make, test = (
        ["labels", "make", tmp_path / "b.safetensors", "--labels"],
        ["labels", "test", bank],
    )
    options = ["--model", model]
    photos, measure = with_image_tower(tmp_path / "i"), [*test, "--embeddings", arrays]
    cases = {
        "no such file; make": ["labels", "test", tmp_path / "no.safetensors"],
        "no text tower": [*make, "left", "--model", without, "--template", "the {}"],
        "'cup': not in the bank": [*make, "cup", "--model", without],
        "none of paper-n-imagenet": [*make, "cup", "--template", "photos"],
        "name a file that can be": [
            "labels",
            "make",
            tmp_path,
            "--labels",
            "top",
            "--model",
            model,
        ],
        "this is the label file": ["labels", "make", words, "--labels", words],
        "x is not a file": [*measure, "x"],
        "e is float64 [2, 4]": [*measure, "e"],
        "i is int64": [*measure, "i"],
        "have no direction": [*measure, "z"],
        "must be [N, 4]": [*measure, "w"],
        "none of its 3 names": [*measure, "z", "--names", "names"],
        "not an .npz": [*test, "--embeddings", words, "x"],
        "no tower for photos": [*test, "--images", tmp_path, *options],
        "give one of them": [*measure, "e", "--images", tmp_path],
        "a folder for each label": [*test, "--images", words, "--model", photos],
        "does not compare with model": [*test, "--images", tmp_path],
    }
    for message, arguments in cases.items():
        done = command(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert message in done.stderr
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "b.safetensors").exists()
