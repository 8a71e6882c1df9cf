"""`saccade evaluate`: figures, a record and a page of recordings in folders, as a user does it."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from contextlib import closing
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tests.commands import command, refused
from tests.models import make_model
from tests.recordings import PLACES
from tests.text_models import make_text_model

from saccade.camera.disturbances import Disturbance
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.engines.choose import engine_for
from saccade.engines.models import load_model
from saccade.stream.evaluation import EvaluateOptions, evaluate
from saccade.stream.evaluation_pictures import choose
from saccade.stream.evaluation_record import Judged
from saccade.stream.evaluation_windows import Faults, Looker, Sample
from saccade.stream.pipeline import Pipeline
from saccade.stream.png import gray_png
from saccade.stream.teaching import TeachOptions, teach

RECORDINGS = 3


def record(path, place, seed, windows=3, events=300):
    """Windows of 30 ms whose events are all in one half of the sensor; the first one has few."""
    rng = np.random.default_rng(seed)
    x0, x1, y0, y1 = PLACES[place]
    with Aedat4Writer(path, 64, 48, "none") as writer:
        for k, n in enumerate([5] + [events] * windows):
            t = np.sort(rng.integers(30_000 * k, 30_000 * (k + 1), n)).astype("u8")
            x, y = rng.integers(x0, x1, n), rng.integers(y0, y1, n)
            writer.write(Packet(t, x.astype("u2"), y.astype("u2"), rng.random(n) < 0.5))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings of four labels, one of them in the wrong folder, and the model."""
    home = tmp_path_factory.mktemp("evaluate")
    make_model(home / "m")
    for number, place in enumerate(PLACES):
        (home / "data" / place).mkdir(parents=True)
        for i in range(RECORDINGS):
            shown = "left" if (place, i) == ("bottom", 2) else place  # which is a mistake
            record(home / "data" / place / f"{i}.aedat4", shown, 10 * number + i)
    return home


