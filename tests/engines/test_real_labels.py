"""Labels on real CLIP ViT-B/32 embeddings: words of LVIS, images of Caltech-101."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.engines.labels import LabelBank, LabelScorer, Words
from saccade.engines.separability import accuracy

#: Labels of Caltech-101 in words of LVIS; where several stand for one, any may be said.
WORDS = """
cup = cup | mug | teacup
car_side = car_(automobile) | cab_(taxi) | race_car | jeep
chair = chair | armchair | folding_chair | rocking_chair
airplanes = airplane | jet_plane | fighter_jet
Motorbikes = motorcycle | motor_scooter | dirt_bike
pigeon = pigeon | dove
headphone = earphone | headset
revolver = pistol | gun
camera = camera | camcorder
rooster = cock | chicken_(animal)
lamp = lamp | table_lamp
scissors = scissors | shears
barrel = barrel | keg
ferry = ferry | passenger_ship
dollar_bill = dollar | money
grand_piano = piano
laptop = laptop_computer
electric_guitar = guitar
rhino = rhinoceros
crab = crab_(animal)
stapler = stapler_(stapling_machine)
Faces_easy = person
"""


@pytest.fixture(scope="module")
def real(shared_data):
    """The bank of LVIS, its names by their synonyms, and Caltech's names and images."""
    with np.load(shared_data / "clip" / "vitb32_embeddings.npz") as arrays:
        text = arrays["lvis_text"].astype(np.float32)
        names, synonyms = arrays["lvis_names"].tolist(), arrays["lvis_synonyms"].tolist()
        caltech, images = arrays["caltech_names"].tolist(), arrays["caltech_image_protos"]
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    images /= np.linalg.norm(images, axis=2, keepdims=True)
    words = {}
    for name, row in zip(names, synonyms, strict=True):
        for word in row.split("|"):
            words.setdefault(word, name)
    return LabelBank(tuple(names), text, "clip/b32"), words, caltech, images


def top1(bank, names, images) -> float:
    """How often the label of an image, [N, n, dimension], is its name, by the scorer."""
    scorer = LabelScorer(bank, 100.0, 1)
    pairs = zip(names, images, strict=True)
    return float(np.mean([scorer(e)[0][0] == name for name, some in pairs for e in some]))


def test_the_34_names_of_caltech_in_lvis(real):
    lvis, words, caltech, images = real
    known = [name for name in caltech if name in words]
    assert len(known) == 34
    seen, names = images[[caltech.index(name) for name in known]], [words[n] for n in known]
    among = lvis.select(names)
    assert round(top1(among, names, seen), 3) == 0.935
    assert round(top1(lvis, names, seen), 3) == 0.565
    found = accuracy(among, seen.reshape(-1, 512), np.repeat(np.arange(34), 10))
    assert round(found.top1, 3) == 0.935
    assert (found.embeddings, found.labels) == (340, 34)
    assert sum(count for _, _, count in found.confused) == 22


def test_the_best_of_several_words_beats_their_mean_and_the_first(real):
    """Top-1 of the 15 labels that have several words, among 45 labels and among all of LVIS."""
    lvis, words, caltech, images = real
    given = {label.name: label for label in Words.of(WORDS.strip().splitlines()).labels}
    given = {
        n: [*dict.fromkeys(given[n].texts)] if n in given else [words[n]]
        for n in caltech
        if n in given or n in words
    }
    assert len(given) == 45
    used = {text for texts in given.values() for text in texts}
    others = [name for name in lvis.names if name not in used]
    several = [name for name, texts in given.items() if len(texts) > 1]
    assert len(several) == 15
    seen = images[[caltech.index(name) for name in several]]

    def measured(texts: dict[str, list[str]], rest: list[str]) -> float:
        labels = [f"{name}! = {' | '.join(some)}" for name, some in texts.items()]
        return round(top1(lvis.select([*labels, *rest]), [f"{n}!" for n in several], seen), 3)

    first = {name: texts[:1] for name, texts in given.items()}
    assert measured(first, []) == 0.967
    assert measured(given, []) == 0.987
    assert measured(first, others) == 0.613
    assert measured(given, others) == 0.740
    rows = [
        lvis.embeddings[[lvis.find(t)[0] for t in texts]].mean(axis=0) for texts in given.values()
    ]
    rows = np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)
    mean = LabelBank(tuple(f"{name}!" for name in given), rows.astype(np.float32), lvis.space)
    names = [f"{name}!" for name in several]
    assert round(top1(mean, names, seen), 3) == 0.980
    assert round(top1(mean.join(lvis.select(others)), names, seen), 3) == 0.700
