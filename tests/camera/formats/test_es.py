"""Event Stream: the native decoder against the plain one, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation
from tests.camera.fixtures import read
from tests.camera.formats.checks import check_decoder
from tests.reference import es

from saccade.camera._native import EsDecoder, EsKind
from saccade.camera.errors import RecordingError
from saccade.camera.recordings import open_recording

KINDS = {"dvs": 1, "atis": 2, "colour": 4}


def header(kind: str, width: int = 320, height: int = 240) -> bytes:
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return b"Event Stream\x02\0\0" + bytes([KINDS[kind]]) + size


def check(data: bytes, cuts: list[int], kind: str, width: int = 320, height: int = 240) -> None:
    expected = es.decode(data, width, height, kind)
    check_decoder(lambda: EsDecoder(width, height, EsKind[kind]), expected, data, cuts)


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8), st.sampled_from(list(KINDS))
)
def test_any_bytes_in_any_chunks(data: bytes, cuts: list[int], kind: str) -> None:
    check(data, cuts, kind, 60_000, 50_000)
    check(data, cuts, kind, 200, 100)


def events(n: int, kind: str, seed: int = 1) -> bytes:
    """Events inside 320x240, with overflows of the elapsed time between them."""
    rng = np.random.default_rng(seed)
    out = bytearray()
    for _ in range(n):
        if rng.random() < 0.1:
            out += bytes([int(rng.integers(0xFC if kind == "atis" else 0xFE, 256))])
        x, y = int(rng.integers(0, 320)), int(rng.integers(0, 240))
        out += bytes([int(rng.integers(0, 0xFC))])
        out += x.to_bytes(2, "little") + y.to_bytes(2, "little")
        out += rng.bytes(3) if kind == "colour" else b""
    return bytes(out)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_each_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.es"
    data = events(3000, kind)
    path.write_bytes(header(kind) + data)
    found, error = read(path)
    assert error is None
    assert found.tolist() == es.decode(data, 320, 240, kind)[0]
    check(data, [1, 2, 3, 4, 1000, 5001], kind)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Event Stream\x02\0\0\x00" + bytes(40), "generic, not of a camera"),
        (b"Event Stream\x02\0\0\x09" + bytes(40), "its type is unknown"),
        (b"Event Stream\x01\0\x00" + bytes(40), "version 1 is not read; convert"),
        (header("dvs")[:-1], "ends inside its header"),
        (b"Event Stream", "ends inside its header"),
        (header("dvs"), "no event after the header"),
        (header("dvs", 0, 0) + bytes(5), "0x0"),
        (header("colour", 65535, 65535) + bytes(8), "65535x65535"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.es"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        open_recording(path)


@pytest.mark.parametrize("kind", KINDS)
def test_damage(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.es"
    data = header(kind) + events(3000, kind)
    check_truncation(path, data, short_step=37)
    check_flipped_bits(path, data, short_step=41)
    check_mutations(path, data, short=500)
