"""Words as users write them: labels, synonyms, groups; in a line and in a file."""

from __future__ import annotations

import pytest

from saccade.engines.words import Label, LabelError, Words, read_labels

VEHICLES = Words(
    (Label("car", ("car",)), Label("truck", ("truck", "lorry")), Label("cup", ("mug", "cup"))),
    {"vehicle": ("car", "truck")},
)


def test_words_in_a_line():
    assert read_labels("vehicle: car, truck | lorry; cup = mug | cup") == VEHICLES
    assert read_labels("car").labels == (Label("car", ("car",)),)
    assert read_labels("cup | mug").names == ("cup",)
    assert read_labels("a  b,c|C| c ").labels == (Label("a b", ("a b",)), Label("c", ("c",)))
    assert read_labels("a/b | c.txt").names == ("a/b",)


@pytest.mark.parametrize(
    "text",
    [
        "vehicle: car, truck | lorry\ncup = mug | cup\n",
        "[vehicle]\ncar  # mine\n\ntruck|lorry\n[]\ncup = mug | cup\n",
        "# all\n[vehicle]\ncar\nvehicle: truck | lorry\n[ ]\ncup=mug|cup",
    ],
)
def test_words_in_a_file(tmp_path, text):
    (tmp_path / "words.txt").write_text(text)
    assert read_labels(str(tmp_path / "words.txt")) == VEHICLES


def test_a_comma_in_a_line_of_a_file_is_part_of_the_word(tmp_path):
    (tmp_path / "words.txt").write_text("tench, Tinca tinca\n")
    assert read_labels(str(tmp_path / "words.txt")).names == ("tench, Tinca tinca",)


def test_words_of_a_sequence_are_labels():
    assert Words.of(["car", "cup = mug | cup"]).labels == (VEHICLES.labels[0], VEHICLES.labels[2])
    assert Words.of(VEHICLES) is VEHICLES
    assert Words.of("car, truck").names == ("car", "truck")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cup, Cup", "'Cup': given twice, as 'cup'"),
        ("cup | mug, mug", "'mug': given twice, as 'cup'"),
        ("a = cup, b = cup", "'b': given twice, as 'a'"),
        ("cup = ", "no word"),
        ("= cup", "no word"),
        ("|", "no word"),
        ("a: x; b: x", "in two groups"),
        ("cup: car; cup", "'cup': is called as a label outside it"),
        (" ; ,", "empty"),
        ("vehicle:", "empty"),
    ],
)
def test_words_that_cannot_be_labels_are_refused(text, message):
    with pytest.raises(LabelError, match=message) as error:
        read_labels(text)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"g": ("x",)}, "'x' is no label"),
        ({"g": ()}, "has no labels"),
        ({"g": ("car",), "h": ("car",)}, "in two groups, 'g' and 'h'"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups, message):
    with pytest.raises(LabelError, match=message):
        Words(VEHICLES.labels, groups)
