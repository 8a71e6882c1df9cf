"""Configurations: what they are by default, and every mistake in one line. Needs no torch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from saccade.camera.errors import SaccadeError
from saccade.training.config import read_config

CONFIGS = Path(read_config.__code__.co_filename).parent / "configs"
LEAST = '[model]\nclip = "c"\n[data]\nkind = "n-mnist"\nroot = "r"\n'
PAIRED = LEAST + 'images = "i"\n'


def read(tmp_path, text, objective="pretrain"):
    path = tmp_path / "c.toml"
    path.write_text(text)
    return read_config(path, objective)


def test_what_a_command_does_by_default_is_the_papers(tmp_path):
    config = read(tmp_path, PAIRED)
    assert (config.loss.ct, config.loss.zs, config.loss.kl, config.loss.pred) == (1, 0.1, 1, 0)
    assert (config.loss.tau_e, config.loss.tau_i) == (0.2, 0.1)
    train = config.train
    assert (train.epochs, train.batch, train.base_lr, train.warmup_epochs) == (200, 32, 1e-6, 40)
    assert (train.beta1, train.beta2, train.weight_decay) == (0.9, 0.999, 0.03)
    config = read(tmp_path, LEAST, "finetune")
    assert (config.loss.pred, config.loss.ct) == (1, 0)
    assert (config.train.epochs, config.train.base_lr) == (100, 5e-6)
    config = read(tmp_path, PAIRED + "[student]\n", "distill")
    assert config.loss.distill == 1
    assert config.student.kind == "cnn"


@pytest.mark.parametrize("name", [path.name for path in sorted(CONFIGS.glob("*.toml"))])
def test_the_configurations_that_come_with_saccade_are_valid(name):
    read_config(CONFIGS / name, name.partition("-")[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAIRED + "[loss]\ntau_x = 1\n", "'tau_x' is no key of [loss]; near it: tau_i, tau_e"),
        (PAIRED + "[los]\n", "'los' is no section; near it: loss"),
        (PAIRED + "[train]\nepoch = 3\n", "'epoch' is no key of [train]; near it: epochs"),
        (PAIRED + "[train]\nepochs = 0\n", "train.epochs: Expected `int` >= 1"),
        (PAIRED + "[train]\nbatch = 'x'\n", "train.batch: Expected `int`, got `str`"),
        (PAIRED + "[train]\naccumulate = 5\n", "train.accumulate: 5 parts of 32"),
        (PAIRED.replace("n-mnist", "mnist"), "data.kind: Invalid enum value 'mnist'"),
        (PAIRED + "[loss]\nct = 0\nzs = 0\nkl = 0\n", "loss: every weight is 0"),
        (PAIRED + "[student]\n", "student: belongs to distill"),
        (PAIRED + 'split = "n-imagenet-100"\n', "split, part: give both"),
        (PAIRED + "events = 5\nwindow_us = 5\n", "a window has one length"),
        (LEAST, "data.images: the losses compare with paired images"),
        (LEAST.replace('root = "r"\n', ""), "data: Object missing required field `root`"),
        ("model = 3\n", "model: is a section, write [model]"),
        ("[model\n", "c.toml: "),
    ],
)
def test_a_mistake_is_one_line_that_names_it(tmp_path, text, message):
    with pytest.raises(SaccadeError, match=re.escape(message)) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "c.toml"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SaccadeError, match=r"gone\.toml: cannot be read \(No such file"):
        read_config(tmp_path / "gone.toml", "pretrain")
