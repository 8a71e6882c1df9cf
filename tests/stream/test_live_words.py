"""Words that change while a pipeline runs, and how embeddings become labels."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.live import packet
from tests.models import NAMES, make_model
from tests.text_models import make_text_model

from saccade.camera.errors import SaccadeError
from saccade.camera.writers import open_writer
from saccade.engines.labels import LabelBank, LabelScorer
from saccade.engines.models import load_model
from saccade.stream.live_words import LiveWords, Ranker, Scoring
from saccade.stream.pipeline import Pipeline
from saccade.stream.publishing import Publishing
from saccade.stream.wire import new_run_id

LEFT, RIGHT, TOP = (np.float32(row) for row in np.eye(4)[:3])


@pytest.fixture(scope="module")
def loaded(model):
    return load_model(model)


def ranker(model, labels=None, **scoring) -> tuple[LiveWords, Ranker]:
    words = LiveWords(model, labels, Scoring(**scoring))
    return words, Ranker(words)


def without_bank(folder):
    """The same model without words of its own."""
    make_model(folder)
    manifest = folder / "model.toml"
    lines = [line for line in manifest.read_text().splitlines() if "labels_sha256" not in line]
    manifest.write_text("\n".join(lines))
    (folder / "labels.safetensors").unlink()
    return folder


def test_every_slice_is_scored_by_one_revision_whatever_changes_meanwhile(loaded, recording):
    words_of = {0: ("left", "right")}
    lists = [["left", "right"], ["top"], ["bottom", "left", "top"], list(NAMES)]
    pipeline = Pipeline(recording, model=loaded, labels=lists[0], window="200us", top=4)
    done = threading.Event()

    def change() -> None:
        while not done.wait(0.0005):  # without a pause it would have the interpreter for itself
            words = lists[len(words_of) % 4]
            words_of[pipeline.set_labels(words)] = tuple(words)

    changer = threading.Thread(target=change)
    predictions = []
    for prediction in pipeline:
        predictions.append(prediction)
        time.sleep(0.0002)  # so that it is not over before there were changes
        if prediction.seq == 10:
            changer.start()
        if prediction.seq == 1900:
            done.set()
            changer.join()
    assert [p.seq for p in predictions] == list(range(2000))
    assert sum(p.n_events for p in predictions) == pipeline.summary.events_in == 20_000
    revs = [p.vocabulary_rev for p in predictions]
    assert revs == sorted(revs)
    assert len(words_of) >= len(set(revs)) > 20
    for p in predictions:
        assert set(p.labels) == set(p.bank.names) == set(words_of[p.vocabulary_rev])
        assert sum(p.scores) == pytest.approx(1)


def test_a_refused_change_changes_nothing(loaded, recording):
    with Pipeline(recording, model=loaded, labels="left,right") as pipeline:
        before = pipeline.words.now
        for labels, message in (
            (["dog"], "'dog'"),
            ([], "none given"),
            (["left", "LEFT"], "given twice"),
            ("top, side: left, right", "group 'top, side': a comma in its name"),
            ("", "labels ''"),
            ([3], "label 3: not a word"),
        ):
            with pytest.raises(SaccadeError, match=message):
                pipeline.set_labels(labels)  # type: ignore[arg-type]
        assert pipeline.words.now is before
        assert pipeline.set_labels("top") == 1
        assert pipeline.bank.names == ("top",)
        found = list(pipeline)
    assert {(p.vocabulary_rev, p.labels) for p in found} == {(1, ("top",))}
    with pytest.raises(SaccadeError, match="the run has ended"):
        pipeline.set_labels("left")


def test_many_unknown_words_are_refused_at_once_and_briefly(loaded):
    words, _ = ranker(loaded)
    with pytest.raises(SaccadeError, match=r"'9' and 2990 more: not in the bank") as error:
        words.change([str(n) for n in range(3000)])
    assert len(str(error.value)) < 500


def test_words_that_a_guard_refuses_are_not_used(loaded):
    words, _ = ranker(loaded, ["left"])

    def short(bank: LabelBank) -> None:
        if len(bank.names) > 2:
            raise SaccadeError("too many")

    words.guard(short)
    with pytest.raises(SaccadeError, match="too many"):
        words.change(["left", "right", "top"])
    assert words.now.rev == 0
    assert words.change(["left", "right"]).rev == 1
    with pytest.raises(SaccadeError, match="too many"):
        LiveWords(loaded, None, Scoring()).guard(short)


def test_words_that_no_message_can_hold_are_refused_while_it_runs(loaded, recording):
    publishing = Publishing("zmq://127.0.0.1:0", "cam", new_run_id())
    try:
        with Pipeline(recording, model=loaded, labels="left, right") as pipeline:
            publishing.start(pipeline)
            for prediction in pipeline:
                if prediction.seq == 1:
                    with pytest.raises(SaccadeError, match="use fewer labels"):
                        pipeline.set_labels(f"{'x' * 64_000} = left, right")
                publishing.write(prediction)
        assert pipeline.words.now.rev == 0
    finally:
        publishing.close()


def test_a_model_without_words_needs_some(tmp_path, recording):
    bare = without_bank(tmp_path / "bare")
    with pytest.raises(SaccadeError, match="no words of its own") as error:
        Pipeline(recording, model=bare)
    assert "\n" not in str(error.value)
    bank = tmp_path / "bank.safetensors"
    save_file(
        {"embeddings": np.eye(4, dtype=np.float32)[:2]},
        bank,
        {"names": json.dumps(["port", "starboard"]), "space": "halves/1"},
    )
    with Pipeline(recording, model=bare, labels=str(bank), window="100ms") as pipeline:
        assert [p.labels[0] for p in pipeline][:2] == ["port", "starboard"]


def test_any_words_while_it_runs_by_the_text_tower(tmp_path, recording):
    bare = make_text_model(tmp_path / "text", bank=False)
    with pytest.raises(SaccadeError, match="no words of its own"):
        Pipeline(recording, model=bare)
    with Pipeline(recording, model=bare, labels="cup, a red chair", window="5ms") as pipeline:
        found = []
        for prediction in pipeline:
            found.append(prediction)
            if prediction.seq == 5:
                assert pipeline.set_labels("animal: dog, cat | kitten; tree") == 1
    assert found[0].bank.names == ("cup", "a red chair")
    assert found[-1].bank.names == ("dog", "cat", "tree")
    assert found[-1].bank.prompts("cat") == ("a photo of a cat", "a photo of a kitten")
    assert set(found[-1].groups) == {"animal", "tree"}
    own = Pipeline(recording, model=bare, labels="cup", template=["a {} here", "the {}"])
    assert own.bank.prompts("cup") == ("a cup here", "the cup")
    own.close()


def test_a_bank_of_another_space_is_refused_with_both_names(loaded, tmp_path, recording):
    path = tmp_path / "bank.safetensors"
    save_file(
        {"embeddings": np.eye(4, dtype=np.float32)},
        path,
        {"names": json.dumps(NAMES), "space": "clip-vit-b-32/0123"},
    )
    with pytest.raises(SaccadeError, match=r"clip-vit-b-32/0123.*halves/1"):
        Pipeline(recording, model=loaded, labels=str(path))
    with pytest.raises(SaccadeError, match="no such file"):
        Pipeline(recording, model=loaded, labels=str(tmp_path / "none.safetensors"))


def test_a_bank_can_be_given_and_is_what_later_words_are_taken_from(loaded):
    bank = LabelBank(("port", "starboard"), np.stack([LEFT, RIGHT]), "halves/1")
    words, rank = ranker(loaded, bank)
    assert rank(RIGHT, 0).labels[0] == "starboard"
    assert words.change(["port"]).bank.names == ("port",)
    with pytest.raises(SaccadeError, match="'left'"):
        words.change(["left"])


def test_smoothing_lags_and_outlasts_a_change_of_words(loaded):
    words, rank = ranker(loaded, smooth_us=100_000)
    found = [rank(RIGHT if k >= 99 else LEFT, 10_000 * k).labels[0] for k in range(120)]
    assert found.index("right") == 99 + 6  # floor(10 ln 2) slices later
    words.change(["sinister", "right"])
    ranked = rank(LEFT, 1_200_000)
    assert (ranked.words.rev, ranked.labels[0]) == (1, "right")


def test_votes_are_forgotten_with_the_words(loaded):
    words, rank = ranker(loaded, vote=5)
    for k in range(5):
        assert rank(LEFT, k).labels[0] == "left"
    assert rank(TOP, 5).labels == ("left", "top")
    words.change(["top", "right"])
    ranked = rank(TOP, 6)
    assert (ranked.words.rev, ranked.labels, ranked.scores) == (1, ("top",), (1.0,))


@pytest.mark.parametrize("scoring", [{"smooth_us": 100_000}, {"vote": 3}])
@pytest.mark.parametrize("labels", [None, "side: left, right; top"])
def test_slices_without_events_steady_nothing_and_stand_by_themselves(loaded, scoring, labels):
    steps = [(LEFT, False), (TOP, True), (RIGHT, False), (TOP, True), (TOP, True), (RIGHT, False)]
    _, with_silence = ranker(loaded, labels, **scoring)
    _, without = ranker(loaded, labels, **scoring)
    for k, (embedding, empty) in enumerate(steps):
        found = with_silence(embedding, 20_000 * k, empty)
        if empty:
            _, alone = ranker(loaded, labels, **scoring)
            expected = alone(embedding, 20_000 * k)
            assert expected.labels[0] == "top"
        else:
            expected = without(embedding, 20_000 * k)
        assert (found.labels, found.scores) == (expected.labels, expected.scores)
        assert (found.groups, found.group_scores) == (expected.groups, expected.group_scores)


@pytest.mark.parametrize("scoring", [{"smooth": "1s"}, {"vote": 5}])
def test_a_pause_of_a_scene_does_not_change_what_is_said_of_it(loaded, tmp_path, scoring):
    path = tmp_path / "pause.aedat4"
    with open_writer(path, 16, 16, "aedat4") as writer:
        for begin in (0, 60_000, 160_000):  # between them are slices without events
            writer.write(packet(500, begin, begin + 20_000))
    predictions = list(Pipeline(path, model=loaded, window="20ms", **scoring))
    assert [p.n_events > 0 for p in predictions] == [k in (0, 3, 8) for k in range(9)]
    seen = {(p.labels[0], p.scores[0]) for p in predictions if p.n_events}
    assert len(seen) == 1


def test_groups_and_their_smoothing(loaded):
    words, rank = ranker(loaded, "side: left, right; top", top=3)
    ranked = rank(np.float32([0.57, 0.57, 0.592, 0]), 0)
    assert ranked.labels[0] == "top"
    assert ranked.groups == ("side", "top")
    assert sum(ranked.group_scores) == pytest.approx(1)
    words.change("left, right")
    assert rank(LEFT, 1).groups == ()
    _, voting = ranker(loaded, "side: left, right; top", vote=3)
    assert [voting(e, 0).groups[0] for e in (LEFT, RIGHT, TOP)] == ["side"] * 3


def test_unknown_and_cosines(loaded):
    _, rank = ranker(loaded, "left, right", scores="cosine", unknown=0.5, top=2)
    assert rank(TOP, 0).labels == ("unknown", "left")
    assert rank(LEFT, 0).labels == ("left", "right")
    assert rank(LEFT, 0).scores == (1.0, 0.0)
    words, _ = ranker(loaded, "left", unknown=0.5)
    with pytest.raises(SaccadeError, match="unknown"):
        words.change(["left", "unknown = right"])
    assert words.now.rev == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smooth": "200ms", "vote": 5}, "both given"),
        ({"smooth": "soon"}, "smooth 'soon': not a duration"),
        ({"smooth": "0ms"}, "smooth 0ms: must be longer"),
        ({"vote": 0}, "must be at least 1"),
        ({"vote": 2.5}, "vote 2.5: must be a whole number"),
        ({"scores": "logits"}, "scores 'logits'"),
        ({"unknown": 2.0}, "unknown 2.0"),
        ({"template": "no hole"}, "no hole"),
    ],
)
def test_wrong_scoring_is_refused_in_one_line(loaded, recording, settings, message):
    with pytest.raises(SaccadeError, match=message) as error:
        Pipeline(recording, model=loaded, **settings)
    assert "\n" not in str(error.value)


def test_a_revision_is_one_reference(loaded):
    words, rank = ranker(loaded, "left, right")
    now = words.now
    words.change("top")
    assert isinstance(now.scorer, LabelScorer)
    assert (now.rev, now.bank.names, now.scorer.bank) == (0, ("left", "right"), now.bank)
    assert rank(TOP, 0).words is words.now
