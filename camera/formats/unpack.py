"""Decompression under a bound: what an AEDAT4 packet may unfold to.

A frame of a few kilobytes can state or produce gigabytes. Nothing here trusts the frame: the stated
size is checked first, and the output is grown in steps up to the bound.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from typing import Any, Literal, cast

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import zstandard

from saccade.camera import _native

Compression = Literal["none", "lz4", "zstd"]

#: By AEDAT4's code: the higher ones are of higher levels of the same.
COMPRESSIONS: tuple[Compression, ...] = ("none", "lz4", "lz4", "zstd", "zstd")

#: The most bytes that one packet of events may unfold to: 1.5 million events. Packets of dv and of
#: faery hold 0.2 MiB, and no recorder is known to write more than a few MiB. These 24 MiB, the
#: 20 MiB of columns that they decode to, zstd's window and what malloc keeps stay below the 64 MiB
#: that a reader may take beyond the file itself.
PACKET_LIMIT = 24 << 20
_STEP = 2 << 20
_WINDOW_LIMIT = 8 << 20  # what every zstd decoder should allow (RFC 8878); dv writes smaller ones


class _Decompressors(threading.local):
    """One for each thread, which none may share: making one takes as long as a small packet."""

    def __init__(self) -> None:
        self.whole = zstandard.ZstdDecompressor()


_decompressors = _Decompressors()


class TooLargeError(ValueError):
    """What unfolds to more than `PACKET_LIMIT` bytes."""

    def __init__(self) -> None:
        super().__init__(f"it unfolds to more than {PACKET_LIMIT >> 20} MiB")


def unpack(
    data: bytes | memoryview, compression: Compression, limit: int = PACKET_LIMIT
) -> bytes | memoryview:
    """The content of one packet, at most `limit` bytes (up to `PACKET_LIMIT`).

    Raises ValueError with what is wrong where a frame is damaged or unfinished, or followed by
    bytes that are no frame; TooLargeError where it unfolds to more.
    """
    if compression == "lz4":
        content = _native.unpack_lz4(data, limit)
        if content is None:
            raise TooLargeError
        return content.data
    if compression == "zstd":
        return _unpack_zstd(data, limit)
    if len(data) > limit:
        raise TooLargeError
    return data


def unpack_into(data: bytes | memoryview, room: memoryview) -> int | None:
    """The content of one zstd packet, in memory that is there already; its bytes.

    None where this is no whole frame of a stated size, or it needs more room: `unpack` tells.
    """
    try:
        stated = zstandard.frame_content_size(data)
        if not 0 <= stated <= len(room):
            return None
        with _decompressors.whole.stream_reader(data, read_across_frames=True) as reader:
            size = cast(Any, reader).readinto(room[:stated])
            return stated if size == stated and not reader.read(1) else None
    except zstandard.ZstdError:
        return None


def pack(data: bytes, compression: Compression) -> bytes:
    """One frame holding `data`; the inverse of `unpack`."""
    if compression == "lz4":
        return cast(bytes, cast(Any, lz4.frame).compress(data, content_checksum=True))
    if compression == "zstd":
        return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)
    return data


def _unpack_zstd(data: bytes | memoryview, limit: int) -> bytes | memoryview:
    try:
        stated = zstandard.frame_content_size(data)
        if stated > limit:
            raise TooLargeError
        if stated >= 0:
            whole = _decompressors.whole
            with contextlib.suppress(zstandard.ZstdError):
                return whole.decompress(data, allow_extra_data=False)
            whole.decompress(data)  # raises, if the first frame is damaged
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT)
        with decompressor.stream_reader(data, read_across_frames=True) as reader:
            return _gathered(iter(lambda: reader.read(_STEP), b""), limit)
    except zstandard.ZstdError as error:
        raise ValueError(f"its zstd frame is damaged ({error})") from error


def _gathered(parts: Iterator[bytes], limit: int) -> bytes | memoryview:
    """All parts in one buffer: a list of parts and their join would hold everything twice."""
    first, second = next(parts, b""), next(parts, b"")
    if len(first) > limit:
        raise TooLargeError
    if not second:
        return first  # a whole packet as a rule, which is not worth a copy
    # Not zeroed, so that only what is written takes memory; growing would copy now and then.
    out = np.empty(PACKET_LIMIT, np.uint8).data
    size = 0
    for part in itertools.chain((first, second), parts):
        if size + len(part) > limit:
            raise TooLargeError
        out[size : size + len(part)] = part
        size += len(part)
    return out[:size]
