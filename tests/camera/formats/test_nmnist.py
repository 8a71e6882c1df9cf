"""N-MNIST: the native decoder against the plain one, and what is taken for one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation
from tests.camera.fixtures import read
from tests.camera.formats.checks import check_decoder
from tests.reference import nmnist

from saccade.camera._native import NmnistDecoder
from saccade.camera.errors import RecordingError
from saccade.camera.formats.nmnist import is_nmnist
from saccade.camera.recordings import open_recording


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    expected = nmnist.decode(data, 240, 180)
    decoder = check_decoder(lambda: NmnistDecoder(240, 180), expected, data, cuts)
    assert decoder.pending_bytes == len(data) % 5


def records(n: int, width: int = 34, height: int = 34) -> bytes:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 300_000, n))
    word = t | rng.integers(0, 2, n) << 23
    x, y = rng.integers(0, width, n), rng.integers(0, height, n)
    return np.stack([x, y, word >> 16, word >> 8 & 255, word & 255], 1).astype(np.uint8).tobytes()


@pytest.mark.parametrize("size", [(34, 34), (240, 180), (255, 239)])
def test_the_size_is_inferred(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(records(2000, *size))
    with open_recording(path) as recording:
        expected = (304, 240) if size == (255, 239) else size
        assert (recording.width, recording.height, recording.format) == (*expected, "nmnist")
    found, error = read(path)
    assert error is None
    assert found.tolist() == nmnist.decode(records(2000, *size), *expected)[0]


def test_time_overflows_go_on(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    data = records(100) + bytes([0, 240, 0, 0, 0]) + bytes([1, 2, 0x84, 0x93, 0xE0])
    path.write_bytes(data)
    found, _ = read(path)
    assert found.tolist()[-1] == (0x0493E0 + 8192, 1, 2, True)


@pytest.mark.parametrize(
    "content",
    [bytes(4000), b"\xff" * 4000, b"hello, world, this is text.\n" * 100, b"\x13\x37" * 2000],
)
def test_other_content_is_not_taken_for_it(tmp_path: Path, content: bytes) -> None:
    assert not is_nmnist(content)
    assert not is_nmnist(np.random.default_rng(3).bytes(4096))
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="no known format"):
        open_recording(path)


def test_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    data = records(4000, 240, 180)
    geometry = (240, 180)
    check_truncation(path, data, geometry=geometry, short_step=37)
    check_flipped_bits(path, data, geometry=geometry, short_step=41)
    check_mutations(path, data, geometry=geometry)
