"""ROS bags: the same events from every container, and what is refused or damaged."""

import bz2
import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from tests.camera import ros_bags
from tests.camera.damage import check_flipped_bits, check_mutations, check_truncation, read_bytes
from tests.camera.ros_bags import KINDS, Sent, cdr, sent, write_bag, write_db3, write_mcap

from saccade.camera._native import Evt3Decoder
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.ros_message import Message, read_event_packet
from saccade.camera.inspection import inspect
from saccade.camera.recordings import open_recording

GOLDEN = {
    "test_data_libcaer_rollover/libcaer_rollover_0.db3": "libcaer",
    "test_events_2/test_events_2_0.mcap": "libcaer_cmp",
    "test_events_1/test_events_1.db3": "evt3",
    "test_events_1.bag": "evt3",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_real_recordings(shared_data: Path, name: str) -> None:
    golden = json.loads((shared_data / "recordings" / "golden.json").read_text())
    # Those of EVT3 are the bags whose payloads were made into a RAW file.
    expected = golden.get(f"ros/{name}") or golden["evt3/pole_vga_triggers.raw"]
    found = inspect(shared_data / "recordings" / "ros" / name)
    assert found.format == GOLDEN[name]
    assert found.error is None
    assert not any(found.dropped.values())
    for field in ("n", "n_on", "t_first", "t_last", "sum_x", "sum_y", "sum_t", "width", "height"):
        assert getattr(found, field) == expected[field], field


def read(path: Path) -> tuple[list[tuple[int, int, int, bool]], RecordingError | None]:
    array, error = read_bytes(path, path.read_bytes())
    return [(t, x, y, bool(on)) for t, x, y, on in array.tolist()], error


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["evt3", "libcaer", "libcaer_cmp", "mono"])
def test_each_encoding_in_each_container(tmp_path: Path, kind: str, encoding: str) -> None:
    messages, events = sent(encoding)
    if encoding == "evt3":
        packet = Packet(*Evt3Decoder(346, 260).decode(b"".join(m.events for m in messages)))
        events = [(t, x, y, bool(on)) for t, x, y, on in packet.to_array().tolist()]
    path = KINDS[kind](tmp_path / "a", messages)
    with open_recording(path) as recording:
        assert (recording.format, recording.width, recording.height) == (encoding, 346, 260)
        for _ in range(2):
            assert sum(len(packet) for packet in recording.packets()) == len(events)
            assert recording.position == recording.size_bytes
        assert recording.skipped["sequence_gaps"] == 0
    assert read(path) == (events, None)


@pytest.mark.parametrize("kind", ["bag", "db3", "mcap"])
def test_the_first_event_topic_is_read_and_the_others_counted(tmp_path: Path, kind: str) -> None:
    messages, events = sent("mono")
    second = [m._replace(topic="/right/events") for m in messages]
    mixed = [m for pair in zip(messages, second, strict=True) for m in pair]
    del mixed[6:8]
    path = KINDS[kind](tmp_path / "a", mixed)
    with open_recording(path) as recording:
        assert sum(len(packet) for packet in recording.packets()) == len(events) - 60
        assert recording.skipped["other_event_topics"] == 7
        assert recording.skipped["sequence_gaps"] == 1


