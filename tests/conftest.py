"""Fixtures shared by all tests."""

import os
import socket
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings, embeddings and images; skips where there is none."""
    stated = os.environ.get("SACCADE_DATA")
    folder = Path(stated) if stated else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "recordings" / "golden.json").exists():
        message = f"no test data in {folder}; set SACCADE_DATA to the folder that holds recordings/"
        if stated:
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(autouse=True)
def _needs_gpu(request: pytest.FixtureRequest) -> None:
    """Tests marked `gpu` skip where none is usable; FAIL_WITHOUT_CUDA=1 makes them fail."""
    if request.node.get_closest_marker("gpu") is None:
        return
    from saccade.camera.cuda import why_unavailable

    reason = why_unavailable()
    if reason is not None and os.environ.get("FAIL_WITHOUT_CUDA") == "1":
        pytest.fail(reason)
    elif reason is not None:
        pytest.skip(reason)


@pytest.fixture(params=["host", "host, integrated", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> object:
    """Where frames are made: on a GPU, and by its kernels' code on the host, with odd threads."""
    from saccade.camera import _native

    if request.param == "gpu":
        return 0
    return _native.HostDevice(3, 7, seed=1, integrated="integrated" in request.param)


@pytest.fixture
def free_port() -> int:
    """A TCP port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
