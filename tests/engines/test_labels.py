"""Label banks: words chosen by the user, however spelled; scores as a softmax."""

from __future__ import annotations

import json
import struct
from dataclasses import fields, replace

import numpy as np
import pytest

from saccade.engines.labels import LabelBank, LabelError, LabelScorer, read_labels
from saccade.engines.templates import known_templates

BANK = LabelBank(
    ("car_side", "Motorbikes", "cup"), np.eye(3, dtype=np.float32), "s/1", {"mug": "cup"}
)

EYE = np.eye(2, dtype="<f4").tobytes()


def test_selected_words_keep_the_users_spelling_and_order():
    chosen = BANK.select(["mug", "Car Side"])
    assert chosen.names == ("mug", "Car Side")
    np.testing.assert_array_equal(chosen.embeddings, BANK.embeddings[[2, 0]])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "none given"),
        (["cup", "CUP"], "given twice"),
        (["cup", "mug"], "'mug': given twice, as 'cup'"),
        (["cup", 3], "label 3: not a word"),
        (["cap"], r"'cap': not in the bank.*cup"),
        (["dog", "cat"], r"labels 'dog', 'cat'.*3 words"),
    ],
)
def test_words_that_cannot_serve_are_refused(words, message):
    with pytest.raises(LabelError, match=message):
        BANK.select(words)


def test_words_from_commas_and_from_a_file(tmp_path):
    assert read_labels(" cup, car side,,").names == ("cup", "car side")
    path = tmp_path / "words.txt"
    path.write_text("cup # the one on my desk\n\n# nothing\nmotor bike\n")
    assert read_labels(str(path)).names == ("cup", "motor bike")


def test_a_long_list_is_words_and_a_file_of_its_name_is_read(tmp_path, monkeypatch):
    words = [f"label {i}" for i in range(100)]
    assert list(read_labels(",".join(words)).names) == words
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b").write_text("cup\n")
    assert read_labels("a,b").names == ("cup",)