@pytest.fixture(scope="module")
def evaluated(folder):
    """What one evaluation with everything said, its record and its page."""
    done = command(
        "evaluate", folder / "data", "--model", folder / "m", "--robustness", "--unseen", "bottom",
        "--few-shot", "1,2,5", "--out", folder / "r.html", "--json", folder / "r.json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = json.loads((folder / "r.json").read_text())
    return done.stdout, found, (folder / "r.html").read_text()


def test_the_record_says_what_was_right(evaluated):
    said, found, _ = evaluated
    assert "halves: 12 recordings of 4 labels, 12 windows of 30ms, among 4 labels\n" in said
    assert "top-1 91.7% (64.6 to 98.5), top-5 100.0%" in said
    assert found["top1"]["value"] == found["mean_over_classes"]["value"] == pytest.approx(11 / 12)
    assert [each["name"] for each in found["classes"]] == ["left", "right", "top", "bottom"]
    bottom = found["classes"][3]
    assert (bottom["recordings"], bottom["windows"]) == (3, 3)
    assert bottom["top1"]["value"] == pytest.approx(2 / 3)
    assert found["confusion"]["windows"] == [[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0], [1, 0, 0, 2]]
    assert sum(each["n"] for each in found["calibration"]["bins"]) == 12
    unseen = found["unseen"]
    assert (unseen["names"], unseen["seen"]["value"]) == (["bottom"], 1.0)
    assert unseen["harmonic_mean"] == pytest.approx(0.8)
    assert (found["left_out"], found["unknown_folders"]) == ({}, [])


def test_curves_and_conditions_are_in_the_record(evaluated):
    _, found, _ = evaluated
    shots = [(each["head"], each["shots"], each["classes"]) for each in found["few_shot"]]
    heads = ["prototypes", "linear", "cache"]
    assert shots == [(head, k, 4) for k in (1, 2) for head in heads]  # no class has 6
    conditions = {each["condition"]: each for each in found["robustness"]}
    assert next(iter(conditions)) == "as recorded"
    assert len(conditions) == 7
    assert all(each["recordings"] == 12 for each in conditions.values())
    for name in ("half of the events dropped", "twice the speed", "scaled to 240x180"):
        assert conditions[name]["top1"]["value"] == pytest.approx(11 / 12)


class Page(HTMLParser):
    """Checks that what is opened is closed, and collects what a page would load."""

    def __init__(self):
        super().__init__()
        self.open, self.loaded, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loaded += [value for name, value in attrs if name in ("src", "href", "data")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(evaluated):
    _, _, html = evaluated
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert len(page.loaded) == 5  # a mistake, and one right window of each label
    for uri in page.loaded:
        kind, data = uri.split(",")
        assert kind == "data:image/png;base64"
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (image.mode, image.size) == ("L", (16, 16))
        assert image.getextrema() == (0, 255)
    assert "bottom, taken for left" in html
    assert "url(" not in html
    for drawing in re.findall(r"<svg.*?</svg>", html, re.S):
        ElementTree.fromstring(drawing)


def test_what_cannot_be_used_is_named_and_left_out(folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(folder / "data", data)
    whole = (data / "left" / "0.aedat4").read_bytes()
    (data / "left" / "0.aedat4").write_bytes(whole[:40])
    (data / "left" / "1.aedat4.json").write_text("{}")  # as a recorder leaves it
    (data / "left" / ".hidden").write_text("x")
    (data / "<b>ship").mkdir()
    (data / "<b>ship" / "x").write_text("x")
    done = command(
        "evaluate", data, "--model", folder / "m", "--few-shot", "none", "--windows", "2",
        "--out", tmp_path / "r.html", "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stderr.splitlines()
    assert first.endswith("no labels, left out: <b>ship")
    assert "left out: " in second
    assert "left/0.aedat4" in second
    assert "11 recordings of 4 labels, 22 windows" in done.stdout
    assert "1 left out" in done.stdout
    found = json.loads((tmp_path / "r.json").read_text())
    assert [*found["left_out"]] == ["left/0.aedat4"]
    assert found["unknown_folders"] == ["<b>ship"]
    assert found["few_shot"] == found["robustness"] == []
    html = (tmp_path / "r.html").read_text()
    assert "&lt;b&gt;ship: no label in use" in html
    assert "<b>" not in html


def test_what_comes_before_damage_is_looked_at_and_the_record_says_so(folder, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(folder / "data", data)
    torn = data / "left" / "0.raw"
    assert command("convert", data / "left" / "0.aedat4", torn).returncode == 0
    (data / "left" / "0.aedat4").unlink()
    torn.write_bytes(torn.read_bytes()[:-1])
    done = command(
        "evaluate", data, "--model", folder / "m", "--few-shot", "none", "--robustness",
        "--count", "50", "--out", tmp_path / "r.html", "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [told] = done.stderr.splitlines()
    assert "left/0.raw" in told and told.endswith("; looked at what is before")
    assert "12 recordings of 4 labels, 12 windows" in done.stdout and "1 damaged" in done.stdout
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["left_out"] == {} and [*found["damaged"]] == ["left/0.raw"]
    assert "Looked at up to their damage" in (tmp_path / "r.html").read_text()


def test_labels_are_words_a_bank_or_the_folders_names(folder, tmp_path, capsys):
    data, path = folder / "data", tmp_path / "r.json"

    def run(model=folder / "m", **options):
        evaluate(EvaluateOptions(data, str(model), record=path, **options))
        return json.loads(path.read_text())

    words = run(labels="right, sinister", few_shot="none")
    assert (words["labels"], words["top1"]["value"]) == (2, 1.0)
    assert words["unknown_folders"] == ["bottom", "top"]
    assert capsys.readouterr().err.endswith("no labels, left out: bottom, top\n")
    bank = tmp_path / "b.safetensors"
    names = ("left", "right", "top")
    sources = [str(data / name / "0.aedat4") for name in names]
    teach(TeachOptions(bank, names, sources, str(folder / "m"), 2, "cache"))
    taught = run(labels=str(bank), count=250, robustness=True)
    assert (taught["slices"], taught["labels"], taught["top1"]["value"]) == ("250 events", 3, 1.0)
    assert not any("speed" in each["condition"] for each in taught["robustness"])
    named = run(make_text_model(tmp_path / "t", bank=False), few_shot="1")
    assert named["labels"] == 4
    assert run(labels=str(bank), count=250, robustness=True) == taught  # every chance has its seed


def test_windows_are_those_of_a_run(folder):
    model = load_model(folder / "m")
    samples = [Sample(folder / "data" / place / "1.aedat4", 0) for place in ("top", "left")]
    with closing(engine_for("onnx", model, batch=3)[0]) as engine:
        looker = Looker(model, engine, "20ms", None, None, 2)
        windows = looker.look(samples, None, Faults(), lambda done, of: None)
        again = looker.look(samples, Disturbance(), Faults(), lambda done, of: None)
        frames = [
            looker.frame(samples[owner], place)
            for owner, place in zip(windows.owners, windows.places, strict=True)
        ]
    np.testing.assert_array_equal(again.embeddings, windows.embeddings)
    assert windows.owners.tolist() == [0, 0, 1, 1]
    for number, sample in enumerate(samples):
        with Pipeline(sample.path, model=model, window="20ms", speed="max") as pipeline:
            run = list(pipeline)
        mine = windows.owners == number
        for place, embedding, frame in zip(
            windows.places[mine], windows.embeddings[mine], frames[2 * number :], strict=False
        ):
            np.testing.assert_allclose(embedding, run[place].embedding, atol=1e-6)
            np.testing.assert_array_equal(frame, run[place].frame)


def test_mistakes_are_one_line(folder, tmp_path):
    data, model = folder / "data", folder / "m"

    def refuses(text, where=data, **options):
        with pytest.raises(SaccadeError, match=re.escape(text)) as caught:
            evaluate(EvaluateOptions(where, str(model), **options))
        assert "\n" not in str(caught.value)

    (tmp_path / "empty" / "left").mkdir(parents=True)
    (tmp_path / "other" / "ship").mkdir(parents=True)
    (tmp_path / "other" / "ship" / "x").write_text("x")
    refuses("no recordings in folders in it", tmp_path / "empty")
    refuses("none of its folders (ship) is a label of the 4 in use", tmp_path / "other")
    (tmp_path / "other" / "ship").rename(tmp_path / "other" / "left")
    refuses("none of its recordings can be used", tmp_path / "other")
    refuses("No such file", tmp_path / "none")
    refuses("r.html: No such file or directory; name a file", out=tmp_path / "no" / "r.html")
    refuses("lies among the recordings", record=data / "left" / "0.aedat4")
    refuses("this is another output", out=tmp_path / "r", record=tmp_path / "r")
    refuses("few-shot '1,no': write numbers", few_shot="1,no")
    refuses("few-shot '0'", few_shot="0")
    refuses("windows 0: must be at least 1", windows=0)
    refuses("unseen 'ship': is no label in use", unseen="ship", out=tmp_path / "r")
    refuses("window '3': not a duration", window="3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "other"]
    refused(command("evaluate", tmp_path / "empty", "--model", model), "no recordings in folders")


def test_pictures_are_the_surest_of_each_label():
    truth = np.array([0, 0, 1, 2, 2, 1])
    rank = np.array([0, 0, 1, 0, 2, 0])
    sure = np.array([0.5, 0.9, 0.8, 0.7, 0.6, 0.4])
    judged = Judged(truth, truth, sure, rank, np.arange(6))
    assert choose(judged, right=True) == [1, 5, 3]
    assert choose(judged, right=True, most=2) == [1, 5]
    assert choose(judged, right=False) == [2, 4]


def test_png_is_what_it_was():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(gray_png(pixels)))), pixels)