@pytest.mark.parametrize("kind", ["bag", "bag-lz4", "mcap", "mcap-zstd", "db3"])
class TestDamage:
    @pytest.fixture
    def data(self, tmp_path: Path, kind: str) -> bytes:
        return KINDS[kind](tmp_path / "whole", sent("libcaer", 30, 70)[0]).read_bytes()

    def test_truncation(self, tmp_path: Path, data: bytes) -> None:
        check_truncation(tmp_path / "a", data, short_step=397)

    def test_flipped_bits(self, tmp_path: Path, data: bytes) -> None:
        check_flipped_bits(tmp_path / "a", data, short_step=251)

    def test_mutations(self, tmp_path: Path, data: bytes) -> None:
        check_mutations(tmp_path / "a", data, short=100, long=10_000)

    def test_the_first_half_is_salvaged(self, tmp_path: Path, data: bytes) -> None:
        events, error = read_bytes(tmp_path / "a", data[: len(data) * 2 // 3])
        assert len(events) > 400
        assert error is not None
        assert error.offset is not None


def test_the_bag_of_a_killed_recorder(tmp_path: Path) -> None:
    """Its header has no index, and its last chunk does not state its size."""
    messages, events = sent("libcaer")
    data = bytearray(write_bag(tmp_path / "a.bag", messages).read_bytes())
    at = data.index(b"index_pos=") + len(b"index_pos=")
    del data[int.from_bytes(data[at : at + 8], "little") :]
    data[at : at + 8] = bytes(8)
    assert len(read_bytes(tmp_path / "b.bag", bytes(data))[0]) == len(events)
    chunk = data.rindex(b"op=\x05")
    header_at = data.rindex(b"compression=none", 0, chunk + 40) - 4
    size_at = data.index(b"size=", header_at) + 5
    data[size_at : size_at + 4] = data[size_at + 4 : size_at + 8] = bytes(4)
    found, error = read_bytes(tmp_path / "b.bag", bytes(data))
    assert len(found) == len(events)
    assert error is None


def test_an_mcap_without_its_summary(tmp_path: Path) -> None:
    messages, events = sent("libcaer")
    data = write_mcap(tmp_path / "a.mcap", messages, "zstd").read_bytes()
    (summary,) = struct.unpack_from("<Q", data, len(data) - 28)
    found, error = read_bytes(tmp_path / "b.mcap", data[: summary - 13])  # nor the end of the data
    assert len(found) == len(events)
    assert error is None


def test_the_checksum_of_an_mcap_chunk(tmp_path: Path) -> None:
    data = bytearray(write_mcap(tmp_path / "a.mcap", sent("libcaer")[0]).read_bytes())
    at = data.rindex(b"libcaer\0")
    data[at + 50] ^= 1
    found, error = read_bytes(tmp_path / "b.mcap", bytes(data))
    assert len(found) > 0
    assert "checksum" in str(error)


def chunk_of(name: bytes, stated: int, content: bytes) -> bytes:
    body = struct.pack("<QQQII", 0, 0, stated, 0, len(name)) + name
    body += struct.pack("<Q", len(content)) + content
    return b"\x89MCAP0\r\n" + b"\x06" + struct.pack("<Q", len(body)) + body


def bag_chunk(compression: bytes, content: bytes) -> bytes:
    fields = b"op=\x05", b"compression=" + compression, b"size=" + struct.pack("<I", 1 << 30)
    header = b"".join(struct.pack("<I", len(f)) + f for f in fields)
    body = struct.pack("<I", len(header)) + header + struct.pack("<I", len(content)) + content
    return b"#ROSBAG V2.0\n" + body


@pytest.mark.parametrize(
    "data",
    [
        chunk_of(b"zstd", 1 << 40, b"\x28\xb5\x2f\xfd"),
        chunk_of(b"lz4", 1 << 30, b""),
        bag_chunk(b"bz2", bz2.compress(bytes(1 << 20))),
        bag_chunk(b"lz4", b"\x04\x22\x4d\x18"),
    ],
)
def test_bombs(tmp_path: Path, data: bytes) -> None:
    _, error = read_bytes(tmp_path / "a", data)
    assert "more than 24 MiB; record in chunks of a few MiB" in str(error)


def test_a_database_whose_pages_form_a_circle(tmp_path: Path) -> None:
    path = write_db3(tmp_path / "a", sent("libcaer", 300, 20)[0])
    with sqlite3.connect(path) as db:
        (root,) = db.execute(
            "select rootpage from sqlite_master where name = 'messages'"
        ).fetchone()
    db.close()
    data = bytearray(path.read_bytes())
    page = (root - 1) * 4096
    assert data[page] == 5
    data[page + 8 : page + 12] = root.to_bytes(4, "big")
    found, error = read_bytes(tmp_path / "b", bytes(data))
    assert len(found) > 0
    assert error is not None
    assert "circle" in str(error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 640}, "a packet of 640x260 pixels follows ones of 346x260"),
        ({"encoding": "mono"}, "a packet encoded in 'mono' follows ones in libcaer"),
        ({"events": b"1234567"}, "its packet of 7 bytes ends inside a word"),
        ({"big": True}, "its events are big-endian"),
    ],
)
@pytest.mark.parametrize("kind", ["bag", "db3", "mcap"])
def test_packets_that_do_not_fit(tmp_path: Path, kind: str, change: dict, message: str) -> None:
    messages, _ = sent("libcaer")
    messages[5] = messages[5]._replace(**change)
    events, error = read(KINDS[kind](tmp_path / "a", messages))
    assert len(events) == 5 * 60
    assert message in str(error)
    assert error is not None
    assert error.offset is not None


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        (
            [Sent(b"", "trigger")],
            "the encoding 'trigger' of its events is not read; record in one of",
        ),
        ([Sent(b"", width=0)], "its geometry is 0x260"),
        ([], "it is empty|it has no event_camera_msgs/EventPacket"),
    ],
)
@pytest.mark.parametrize("kind", ["bag", "db3", "mcap"])
def test_what_is_refused(tmp_path: Path, kind: str, messages: list[Sent], message: str) -> None:
    with pytest.raises(RecordingError, match=message):
        open_recording(KINDS[kind](tmp_path / "a", messages))


