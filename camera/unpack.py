"""Decompression under a bound: what an AEDAT4 packet may unfold to.

A frame of a few kilobytes can state or produce gigabytes. Nothing here trusts the frame: the stated
size is checked first, and the output is grown in steps up to the bound.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import lz4.frame  # pyright: ignore[reportMissingTypeStubs]
import zstandard

Compression = Literal["none", "lz4", "zstd"]

#: The most bytes that one packet may unfold to.
PACKET_LIMIT = 64 << 20
_STEP = 1 << 20


class TooLargeError(ValueError):
    """What unfolds to more than `PACKET_LIMIT` bytes."""

    def __init__(self) -> None:
        super().__init__(f"it unfolds to more than {PACKET_LIMIT >> 20} MiB")


def unpack(data: bytes, compression: Compression) -> bytes:
    """The content of one packet, at most `PACKET_LIMIT` bytes.

    Raises ValueError with what is wrong where the frame is damaged or unfinished, TooLargeError
    where it unfolds to more.
    """
    if compression == "none":
        return data
    return _unpack_lz4(data) if compression == "lz4" else _unpack_zstd(data)


def pack(data: bytes, compression: Compression) -> bytes:
    """One frame holding `data`; the inverse of `unpack`."""
    if compression == "lz4":
        return cast(bytes, cast(Any, lz4.frame).compress(data))
    if compression == "zstd":
        return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)
    return data


def _unpack_lz4(data: bytes) -> bytes:
    decompressor: Any = cast(Any, lz4.frame).LZ4FrameDecompressor()
    parts: list[bytes] = []
    size = 0
    try:
        while not decompressor.eof:
            more = data if not parts else b""
            part = cast(bytes, decompressor.decompress(more, max_length=_STEP))
            parts.append(part)
            size += len(part)
            if size > PACKET_LIMIT:
                raise TooLargeError
            if not part and not decompressor.eof:
                raise ValueError("its LZ4 frame is not finished")
    except (RuntimeError, EOFError) as error:
        raise ValueError("its LZ4 frame is damaged") from error
    return b"".join(parts)


def _unpack_zstd(data: bytes) -> bytes:
    try:
        stated = zstandard.frame_content_size(data)
        if stated > PACKET_LIMIT:
            raise TooLargeError
        if stated >= 0:
            return zstandard.ZstdDecompressor().decompress(data)
        return _unpack_zstd_of_unknown_size(data)
    except zstandard.ZstdError as error:
        raise ValueError("its zstd frame is damaged") from error


def _unpack_zstd_of_unknown_size(data: bytes) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=PACKET_LIMIT)
    parts: list[bytes] = []
    size = 0
    with decompressor.stream_reader(data) as reader:
        while part := reader.read(_STEP):
            parts.append(part)
            size += len(part)
            if size > PACKET_LIMIT:
                raise TooLargeError
    return b"".join(parts)
