"""Decoders with a wide path are tested on it and on the plain one."""

from collections.abc import Iterator

import pytest

from saccade.camera import _native


@pytest.fixture(scope="module", params=["wide", "plain"])
def both_paths(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs a module's tests twice: as the processor allows, and without wide instructions."""
    _native.allow_simd(request.param == "wide")
    yield
    _native.allow_simd(True)
