"""The text tower: what matches the manifest embeds; anything else is one clear error."""

from __future__ import annotations

import threading

import numpy as np
import onnx
import pytest
from tests.models import make_model
from tests.text_models import MERGES, make_text_model, tower

from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.models import ModelError, load_model
from saccade.engines.templates import TemplateSet, known_templates
from saccade.engines.text import TextTower
from saccade.engines.tokens import Tokens, tokenizer_json
from saccade.engines.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(make_text_model(tmp_path_factory.mktemp("text") / "m"))


@pytest.fixture(scope="module")
def wordless(tmp_path_factory):
    return load_model(make_text_model(tmp_path_factory.mktemp("text") / "m", bank=False))


def embedded(text: str) -> np.ndarray:
    """What the tower of `tests.text_models` gives, by its definition."""
    table = onnx.numpy_helper.to_array(tower().graph.initializer[0])
    total = table[Tokens(tokenizer_json(MERGES), 16)([text])[0]].sum(axis=0)
    return total / np.linalg.norm(total)


def test_texts_are_embedded_in_batches(model):
    texts = [f"the cup {i}" for i in range(40)]
    with TextTower(model, threads=1) as text:
        found = text.embed(texts)
        assert text.embed([]).shape == (0, 4)
    assert (found.shape, found.dtype) == ((40, 4), np.float32)
    np.testing.assert_allclose(found, [embedded(text) for text in texts], atol=1e-6)


def test_an_ensemble_is_the_direction_of_the_mean_of_normalised_embeddings(model):
    templates, steps = known_templates()["clip-imagenet"], []
    with TextTower(model) as text:
        found = text.embed_words(["cup", "mug", "hat"], templates, steps.append)
    assert steps == [1, 2, 3]
    for word, row in zip(["cup", "mug", "hat"], found, strict=True):
        mean = np.mean([embedded(prompt) for prompt in templates.prompts(word)], axis=0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-6)


def of_space(space):
    changed = tower()
    onnx.helper.set_model_props(changed, {"space": space})
    return changed


def of_one_text():
    changed = tower()
    changed.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": of_space("clip-b32/0123")}, "space 'clip-b32/0123', where .* 'halves/1'"),
        ({"model": tower(dimension=5)}, r"embedding tensor\(float\) \[N, 4\]"),
        ({"model": tower(context=17)}, r"tokens tensor\(int64\) \[N, 16\]"),
        ({"model": of_one_text()}, "for any N"),
        ({"model": tower(normalised=False)}, "norm .*, not 1"),
        ({"tokenizer": b"{}"}, "tokenizer.json: not a tokenizer"),
    ],
)
def test_a_tower_that_is_not_the_manifests_is_refused(tmp_path, change, message):
    model = load_model(make_text_model(tmp_path / "m", **change))
    with pytest.raises(ModelError, match=message) as error:
        TextTower(model)
    assert str(error.value).isprintable()


def test_a_tower_of_the_stated_space_serves(tmp_path):
    TextTower(load_model(make_text_model(tmp_path / "m", model=of_space("halves/1")))).close()


def test_a_damaged_tower_is_refused(tmp_path):
    folder = make_text_model(tmp_path / "m")
    model = load_model(folder)
    (folder / "text.onnx").write_bytes(b"no")
    with pytest.raises(ModelError, match="text.onnx: sha256"):
        TextTower(model)


def test_a_model_without_a_text_tower_says_what_to_do(tmp_path):
    with pytest.raises(ModelError, match="no text tower.*labels show.*models add"):
        TextTower(load_model(make_model(tmp_path / "m")))


def test_words_come_from_the_bank_or_through_the_tower(model):
    vocabulary = Vocabulary(model)
    bank = vocabulary.bank("left | port, cup; side: right, mug | beaker")
    assert bank.names == ("left", "cup", "right", "mug")
    assert bank.rows == (0, 0, 1, 2, 3, 3)
    assert bank.groups == {"side": ("right", "mug")}
    assert bank.prompts("cup") == ("a photo of a cup",)
    assert bank.prompts("right") == ()  # nobody knows what its bank was made of
    own = model.labels().embeddings
    towered = [embedded(f"a photo of a {word}") for word in ("port", "cup", "mug", "beaker")]
    wanted = [own[0], *towered[:2], own[1], *towered[2:]]
    np.testing.assert_allclose(bank.embeddings, wanted, atol=1e-6)
    assert vocabulary.bank().names == model.labels().names


def test_embeddings_of_words_that_change_for_weeks_are_not_all_kept(model, monkeypatch):
    monkeypatch.setattr("saccade.engines.vocabulary.KEPT_TEXTS", 2)
    vocabulary = Vocabulary(model)
    first = vocabulary.bank("cup, mug, port")
    assert list(vocabulary._made) == ["mug", "port"]
    again = vocabulary.bank("cup, mug, port")
    np.testing.assert_allclose(first.embeddings, again.embeddings, atol=1e-6)
    assert len(vocabulary._made) == 2


def test_words_known_to_the_bank_need_no_tower(model):
    vocabulary = Vocabulary(model)
    assert vocabulary.bank(["LEFT", "right"]).names == ("LEFT", "right")
    assert vocabulary._tower is None


def test_templates_make_every_word_anew(model):
    templates = TemplateSet("own", ("the {}", "of {}"))
    bank = Vocabulary(model, templates=templates).bank("left, cup")
    assert bank.prompts("left") == ("the left", "of left")
    again = Vocabulary(model, bank, templates=templates)
    np.testing.assert_array_equal(again.bank("left").embeddings, bank.embeddings[:1])
    assert again._tower is None  # the bank was made with these
    assert Vocabulary(model, bank).bank("hat").prompts("hat") == ("the hat", "of hat")


def test_a_model_without_a_bank_takes_any_words(wordless):
    vocabulary = Vocabulary(wordless)
    assert vocabulary.bank(["cup", "hat"]).space == "halves/1"
    with pytest.raises(LabelError, match="no words of its own; name some"):
        vocabulary.bank()
    vocabulary.close()
    assert vocabulary.bank(["cup", "mug"]).names == ("cup", "mug")


def test_words_that_cannot_be_embedded_are_named(tmp_path, wordless):
    without = load_model(make_model(tmp_path / "m"))
    with pytest.raises(LabelError, match="'cup': not in the bank.*text tower takes any"):
        Vocabulary(without).bank("left, cup")
    with pytest.raises(ModelError, match="no text tower"):
        Vocabulary(without, templates=TemplateSet("own", ("the {}",))).bank("left")
    with pytest.raises(LabelError, match="given twice"):
        Vocabulary(wordless).bank(["cup", "Cup"])


def test_a_bank_of_another_space_is_refused(model):
    for other in (
        LabelBank(("a",), np.eye(1, 4, dtype=np.float32), "other/1"),
        LabelBank(("a",), np.eye(1, 5, dtype=np.float32), "halves/1"),
    ):
        with pytest.raises(
            LabelError, match=f"space '{other.space}'.*'halves' of space 'halves/1'"
        ):
            Vocabulary(model, other)


def test_threads_share_a_vocabulary(wordless):
    vocabulary, found = Vocabulary(wordless), {}

    def ask(i: int) -> None:
        found[i] = vocabulary.bank([f"cup {i % 3}", f"hat {i}"])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, bank in found.items():
        wanted = [embedded(f"a photo of a cup {i % 3}"), embedded(f"a photo of a hat {i}")]
        np.testing.assert_allclose(bank.embeddings, wanted, atol=1e-6)
    assert len(found) == 8
