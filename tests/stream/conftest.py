"""A model folder and a recording, made once."""

from __future__ import annotations

import os

import pytest
from tests.commands import command
from tests.hub import Hub
from tests.models import make_model
from tests.recordings import write_quarters


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The folder of a model whose label says where the events are."""
    return make_model(tmp_path_factory.mktemp("models") / "halves")


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """A recording of 0.4 s whose events lie left, right, at the top and at the bottom."""
    return write_quarters(tmp_path_factory.mktemp("recordings") / "quarters.aedat4")


@pytest.fixture
def hub():
    with Hub().running() as running:
        yield running


@pytest.fixture
def saccade(hub, tmp_path):
    """The command with a store and a hub of its own."""
    own = {
        "SACCADE_HOME": str(tmp_path / "home"),
        "HF_HOME": str(tmp_path / "cache"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | own

    def run(*arguments, **more):
        return command(*arguments, env=environment | more)

    run.environment = environment
    return run


@pytest.fixture
def store(tmp_path):
    """What is in the store, half-made folders too; `folder` is where."""

    def names():
        return sorted(path.name for path in names.folder.glob("*"))

    names.folder = tmp_path / "home" / "models"
    return names
