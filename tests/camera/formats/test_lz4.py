"""LZ4 frames: what lz4's library packs unfolds to the same bytes; damage is refused, never met."""

from collections.abc import Iterator

import lz4.frame
import numpy as np
import pytest
from tests.camera.damage import mutations
from tests.camera.fixtures import some_events

from saccade.camera import _native
from saccade.camera.formats.aedat4_writer import events_payload
from saccade.camera.formats.unpack import PACKET_LIMIT, TooLargeError, unpack

KINDS = ["random", "few values", "short period", "zeros", "events"]
SKIPPED = b"\x53\x2a\x4d\x18\x03\0\0\0abc"


@pytest.fixture(params=["avx512", "none"], ids=["simd", "plain"], autouse=True)
def _simd(request: pytest.FixtureRequest) -> Iterator[None]:
    _native.allow_simd(request.param)
    yield
    _native.allow_simd("avx512")


def content(kind: str, n: int, rng: np.random.Generator) -> bytes:
    if kind == "random":
        return rng.bytes(n)
    if kind == "few values":
        return rng.integers(0, 3, n, np.uint8).tobytes()
    if kind == "short period":
        return (rng.bytes(int(rng.integers(1, 40))) * (n + 1))[:n]
    return bytes(n) if kind == "zeros" else events_payload(some_events(n // 16))


def frame(data: bytes, rng: np.random.Generator) -> bytes:
    """A frame of any of the sizes, layouts and checksums that there are."""
    linked, content_checksum, block_checksum, sized = (bool(rng.integers(2)) for _ in range(4))
    return lz4.frame.compress(
        data,
        block_size=int(rng.integers(4, 8)),
        block_linked=linked,
        compression_level=int(rng.choice([-5, 0, 3, 9])),
        content_checksum=content_checksum,
        block_checksum=block_checksum,
        store_size=sized,
    )


def unfold(data: bytes, limit: int = PACKET_LIMIT) -> bytes:
    return bytes(unpack(data, "lz4", limit))


def library(data: bytes) -> bytes | None:
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        out = decompressor.decompress(data, max_length=PACKET_LIMIT)
    except RuntimeError:
        return None
    return out if decompressor.eof and not decompressor.unused_data else None


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_every_layout_unfold_to_what_was_packed(kind: str) -> None:
    rng = np.random.default_rng(4)
    for size in [0, 1, 2, 5, 15, 16, 17, 33, 100, 300, 5000, 65_536, 65_537, 300_000]:
        for _ in range(4):
            data = content(kind, size, rng)
            packed = frame(data, rng)
            assert unfold(packed) == unfold(packed, len(data)) == data
            if data:
                with pytest.raises(TooLargeError):
                    unfold(packed, len(data) - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_mutations_are_taken_as_the_library_takes_them(kind: str) -> None:
    rng = np.random.default_rng(5)
    for seed in range(30):
        packed = frame(content(kind, int(rng.integers(1, 3000)), rng), rng)
        for damaged in mutations(packed, 10, seed):
            try:
                found = unfold(damaged)
            except ValueError:
                continue  # matches 0 bytes back are refused here, as the format says, not there
            assert found == library(damaged)


def test_a_frame_cut_off_anywhere_is_not_finished() -> None:
    packed = lz4.frame.compress(events_payload(some_events(40)), content_checksum=True)
    for size in range(len(packed)):
        with pytest.raises(ValueError, match="not finished"):
            unfold(packed[:size])


def test_every_flipped_bit_is_noticed_or_changes_nothing() -> None:
    data = events_payload(some_events(40))
    packed = bytearray(lz4.frame.compress(data, content_checksum=True))
    same = 0
    for bit in range(8 * len(packed)):
        packed[bit // 8] ^= 1 << bit % 8
        try:
            assert unfold(bytes(packed)) == data  # a match elsewhere, of the same bytes
            same += 1
        except ValueError:
            pass
        packed[bit // 8] ^= 1 << bit % 8
    assert same < len(packed)  # of eight bits a byte


def test_frames_may_follow_one_another_and_be_skipped() -> None:
    first, second = lz4.frame.compress(b"a" * 100), lz4.frame.compress(b"b" * 50)
    assert unfold(SKIPPED + first + SKIPPED + second) == b"a" * 100 + b"b" * 50
    with pytest.raises(TooLargeError):
        unfold(first + second, 149)


@pytest.mark.parametrize("tail", [b"\0", b"abc", b"\0" * 8, SKIPPED[:9]])
def test_bytes_behind_the_last_frame_are_damage(tail: bytes) -> None:
    with pytest.raises(ValueError, match="bytes follow|not finished"):
        unfold(lz4.frame.compress(b"a" * 100) + tail)


def block_frame(block: bytes) -> bytes:
    """A frame of one block as it is, without checksums."""
    head = lz4.frame.compress(b"a" * 100, store_size=False)[:7]
    return head + len(block).to_bytes(4, "little") + block + bytes(4)


@pytest.mark.parametrize(
    "block",
    [
        b"\x10a\x00\x00\x00",  # 0 bytes back
        b"\x10a\x02\x00\x00",  # before the start
        b"\x10a\x01\x00",  # ends with a match
        b"\x20a",  # literals past the end
        b"\xf0" + b"\xff" * 40,  # a length that never ends
        b"\x1fa\x01\x00" + b"\xff" * 300 + b"\x00\x00",  # more than a block holds
    ],
)
def test_blocks_that_lead_outside_are_refused(block: bytes) -> None:
    assert unfold(block_frame(b"\x10a\x01\x00\x00")) == b"aaaaa"
    with pytest.raises(ValueError, match="its LZ4 block is damaged"):
        unfold(block_frame(block))
