"""What no reader of a file can beat: `python -m benchmarks.limits reading|unpacking FILE`.

Either copies the file's bytes out of the page cache (the copy that the operating system makes for
who reads), or unfolds an AEDAT4 file's packets by the compression's own library into memory that
is there already, and does nothing else. Prints as `events` the bytes read, or 16 for each event.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import lz4.block  # pyright: ignore[reportMissingTypeStubs]
import zstandard

from benchmarks.turns import TIMED_S
from saccade.camera.formats.file import RecordingFile, read_buffer
from saccade.camera.formats.stream import CHUNK_BYTES

_RECORD = 16  # bytes of an event
_BLOCK = 4 << 20  # bytes: the most that a block may hold


def reading(path: str) -> Callable[[], int]:
    """One pass that only reads; gives its bytes."""
    file, buffer = RecordingFile(path), read_buffer(CHUNK_BYTES)

    def once() -> int:
        offset = 0
        while size := file.read_into(offset, buffer):
            offset += size
        return offset

    return once


def unpacking(path: str) -> Callable[[], int]:
    """One pass that only unfolds packets held in memory; gives their bytes once unfolded."""
    packets = list(_packets(Path(path).read_bytes()))
    if packets[0].startswith(b"\x04\x22\x4d\x18"):
        # Without the checksum and the new bytes of its frame API: the least that liblz4 needs.
        frames = [list(_blocks(packet)) for packet in packets]
        return lambda: sum(_unfold(blocks) for blocks in frames)
    decompressor = zstandard.ZstdDecompressor()
    return lambda: sum(len(decompressor.decompress(packet)) for packet in packets)


def _packets(data: bytes) -> Iterator[bytes]:
    at = 18 + int.from_bytes(data[14:18], "little")
    while at + 8 <= len(data):
        stream, size = struct.unpack_from("<ii", data, at)
        if stream != 0:
            return  # the table
        yield data[at + 8 : at + 8 + size]
        at += 8 + size


def _blocks(packet: bytes) -> Iterator[bytes]:
    """The blocks of an LZ4 frame as saccade writes it."""
    at = 7 + (8 if packet[4] & 8 else 0)
    while size := int.from_bytes(packet[at : at + 4], "little"):
        yield packet[at + 4 : at + 4 + size]
        at += 4 + size


def _unfold(blocks: list[bytes]) -> int:
    content, size = b"", 0
    for block in blocks:  # which may copy from the block before
        content = cast(Any, lz4.block).decompress(block, uncompressed_size=_BLOCK, dict=content)
        size += len(content)
    return size


def main() -> None:
    """As long as readers are timed (turns.py)."""
    once = {"reading": reading, "unpacking": unpacking}[sys.argv[1]](sys.argv[2])
    n, cpu, wall = once(), [], []
    while not wall or sum(wall) < TIMED_S:
        begun = time.process_time(), time.perf_counter()
        once()
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
    events = n if sys.argv[1] == "reading" else n // _RECORD
    print(json.dumps({"events": events, "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main()