def test_a_byte_order_mark_is_no_part_of_a_word(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xef\xbb\xbfcup\r\ncar side\r\n")
    assert read_labels(str(path)).names == ("cup", "car side")


@pytest.mark.parametrize("name", ["/" + "a" * 300, "a\0b.txt", "a\nb.txt", "/"])
def test_a_file_name_that_cannot_be_is_one_line(name):
    with pytest.raises(LabelError, match="cannot be read") as error:
        read_labels(name)
    assert str(error.value).isprintable()


def test_a_missing_or_empty_label_file_is_refused(tmp_path):
    with pytest.raises(LabelError, match="cannot be read"):
        read_labels(str(tmp_path / "missing.txt"))
    (tmp_path / "empty.txt").write_text("# none\n")
    for text in (str(tmp_path / "empty.txt"), "", " , "):
        with pytest.raises(LabelError, match="empty"):
            read_labels(text)


def test_scores_are_a_softmax_of_scaled_cosines():
    embedding = np.float32([0.6, 0.8, 0.0])
    labels, scores = LabelScorer(BANK, 5.0, top=2)(embedding)
    logits = 5.0 * embedding
    wanted = np.exp(logits) / np.exp(logits).sum()
    assert labels == ("Motorbikes", "car_side")
    np.testing.assert_allclose(scores, wanted[[1, 0]], rtol=1e-6)


def test_more_than_there_are_is_all_and_none_is_refused():
    assert len(LabelScorer(BANK, 1.0, top=9)(np.float32([1, 0, 0]))[0]) == 3
    with pytest.raises(LabelError, match="top 0"):
        LabelScorer(BANK, 1.0, top=0)


def write_bank(path, metadata, shape=(2, 2), dtype="F32", data=EYE):
    """A safetensors file by hand, as the library refuses to write some of what it reads."""
    tensor = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({"__metadata__": metadata, "embeddings": tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def good(**changes):
    return {"names": '["a", "b"]', "space": "s/1"} | changes


def test_a_bank_is_read(tmp_path):
    write_bank(tmp_path / "b", good(aliases='{"c": "a"}'))
    bank = LabelBank.load(tmp_path / "b")
    assert (bank.names, bank.space, bank.aliases) == (("a", "b"), "s/1", {"c": "a"})
    np.testing.assert_array_equal(bank.embeddings, np.eye(2))


NAN, LONG = np.full((2, 2), np.nan, "<f4"), np.full((2, 2), 3e38, "<f4")
BAD_BANKS = {
    "no metadata": ({}, {}),
    "names are a number": (good(names="5"), {}),
    "names are null": (good(names="null"), {}),
    "names are numbers": (good(names="[1, 2]"), {}),
    "names are no JSON": (good(names="a, b"), {}),
    "names are deep": (good(names="[" * 100_000), {}),
    "aliases are a list": (good(aliases="[1]"), {}),
    "aliases are deep": (good(aliases='{"a":' * 100_000), {}),
    "alias of nothing": (good(aliases='{"c": "d"}'), {}),
    "no space": ({"names": '["a", "b"]'}, {}),
    "three names": (good(names='["a", "b", "c"]'), {}),
    "a name twice": (good(names='["a", "a"]'), {}),
    "a name twice, spelled otherwise": (good(names='["a b", "A_b"]'), {}),
    "nothing": (good(names="[]"), {"shape": (0, 2), "data": b""}),
    "no dimension": (good(names='["a"]'), {"shape": (), "data": EYE[:4]}),
    "one axis": (good(), {"shape": (4,)}),
    "three axes": (good(), {"shape": (2, 2, 1)}),
    "bfloat16": (good(), {"dtype": "BF16", "data": EYE[:8]}),
    "float8": (good(), {"dtype": "F8_E4M3", "data": EYE[:4]}),
    "nan": (good(), {"data": NAN.tobytes()}),
    "rows are texts": (good(rows='["a"]'), {}),
    "rows are too few": (good(rows="[0]"), {}),
    "rows are out of order": (good(rows="[1, 0]"), {}),
    "rows leave a name out": (good(rows="[0, 0]"), {}),
    "rows are below 0": (good(rows="[-1, 1]"), {}),
    "rows are large": (good(rows="[0, 1000000000000000000000]"), {}),
    "one text": (good(texts='["a"]'), {}),
    "a template of no set": (good(templates="[0, 0]"), {}),
    "a template set is a text": (good(template_sets='["x"]', templates="[0, 0]"), {}),
    "groups are a list": (good(groups="[]"), {}),
    "not normalised": (good(), {"data": LONG.tobytes()}),
}


@pytest.mark.parametrize("name", BAD_BANKS)
def test_a_bank_that_cannot_serve_is_one_line(tmp_path, name):
    metadata, tensor = BAD_BANKS[name]
    path = tmp_path / "labels.safetensors"
    write_bank(path, metadata, **tensor)
    with pytest.raises(LabelError, match="not a label bank") as error:
        LabelBank.load(path)
    assert str(error.value).startswith(str(path))
    assert str(error.value).isprintable()


FULL = LabelBank(
    ("cup", "car"),
    np.eye(3, dtype=np.float32),
    "s/1",
    {"auto": "car"},
    (0, 0, 1),
    ("cup", "mug", "car"),
    (known_templates()["eventbind"], None, known_templates()["eventbind"]),
    {"vehicle": ("car",)},
)


@pytest.mark.parametrize("bank", [BANK, FULL], ids=["plain", "full"])
def test_a_saved_bank_is_the_same(tmp_path, bank):
    path = tmp_path / "b.safetensors"
    path.write_bytes(b"what was there")
    bank.save(path)
    again = LabelBank.load(path)
    np.testing.assert_array_equal(again.embeddings, bank.embeddings)
    for each in fields(bank):
        if each.name != "embeddings":
            assert getattr(again, each.name) == getattr(bank, each.name)
    assert [p.name for p in tmp_path.iterdir()] == ["b.safetensors"]


def test_a_bank_that_cannot_be_saved_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "nowhere" / "b"):
        with pytest.raises(LabelError, match="label bank .*; name a file"):
            BANK.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_synonyms_are_found_by_name_or_alone():
    assert [FULL.find(word) for word in ("CUP", "mug", "auto", "hat")] == [(0, 1), (1,), (2,), ()]
    chosen = FULL.select("auto, mug")
    assert (chosen.names, chosen.texts, chosen.rows) == (("auto", "mug"), ("car", "mug"), (0, 1))
    chosen = BANK.select("vessel = cup | car side; moto: Motorbikes")
    assert (chosen.rows, chosen.groups) == ((0, 0, 1), {"moto": ("Motorbikes",)})
    np.testing.assert_array_equal(chosen.embeddings, BANK.embeddings[[2, 0, 1]])
    with pytest.raises(LabelError, match="'mug': given twice, as 'cup'"):
        FULL.select("cup, mug")
    with pytest.raises(LabelError, match="'cup', 'beaker': not in|'beaker': not in"):
        BANK.select("cup | beaker")


def test_prompts_are_those_that_made_a_label():
    assert FULL.prompts("cup") == ("A drafted image of a cup.",)
    assert FULL.prompts("car") == ("A drafted image of a car.",)
    assert BANK.prompts("cup") == ()


def test_banks_join():
    joined = FULL.join(
        LabelBank(
            ("bus", "hat"), np.eye(2, 3, dtype=np.float32), "s/1", groups={"vehicle": ("bus",)}
        )
    )
    assert joined.names == ("cup", "car", "bus", "hat")
    assert joined.rows == (0, 0, 1, 2, 3)
    assert joined.texts[-2:] == ("bus", "hat")
    assert joined.groups == {"vehicle": ("car", "bus")}
    assert joined.find("auto") == (2,)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (replace(BANK, space="s/2"), "'s/1' .3 numbers. .*'s/2'"),
        (LabelBank(("x",), np.eye(1, 4, dtype=np.float32), "s/1"), "3 numbers.*'s/1' .4."),
        (LabelBank(("Cup",), np.eye(1, 3, dtype=np.float32), "s/1"), "'Cup': in both"),
    ],
)
def test_banks_that_do_not_fit_are_refused(other, message):
    with pytest.raises(LabelError, match=message):
        BANK.join(other)


def test_a_file_that_is_no_bank_is_refused(tmp_path):
    path = tmp_path / "labels.safetensors"
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(LabelError, match="not a label bank"):
        LabelBank.load(path)
