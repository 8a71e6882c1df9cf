"""Small ROS bags, written with rosbags and mcap."""

import struct
from pathlib import Path
from typing import NamedTuple

import mcap.writer
import numpy as np
from benchmarks.others import ROS_DEFINITION, ROS_TYPE
from rosbags import rosbag1, rosbag2
from tests.camera.fixtures import evt3_words
from tests.reference import ros

EPOCH = 1_702_309_120_762_236_018  # ns
WIDTH, HEIGHT = 346, 260


class Sent(NamedTuple):
    """A packet of events to be written."""

    events: bytes
    encoding: str = "libcaer"
    seq: int = 0
    time_base: int = EPOCH
    width: int = WIDTH
    height: int = HEIGHT
    topic: str = "/camera/events"
    big: bool = False


def ros1(m: Sent) -> bytes:
    head = struct.pack("<IIII", m.seq, 7, 9, 6) + b"camera"
    head += struct.pack("<IIQQ", m.height, m.width, m.seq, m.time_base)
    head += struct.pack("<I", len(m.encoding)) + m.encoding.encode()
    return head + struct.pack("<?I", m.big, len(m.events)) + m.events


def cdr(m: Sent, order: str = "<", frame: bytes = b"camera") -> bytes:
    out = b""

    def put(code: str, *values: int) -> None:
        nonlocal out
        for value in values:
            item = struct.pack(order + code, value)
            out += bytes(-len(out) % len(item)) + item

    put("I", 7, 9, len(frame) + 1)
    out += frame + b"\0"
    put("I", m.height, m.width)
    put("Q", m.seq, m.time_base)
    put("I", len(m.encoding) + 1)
    out += m.encoding.encode() + b"\0"
    put("B", m.big)
    put("I", len(m.events))
    return bytes((0, order == "<", 0, 0)) + out + m.events


def sent(encoding: str, packets: int = 8, n: int = 60) -> tuple[list[Sent], list[ros.Event]]:
    """Packets in an encoding, and their events (for EVT3 none: they are up to its decoder)."""
    rng = np.random.default_rng(6)
    if encoding == "evt3":
        words = evt3_words(packets * n)
        step = len(words) // packets // 2 * 2 + 2
        return [
            Sent(words[k : k + step], encoding, k // step) for k in range(0, len(words), step)
        ], []
    made, events = [], []
    for k in range(packets):
        t = EPOCH // 1000 + 1 + k * 10_000 + np.sort(rng.integers(0, 9000, n))
        columns = rng.integers(0, WIDTH, n), rng.integers(0, HEIGHT, n), rng.random(n) < 0.5
        part = [(int(a), int(b), int(c), bool(d)) for a, b, c, d in zip(t, *columns, strict=True)]
        base = EPOCH + k * 10_000_000
        made.append(Sent(getattr(ros, f"encode_{encoding}")(base, part), encoding, k, base))
        events += part
    return made, events


def write_bag(path: Path, messages: list[Sent], compression: str = "none") -> Path:
    writer = rosbag1.Writer(path)
    writer.chunk_threshold = 2000
    if compression != "none":
        writer.set_compression(rosbag1.Writer.CompressionFormat[compression.upper()])
    with writer:
        other = writer.add_connection(
            "/other", "std_msgs/msg/String", msgdef="string data\n", md5sum="0" * 32
        )
        topics = {
            topic: writer.add_connection(topic, ROS_TYPE, msgdef=ROS_DEFINITION, md5sum="0" * 32)
            for topic in dict.fromkeys(m.topic for m in messages)
        }
        for k, message in enumerate(messages):
            writer.write(other, EPOCH + k, b"\x02\0\0\0hi")
            writer.write(topics[message.topic], EPOCH + k, ros1(message))
    return path


def write_db3(folder: Path, messages: list[Sent]) -> Path:
    """The bag's db3 file."""
    with rosbag2.Writer(folder, version=8) as writer:
        other = writer.add_connection(
            "/other", "std_msgs/msg/String", msgdef="string data\n", rihs01="RIHS01_0"
        )
        topics = {
            topic: writer.add_connection(topic, ROS_TYPE, msgdef=ROS_DEFINITION, rihs01="RIHS01_0")
            for topic in dict.fromkeys(m.topic for m in messages)
        }
        for k, message in enumerate(messages):
            writer.write(other, EPOCH + k, b"\0\1\0\0\x03\0\0\0hi\0")
            writer.write(topics[message.topic], EPOCH + k, cdr(message))
    return next(folder.glob("*.db3"))


def write_mcap(path: Path, messages: list[Sent], compression: str = "none", **options) -> Path:
    kind = mcap.writer.CompressionType[compression.upper()]
    with path.open("wb") as file:
        writer = mcap.writer.Writer(file, chunk_size=2000, compression=kind, **options)
        writer.start("ros2")
        schema = writer.register_schema(ROS_TYPE, "ros2msg", ROS_DEFINITION.encode())
        text = writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data")
        other = writer.register_channel("/other", "cdr", text)
        topics = {
            topic: writer.register_channel(topic, "cdr", schema)
            for topic in dict.fromkeys(m.topic for m in messages)
        }
        for k, message in enumerate(messages):
            writer.add_message(other, EPOCH + k, b"\0\1\0\0\x03\0\0\0hi\0", EPOCH + k)
            writer.add_message(topics[message.topic], EPOCH + k, cdr(message), EPOCH + k)
        writer.finish()
    return path


#: How each kind of bag is written: (folder or file, messages) -> the file.
KINDS = {
    "bag": write_bag,
    "bag-lz4": lambda path, messages: write_bag(path, messages, "lz4"),
    "bag-bz2": lambda path, messages: write_bag(path, messages, "bz2"),
    "db3": write_db3,
    "mcap": write_mcap,
    "mcap-lz4": lambda path, messages: write_mcap(path, messages, "lz4"),
    "mcap-zstd": lambda path, messages: write_mcap(path, messages, "zstd"),
    "mcap-plain": lambda path, messages: write_mcap(path, messages, use_chunking=False),
}