def test_other_messages_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros_bags, "ROS_TYPE", "sensor_msgs/msg/Image")
    path = write_mcap(tmp_path / "a.mcap", sent("mono")[0])
    with pytest.raises(RecordingError, match="only std_msgs/msg/String, sensor_msgs/msg/Image"):
        open_recording(path)


def test_other_databases_and_journals_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db3"
    with sqlite3.connect(path) as db:
        db.execute("create table other (id integer)")
    db.close()
    with pytest.raises(RecordingError, match="no ROS 2 bag"):
        open_recording(path)
    good = write_db3(tmp_path / "b", sent("mono")[0])
    good.with_name(good.name + "-wal").write_bytes(b"x")
    with pytest.raises(RecordingError, match="still in its journal"):
        open_recording(good)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("frame", [b"", b"a", b"ab", b"abcd", b"abcde"])
def test_cdr_of_either_order(order: str, frame: bytes) -> None:
    message = Sent(b"events", "evt3", seq=1 << 40)
    data = memoryview(cdr(message, order, frame))
    packet = read_event_packet("a", Message("/t", "x", "cdr", data, 5))
    assert packet[:5] == (346, 260, 1 << 40, message.time_base, "evt3")
    assert bytes(packet.events) == b"events"
    for size in range(len(data)):
        with pytest.raises(RecordingError, match="its message is"):
            read_event_packet("a", Message("/t", "x", "cdr", data[:size], 5))


def test_cdr_as_rosbags_writes_it() -> None:
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(ros_bags.ROS_DEFINITION.split("====")[0], ros_bags.ROS_TYPE))
    message, types = Sent(b"events", "libcaer_cmp", seq=77), store.types
    header = types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](1, 2), "frame")
    events = np.frombuffer(message.events, np.uint8)
    fields = message.height, message.width, message.seq, message.time_base, message.encoding
    data = store.serialize_cdr(
        types[ros_bags.ROS_TYPE](header, *fields, False, events), ros_bags.ROS_TYPE
    )
    packet = read_event_packet("a", Message("/t", "x", "cdr", memoryview(data), 5))
    assert packet[:5] == (346, 260, 77, message.time_base, "libcaer_cmp")
    assert bytes(packet.events) == b"events"
