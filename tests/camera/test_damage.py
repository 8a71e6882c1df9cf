"""Damage: every event before it, then one error with its offset; no hang, no crash, no guess."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard
from tests.camera.damage import (
    check_flipped_bits,
    check_mutations,
    check_truncation,
    read_bytes,
)
from tests.camera.fixtures import (
    EVT2_HEADER,
    RAW_HEADER,
    evt2_words,
    evt3_words,
    read,
    write_aedat4,
)

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import MAGIC, events_payload, info_xml, io_header
from saccade.camera.formats.unpack import PACKET_LIMIT, pack
from saccade.camera.inspection import inspect

KINDS = ["aedat4-none", "aedat4-lz4", "aedat4-zstd", "evt2", "evt3"]


def small(path: Path, kind: str) -> bytes:
    """The bytes of a small healthy recording, which is also left at `path`."""
    if kind == "evt2":
        path.write_bytes(EVT2_HEADER + evt2_words(40))
    elif kind == "evt3":
        path.write_bytes(RAW_HEADER + evt3_words(30))
    else:
        write_aedat4(path, kind.partition("-")[2], packets=4, n=6)
    return path.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_at_every_byte(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    data = small(path, kind)
    whole, error = read(path)
    assert error is None
    delivered = 0
    for size in range(len(data)):
        events, error = read_bytes(path, data[:size])
        assert events.tolist() == whole[: len(events)].tolist()
        assert len(events) >= delivered
        delivered = len(events)
        if kind.startswith("aedat4"):
            assert error is not None
            assert error.offset in (None, 14, size, table_position(data))
    assert delivered >= len(whole) - 20 if "evt" in kind else delivered == len(whole)


@pytest.mark.parametrize("kind", ["aedat4-zstd", "evt2", "evt3"])
def test_every_bit_of_the_header(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    data = bytearray(small(path, kind)[:4096])
    header = data.index(b"</dv>") + 16 if kind.startswith("aedat4") else 100
    for bit in range(8 * header):
        data[bit // 8] ^= 1 << bit % 8
        read_bytes(path, data)
        data[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize("kind", KINDS)
def test_random_damage(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    data = small(path, kind)
    check_mutations(path, data, short=300)


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_of_20_kb(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "evt2":
        data = EVT2_HEADER + evt2_words(2500)
    elif kind == "evt3":
        data = RAW_HEADER + evt3_words(1250)
    else:
        write_aedat4(path, kind.partition("-")[2], packets=12, n=100)
        data = path.read_bytes()
    check_truncation(path, data, short_step=83)
    check_flipped_bits(path, data, short_step=79)
    check_mutations(path, data, short=300)


@pytest.mark.parametrize("kind", ["aedat4-lz4", "aedat4-zstd", "aedat4-none"])
def test_a_damaged_packet_costs_only_what_follows(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    data = bytearray(small(path, kind))
    whole, _ = read(path)
    at = packet_offsets(data)[2]
    data[at + 8 : at + 16] = b"\xff" * 8
    events, error = read_bytes(path, data)
    assert events.tolist() == whole[:12].tolist()
    assert error is not None
    assert error.offset == at
    assert f"byte {at}" in str(error)
    found = inspect(path)
    assert found.n == 12
    assert found.error == str(error)


@pytest.mark.parametrize("size", [-1, -(1 << 31), (1 << 31) - 1, 100_000])
def test_an_absurd_packet_size_is_damage(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a"
    data = bytearray(small(path, "aedat4-lz4"))
    at = packet_offsets(data)[3]
    struct.pack_into("<i", data, at + 4, size)
    events, error = read_bytes(path, data)
    assert len(events) == 18
    assert error is not None
    assert error.offset == at


def test_a_packet_of_no_known_stream_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = bytearray(small(path, "aedat4-lz4"))
    at = packet_offsets(data)[1]
    struct.pack_into("<i", data, at, 9)
    events, error = read_bytes(path, data)
    assert len(events) == 6
    assert error is not None
    assert error.offset == at


def test_a_lost_table_and_a_damaged_table_are_reported_after_all_events(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = bytearray(small(path, "aedat4-none"))
    table = table_position(data)
    events, error = read_bytes(path, data[:table])
    assert len(events) == 24
    assert error is not None
    assert error.offset == table
    data[table + 8] ^= 1
    events, error = read_bytes(path, data)
    assert len(events) == 24
    assert error is not None
    assert error.offset == table


@pytest.mark.parametrize(("kind", "word"), [("evt2", 4), ("evt3", 2)])
def test_a_cut_word_is_reported_where_it_starts(tmp_path: Path, kind: str, word: int) -> None:
    path = tmp_path / "a"
    data = small(path, kind)
    for missing in range(1, word):
        _, error = read_bytes(path, data[: len(data) - missing])
        assert error is not None
        assert error.offset == len(data) - word


# Not getrusage: its peak may be that of the process that started this one.
MEASURE = """
import pathlib, sys
from saccade.camera.recordings import open_recording

def memory(key):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(key)[1].split()[0]) << 10

with open_recording(sys.argv[1]) as recording:
    before = memory("VmRSS:")
    events = sum(len(packet) for packet in recording.packets())
print(events, memory("VmHWM:") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["none", "lz4", "zstd", "zstd of unknown size"])
def test_the_largest_packets_stay_within_the_promised_memory(tmp_path: Path, kind: str) -> None:
    n = (PACKET_LIMIT - 28) // 16
    columns = [np.zeros(n, dtype) for dtype in (np.uint64, np.uint16, np.uint16, bool)]
    payload = events_payload(Packet(*columns))
    compression = kind.split()[0]
    if kind.endswith("unknown size"):
        stream = zstandard.ZstdCompressor(level=19).compressobj()
        payload = stream.compress(payload) + stream.flush()
    else:
        payload = pack(payload, compression)
    path = tmp_path / "a.aedat4"
    header = MAGIC + io_header(compression, info_xml(346, 260, compression, "test"))
    path.write_bytes(header + 3 * (struct.pack("<ii", 0, len(payload)) + payload))
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, check=True)
    events, grown = map(int, done.stdout.split())
    assert events == 3 * n
    assert grown < (64 << 20) + 4 * path.stat().st_size


def table_position(data: bytes | bytearray) -> int:
    return struct.unpack_from("<q", data, 14 + 40)[0]


def packet_offsets(data: bytes | bytearray) -> list[int]:
    offset = 18 + struct.unpack_from("<I", data, 14)[0]
    out: list[int] = []
    while offset < table_position(data):
        out.append(offset)
        offset += 8 + struct.unpack_from("<i", data, offset + 4)[0]
    return out
