"""Prompt templates: the published ones to the letter, and one's own."""

from __future__ import annotations

import json

import pytest

from saccade.engines.templates import TemplateSet, known_templates, read_templates
from saccade.engines.words import LabelError

#: How many there are, and their sha256.
SETS = {
    "paper-n-imagenet": (1, "a49db5fdb0eb48888b22addd1e83eb8336e2f5dd2a5f47e7fba06eccef851a98"),
    "paper-n-caltech101": (1, "309d14f8a9465f71b36a684cfd3d8a26e95ba36ea00e03da27fc837a87e3d5d4"),
    "paper-n-mnist": (1, "96e2432c5ca74b45b585dae31b06a3834d855b1cc3b76d1e773251edbf66deb3"),
    "eventclip": (1, "309d14f8a9465f71b36a684cfd3d8a26e95ba36ea00e03da27fc837a87e3d5d4"),
    "eventbind": (1, "c60ab27f6a8eeeee0da4dcde3879d7318984b5f2fee7b871c3c384da6ae9441d"),
    "clip-imagenet": (80, "4f976686fb651bb5803d4689dcd849f75efe0ef19a3c801355bc9a6f03c8a5af"),
    "clip-caltech101": (34, "90561580b7ea5dbaf0161ef4dd5b47ae922b3a209da4fd5d3ddf7585bcc23157"),
    "clip-cifar": (18, "9bbf912e1144ca4c7de308d478b5ced7ea3df9e61ce5d100ef184831bb5dc715"),
}
PUBLISHED = {"imagenet1k": "clip-imagenet", "caltech101": "clip-caltech101"}
PUBLISHED |= {"cifar10": "clip-cifar", "cifar100": "clip-cifar"}


def test_the_sets_are_those_of_their_sums():
    found = {name: (len(s.templates), s.sha256) for name, s in known_templates().items()}
    assert found == SETS
    assert all(
        s.source and t.count("{}") == 1 for s in known_templates().values() for t in s.templates
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_ensembles_are_clips(shared_data, name):
    path = shared_data / "clip" / "en_zeroshot_classification_templates.json"
    wanted = [text.replace("{c}", "{}") for text in json.loads(path.read_text())[name]]
    assert list(known_templates()[PUBLISHED[name]].templates) == wanted


def test_a_sets_prompts_and_label():
    made = known_templates()["eventbind"]
    assert made.prompts("cup {}") == ["A drafted image of a cup {}."]
    assert made.label == f"eventbind/{made.sha256[:12]}"


def test_ones_own_are_texts_files_and_known_ones(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# mine\na {} at night\n\nthe {}\n")
    assert read_templates(["clip-cifar"]) is known_templates()["clip-cifar"]
    made = read_templates(["a {} seen by an event camera", str(path), "paper-n-mnist", "the {}"])
    wanted = ("a {} seen by an event camera", "a {} at night", "the {}", "The digit {}")
    assert made == TemplateSet("own", wanted, "the user's")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "none given"),
        (["photo"], "no file, and none of paper-n-imagenet"),
        (["a {} of {}"], "must have one {}"),
        (["a {cup}"], "must have one {}"),
        (["/"], "no file"),
        (["a\0b"], "cannot be read"),
        (["EMPTY"], "none given"),
        (["BINARY"], "cannot be read"),
    ],
)
def test_what_is_no_template_is_refused(tmp_path, monkeypatch, values, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").write_text("# none\n")
    (tmp_path / "BINARY").write_bytes(b"\xff\xfe")
    with pytest.raises(LabelError, match=message) as error:
        read_templates(values)
    assert str(error.value).isprintable()
