"""A model folder and a recording, made once."""

from __future__ import annotations

import pytest
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
