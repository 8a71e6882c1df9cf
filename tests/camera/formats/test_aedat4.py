"""AEDAT4: what we write reads back, here and in the plain reader; bombs and hostile buffers."""

import os
import struct
from pathlib import Path

import lz4.frame
import numpy as np
import pytest
import zstandard
from tests.camera.fixtures import HEIGHT, WIDTH, read, some_events, write_aedat4
from tests.reference import aedat4

from saccade.camera import _native
from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import (
    MAGIC,
    Aedat4Writer,
    events_payload,
    info_xml,
    io_header,
)
from saccade.camera.formats.unpack import PACKET_LIMIT, TooLargeError, pack, unpack
from saccade.camera.recordings import open_recording

COMPRESSIONS = ["none", "lz4", "zstd"]


def payload_file(path: Path, payload: bytes, compression: str) -> int:
    """A file without a table, of one packet; where that packet starts."""
    header = MAGIC + io_header(compression, info_xml(WIDTH, HEIGHT, compression, "test"))
    path.write_bytes(header + struct.pack("<ii", 0, len(payload)) + payload)
    return len(header)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_what_is_written_reads_back(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.aedat4"
    written = write_aedat4(path, compression).to_array()
    events, error = read(path)
    assert error is None
    assert events.tolist() == written.tolist() == aedat4.decode(path.read_bytes())
    with open_recording(path) as recording:
        assert (recording.format, recording.sensor) == ("aedat4", "saccade")
        assert (recording.width, recording.height) == (WIDTH, HEIGHT)


def test_long_packets_are_split(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    written = write_aedat4(path, "lz4", packets=1, n=150_000)
    with open_recording(path) as recording:
        assert [len(p) for p in recording.packets()] == [65_536, 65_536, 18_928]
    assert read(path)[0].tolist() == written.to_array().tolist()


def test_a_file_without_events_reads_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    with Aedat4Writer(path, WIDTH, HEIGHT) as writer:
        writer.write(some_events(0))
    events, error = read(path)
    assert (len(events), error) == (0, None)


def test_a_killed_recorder_leaves_its_events(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    writer = Aedat4Writer(path, WIDTH, HEIGHT)
    writer.write(some_events(50))
    copy = tmp_path / "b.aedat4"
    copy.write_bytes(path.read_bytes())  # as it lies on the disk before close()
    writer.close()
    events, error = read(copy)
    assert (len(events), error) == (50, None)


def test_the_name_of_the_source_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    for source, kept in (
        ("<&\"é'>\U0001f441", "<&\"é'>\U0001f441"),
        ("a\0b\x08c\x1fd\ufffe\udc80", "a?b?c?d??"),
    ):
        with Aedat4Writer(path, WIDTH, HEIGHT, source=source) as writer:
            writer.write(some_events(1))
        with open_recording(path) as recording:
            assert recording.sensor == kept


def test_the_writer_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(SaccadeError, match="compression is 'gzip'"):
        Aedat4Writer(tmp_path / "a", WIDTH, HEIGHT, "gzip")
    with pytest.raises(RecordingError, match="0x5"):
        Aedat4Writer(tmp_path / "a", 0, 5)
    with pytest.raises(RecordingError, match="cannot be created"):
        Aedat4Writer(tmp_path / "missing" / "a", 5, 5)
    with (
        Aedat4Writer(tmp_path / "a", 10, 10) as writer,
        pytest.raises(SaccadeError, match="outside 10x10"),
    ):
        writer.write(some_events(50))
    with Aedat4Writer(tmp_path / "a", WIDTH, HEIGHT) as writer:
        events = some_events(2)
        events.t[1] = 1 << 63
        with pytest.raises(SaccadeError, match=r"2\^63 us or more"):
            writer.write(events)
    for n in (0, 1):
        with pytest.raises(SaccadeError, match="the file is closed"):
            writer.write(some_events(n))
    events, error = read(tmp_path / "a")
    assert (len(events), error) == (0, None)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd on this system")
def test_a_pipe_cannot_be_finished_in_one_line() -> None:
    for_reading, for_writing = os.pipe()
    writer = Aedat4Writer(f"/dev/fd/{for_writing}", WIDTH, HEIGHT)
    with pytest.raises(RecordingError, match=r"writing failed \(Illegal seek\); write to a file"):
        writer.close()
    os.close(for_reading)
    os.close(for_writing)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(RecordingError, match=r"No space left.*make room"):
        Aedat4Writer("/dev/full", WIDTH, HEIGHT)


def test_events_outside_and_negative_times_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    t = np.array([5, 1 << 63, 6, 7, 8], np.uint64)  # the second is negative as i64
    x = np.array([0, 0, WIDTH, 0xFFFF, 1], np.uint16)
    y = np.array([HEIGHT - 1, 0, 0, 0, HEIGHT], np.uint16)
    events = Packet(t, x, y, np.ones(5, bool))
    payload_file(path, events_payload(events), "none")
    with open_recording(path) as recording:
        assert sum(len(p) for p in recording.packets()) == 1
        assert recording.dropped == {"out_of_bounds": 3, "negative_time": 1}


@pytest.mark.parametrize("bad", [0, 0.001, 0.3])
@pytest.mark.parametrize(
    ("width", "height"), [(WIDTH, HEIGHT), (65_535, 1), (65_536, 70_000), (0, 1)]
)
def test_the_wide_path_gives_the_plain_paths_events(bad: float, width: int, height: int) -> None:
    rng = np.random.default_rng(8)
    for n in [0, 1, 7, 8, 9, 16, 1000]:
        x, y = rng.integers(0, max(width, 1), n), rng.integers(0, min(height, 1 << 16), n)
        outside = rng.integers(0, 1 << 16, (2, n))
        wrong = rng.random((3, n)) < bad
        t = rng.integers(0, 1 << 63, n, np.uint64) | wrong[2].astype(np.uint64) << np.uint64(63)
        events = Packet(
            t,
            np.where(wrong[0], outside[0], x).astype(np.uint16),
            np.where(wrong[1], outside[1], y).astype(np.uint16),
            rng.random(n) < 0.5,
        )
        payload = bytearray(events_payload(events))
        for i in range(len(payload) - 16 * n, len(payload), 16):
            payload[i + 12] *= int(rng.integers(1, 256))  # any number but 0 is on
            payload[i + 13 : i + 16] = rng.bytes(3)  # padding
        found: list[tuple[object, object]] = []
        for most in ("none", "avx2", "avx512"):
            _native.allow_simd(most)
            columns, dropped = _native.decode_events(payload, width, height)
            found.append(([c.tolist() for c in columns], dropped))
        assert found[0] == found[1] == found[2]


def test_other_streams_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    xml = info_xml(WIDTH, HEIGHT, "none", "test").decode()
    node = xml[xml.index('<node name="0"') : xml.index("</node>\n</dv>")]
    frames = node.replace('"0"', '"7"').replace("EVTS", "FRME")
    second = node.replace('"0"', '"2"').replace(f">{WIDTH}<", ">99<")
    header = MAGIC + io_header("none", xml.replace(node, frames + node + second).encode())
    payload = events_payload(some_events(5))
    image = bytes(PACKET_LIMIT + 1)  # the limit is that of what is unfolded
    packets = [(7, image), (0, payload), (2, payload), (0, payload)]
    body = b"".join(struct.pack("<ii", i, len(data)) + data for i, data in packets)
    path.write_bytes(header + body)
    with open_recording(path) as recording:
        assert (recording.width, sum(len(p) for p in recording.packets())) == (WIDTH, 10)
        assert recording.skipped == {"other_packets": 2}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("size", [0, 1, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, 9 << 20])
def test_packing_is_undone(compression: str, size: int) -> None:
    data = np.random.default_rng(3).integers(0, 4, size, np.uint8).tobytes()
    assert bytes(unpack(pack(data, compression), compression)) == data


def test_a_flipped_bit_in_an_lz4_packet_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.aedat4"
    written = write_aedat4(path, "lz4", packets=1, n=500).to_array()
    data = bytearray(path.read_bytes())
    start = data.index(b"</dv>") + 30
    for at in range(start, start + 2000, 50):
        data[at] ^= 4
        path.write_bytes(data)
        events, error = read(path)
        assert error is not None or events.tolist() == written.tolist()
        data[at] ^= 4


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_frames_that_follow_one_another_are_one_content(compression: str) -> None:
    first, second = pack(b"a" * 1000, compression), pack(b"b" * 500, compression)
    assert bytes(unpack(first + second, compression)) == b"a" * 1000 + b"b" * 500
    with pytest.raises(TooLargeError):
        unpack(first + second, compression, 1499)
    with pytest.raises(ValueError, match="bytes follow|damaged"):
        unpack(first + b"no frame", compression)


def bombs() -> dict[str, tuple[str, bytes]]:
    zeros = bytes(80 << 20)
    stream = zstandard.ZstdCompressor().compressobj()
    return {
        "zstd, size stated": ("zstd", zstandard.ZstdCompressor().compress(zeros)),
        "zstd, size unknown": ("zstd", stream.compress(zeros) + stream.flush()),
        "lz4": ("lz4", lz4.frame.compress(zeros)),
        "zstd, lies": ("zstd", b"\x28\xb5\x2f\xfd\xe0" + b"\0\0\0\0\1\0\0\0" + b"\1\0\0"),
    }


def test_bombs_are_refused_where_they_lie(tmp_path: Path) -> None:
    for compression, payload in bombs().values():
        at = payload_file(tmp_path / "a.aedat4", payload, compression)
        events, error = read(tmp_path / "a.aedat4")
        assert len(events) == 0
        assert error is not None
        assert error.offset == at
        assert "more than 24 MiB" in str(error)


def test_a_zstd_frame_of_unknown_size_is_read(tmp_path: Path) -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    payload = stream.compress(events_payload(some_events(40_000))) + stream.flush()
    payload_file(tmp_path / "a.aedat4", payload, "zstd")
    events, error = read(tmp_path / "a.aedat4")
    assert (len(events), error) == (40_000, None)


@pytest.mark.parametrize(
    ("at", "format", "value"),
    [
        (0, "<I", 1 << 31),  # more bytes than there are
        (0, "<I", 0),
        (4, "<I", 0xFFFFFFF0),  # root
        (4, "<I", 0),
        (8, "4s", b"FRME"),  # identifier
        (14, "<H", 2),  # size of the vtable
        (14, "<H", 0xFFFE),
        (16, "<H", 0xFFFF),  # size of the table
        (18, "<H", 7),  # offset of the vector's field
        (20, "<i", -(1 << 31)),  # offset of the vtable
        (20, "<i", (1 << 31) - 1),
        (24, "<I", 0xFFFFFFFF),  # offset of the vector
        (28, "<I", 6),  # one event more than there are
        (28, "<I", 0x10000001),  # times 16, this wraps in 32 bits
    ],
)
def test_hostile_flatbuffers_are_refused(at: int, format: str, value: int | bytes) -> None:
    payload = bytearray(events_payload(some_events(5)))
    assert len(_native.decode_events(bytes(payload), WIDTH, HEIGHT)[0][0]) == 5
    struct.pack_into(format, payload, at, value)
    with pytest.raises(ValueError, match="its flatbuffer"):
        _native.decode_events(bytes(payload), WIDTH, HEIGHT)


def test_any_alignment_and_any_length_is_safe() -> None:
    payload = events_payload(some_events(5))
    shifted = memoryview(b"\0" + payload)[1:]
    assert len(_native.decode_events(shifted, WIDTH, HEIGHT)[0][0]) == 5
    for length in range(len(payload)):
        with pytest.raises(ValueError, match="its flatbuffer"):
            _native.decode_events(payload[:length], WIDTH, HEIGHT)


def test_a_comment_in_the_header_is_read_over(tmp_path: Path) -> None:
    xml = b"<!-- made by hand -->" + info_xml(WIDTH, HEIGHT, "none", "test")
    payload = events_payload(some_events(5))
    packet = struct.pack("<ii", 0, len(payload)) + payload
    (tmp_path / "a").write_bytes(MAGIC + io_header("none", xml) + packet)
    events, error = read(tmp_path / "a")
    assert (len(events), error) == (5, None)


def test_entities_in_the_header_are_refused(tmp_path: Path) -> None:
    xml = b'<!DOCTYPE a [<!ENTITY b "c">]>' + info_xml(WIDTH, HEIGHT, "none", "&b;")
    (tmp_path / "a").write_bytes(MAGIC + io_header("none", xml) + bytes(8))
    with pytest.raises(RecordingError, match="document type"):
        open_recording(tmp_path / "a")


def test_a_disk_that_fills_up_keeps_whole_packets(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")  # a limit on the file's size stands for the disk
    path = tmp_path / "a.aedat4"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = Aedat4Writer(path, WIDTH, HEIGHT, "none")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        with pytest.raises(RecordingError, match="writing failed") as error:
            for _ in range(10):
                writer.write(some_events(100))
        assert error.value.offset == path.stat().st_size
        writer.close()  # the small table has room where the packet had none
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    events, damage = read(path)
    assert (len(events), damage) == (200, None)


def test_the_writer_closes_once(tmp_path: Path) -> None:
    writer = Aedat4Writer(tmp_path / "a", WIDTH, HEIGHT)
    writer.close()
    size = (tmp_path / "a").stat().st_size
    writer.close()
    assert (tmp_path / "a").stat().st_size == size
