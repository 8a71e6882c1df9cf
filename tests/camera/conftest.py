"""Decoders and counters with a wide path are tested on it and on the plain one."""

from collections.abc import Iterator

import pytest

from saccade.camera import _native


@pytest.fixture(scope="module", params=["avx512", "avx2", "neon", "none"])
def all_paths(request: pytest.FixtureRequest) -> Iterator[None]:
    """Runs a module's tests once for each width of instructions that the processor has."""
    _native.allow_simd(request.param)
    try:
        if _native.simd() != request.param:
            pytest.skip(f"this processor has no {request.param}")
        yield
    finally:
        _native.allow_simd("avx512")
