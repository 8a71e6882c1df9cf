"""Label banks: words chosen by the user, however spelled; scores as a softmax."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.engines.labels import LabelBank, LabelError, LabelScorer, read_labels

BANK = LabelBank(
    ("car_side", "Motorbikes", "cup"), np.eye(3, dtype=np.float32), "s/1", {"mug": "cup"}
)


def test_selected_words_keep_the_users_spelling_and_order():
    chosen = BANK.select(["mug", "Car Side"])
    assert chosen.names == ("mug", "Car Side")
    np.testing.assert_array_equal(chosen.embeddings, BANK.embeddings[[2, 0]])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "none given"),
        (["cup", "CUP"], "given twice"),
        (["cap"], r"'cap': not in the bank.*cup"),
        (["dog", "cat"], r"labels 'dog', 'cat'.*3 words"),
    ],
)
def test_words_that_cannot_serve_are_refused(words, message):
    with pytest.raises(LabelError, match=message):
        BANK.select(words)


def test_words_from_commas_and_from_a_file(tmp_path):
    assert read_labels(" cup, car side,,") == ["cup", "car side"]
    path = tmp_path / "words.txt"
    path.write_text("cup # the one on my desk\n\n# nothing\nmotor bike\n")
    assert read_labels(str(path)) == ["cup", "motor bike"]


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


def test_a_file_that_is_no_bank_is_refused(tmp_path):
    path = tmp_path / "labels.safetensors"
    path.write_bytes(b"\xff" * 64)
    with pytest.raises(LabelError, match="not a label bank"):
        LabelBank.load(path)
