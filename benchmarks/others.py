"""Smaller recordings of the formats that nobody records large: made here, each with its rivals."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import mcap.writer
import numpy as np
from rosbags import rosbag1, rosbag2

from benchmarks import encode
from benchmarks.scenes import D346, Scene, packets
from saccade.camera import _native
from saccade.camera.events import Packet

#: N-Caltech101's largest picture: x is one byte there.
D240 = dataclasses.replace(D346, width=240, height=180)
SHARE = 0.2  # of a scene: 3.4 M events in 0.8 s
TEXT_SHARE = 0.06  # 1 M events
HDF5_SHARE = 0.6  # 10 M events: the start of the process that reads it counts

_ECF_FILTER, _ECF_CHUNK = 0x8ECF, 16_384
_CD = np.dtype({"names": ["x", "y", "p", "t"], "formats": ["<u2", "<u2", "<i2", "<i8"],
                "offsets": [0, 2, 4, 8], "itemsize": 16})  # fmt: skip
ROS_TYPE = "event_camera_msgs/msg/EventPacket"
ROS_DEFINITION = """std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
================================================================================
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
"""


class Other(NamedTuple):
    """How a format's file is made, and which rivals read the format at all.

    Attributes:
        end: the file's extension.
        write: writes a scene's packets to a file.
        rivals: names of readers in rivals.py.
        scene, share: what the file shows.
        options: of the reading with saccade.
    """

    end: str
    write: Callable[[Path, list[Packet], Scene], None]
    rivals: tuple[str, ...] = ()
    scene: Scene = D346
    share: float = SHARE
    options: dict[str, Any] = {}  # noqa: RUF012


def make(folder: Path, share: float) -> Iterator[tuple[str, Other, Path]]:
    """Each format's file, one at a time; the caller removes it.

    Args:
        folder: where the files go.
        share: of the formats' own shares.
    """
    for name, other in OTHERS.items():
        path = folder / f"{name}.{other.end}"
        other.write(path, list(packets(other.scene, share * other.share)), other.scene)
        yield name, other, path


def _whole(parts: list[Packet]) -> Packet:
    columns = ("t", "x", "y", "on")
    return Packet(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))


def _es(path: Path, parts: list[Packet], scene: Scene) -> None:
    head = b"Event Stream" + struct.pack("<BBBBHH", 2, 0, 0, 1, scene.width, scene.height)
    path.write_bytes(head + encode.es(_whole(parts), scene.height))


def _nmnist(path: Path, parts: list[Packet], scene: Scene) -> None:
    path.write_bytes(b"".join(map(encode.nmnist, parts)))


def _aedat2(path: Path, parts: list[Packet], scene: Scene) -> None:
    lines = ["#!AER-DAT2.0", "# AEChip: eu.seebetter.ini.chips.davis.Davis346B"]
    lines += ["# Creation time: System.currentTimeMillis() 0", "# End Of ASCII Header"]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    path.write_bytes(head + b"".join(map(encode.aedat2, parts)))


def _aedat3(path: Path, parts: list[Packet], scene: Scene) -> None:
    lines = ["#!AER-DAT3.1", "#Format: RAW", "#Source 1: DAVIS346B"]
    lines += ["#Start-Time: 2016-09-01 12:00:00 (TZ+0200)", "#!END-HEADER"]
    head = "".join(f"{line}\r\n" for line in lines).encode()
    path.write_bytes(head + b"".join(map(encode.aedat3, parts)))


def _npz(path: Path, parts: list[Packet], scene: Scene) -> None:
    whole = _whole(parts)
    size = {"width": np.array(scene.width), "height": np.array(scene.height)}
    np.savez(
        path, t=whole.t.astype(np.int64), x=whole.x, y=whole.y, p=whole.on.astype(np.uint8), **size
    )


def _csv(path: Path, parts: list[Packet], scene: Scene) -> None:
    whole = _whole(parts)
    lines = _native.encode_csv(whole.t, whole.x, whole.y, whole.on)
    path.write_bytes(b"t,x,y,p\n" + lines.tobytes())


def _rpg(path: Path, parts: list[Packet], scene: Scene) -> None:
    whole = _whole(parts)
    table = np.stack([whole.t / 1e6, whole.x, whole.y, whole.on], 1)
    np.savetxt(path, table, "%.6f %d %d %d")


def _evlib(path: Path, parts: list[Packet], scene: Scene) -> None:
    whole = _whole(parts)
    p = whole.on.astype(np.int8)
    columns = {"xs": whole.x, "ys": whole.y, "ts": whole.t.astype(np.int64), "ps": p}
    with h5py.File(path, "w") as file:
        for name, column in columns.items():
            file.create_dataset(f"events/{name}", data=column, chunks=(65_536,))
        file["events/ts"].attrs["unit"] = "us"


def _ecf(path: Path, parts: list[Packet], scene: Scene) -> None:
    whole = _whole(parts)
    n = len(whole) // _ECF_CHUNK * _ECF_CHUNK
    with h5py.File(path, "w") as file:
        file.attrs["geometry"] = f"{scene.width}x{scene.height}"
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((_ECF_CHUNK,))
        plist.set_filter(_ECF_FILTER, h5py.h5z.FLAG_OPTIONAL)
        group, space = file.create_group("CD"), h5py.h5s.create_simple((n,))
        data = h5py.h5d.create(group.id, b"events", h5py.h5t.py_create(_CD), space, plist)
        for start in range(0, n, _ECF_CHUNK):
            data.write_direct_chunk((start,), encode.ecf(whole[start : start + _ECF_CHUNK]))
        times = np.arange(0, int(whole.t[n - 1] - whole.t[0]), 2000)
        index = np.zeros(len(times), [("id", "<u8"), ("ts", "<i8")])
        index["id"], index["ts"] = np.searchsorted(whole.t - whole.t[0], times), times
        file.create_dataset("CD/indexes", data=index)
        file["CD/indexes"].attrs["offset"] = str(-int(whole.t[0]))


def _bag(path: Path, parts: list[Packet], scene: Scene) -> None:
    with rosbag1.Writer(path) as writer:
        topic = writer.add_connection("/events", ROS_TYPE, msgdef=ROS_DEFINITION, md5sum="0" * 32)
        for seq, part in enumerate(parts):
            events = encode.evt3(part)
            head = struct.pack("<IIIII", seq, 0, 0, 0, scene.height)
            head += struct.pack("<IQQI", scene.width, seq, 0, 4) + b"evt3"
            message = head + struct.pack("<?I", False, len(events)) + events
            writer.write(topic, seq * scene.step_us * 1000, message)


def _cdr(part: Packet, seq: int, scene: Scene) -> bytes:
    """The message as ROS 2 sends it: each number at a multiple of its size."""
    events = encode.evt3(part)
    head = struct.pack("<IIIx3xIIQQ", 0, 0, 1, scene.height, scene.width, seq, 0)
    head += struct.pack("<I5sB2xI", 5, b"evt3\0", False, len(events))
    return b"\0\1\0\0" + head + events


def _db3(path: Path, parts: list[Packet], scene: Scene) -> None:
    folder = path.with_suffix("")
    with rosbag2.Writer(folder, version=8) as writer:
        topic = writer.add_connection("/events", ROS_TYPE, msgdef=ROS_DEFINITION, rihs01="RIHS01_0")
        for seq, part in enumerate(parts):
            writer.write(topic, seq * scene.step_us * 1000, _cdr(part, seq, scene))
    next(folder.glob("*.db3")).rename(path)


def _mcap(path: Path, parts: list[Packet], scene: Scene) -> None:
    with path.open("wb") as file:
        writer = mcap.writer.Writer(file, compression=mcap.writer.CompressionType.ZSTD)
        writer.start("ros2")
        schema = writer.register_schema(ROS_TYPE, "ros2msg", ROS_DEFINITION.encode())
        topic = writer.register_channel("/events", "cdr", schema)
        for seq, part in enumerate(parts):
            at = seq * scene.step_us * 1000
            writer.add_message(topic, at, _cdr(part, seq, scene), at)
        writer.finish()


_SIZE = {"geometry": (D346.width, D346.height)}
OTHERS: dict[str, Other] = {
    "es": Other("es", _es, ("faery",)),
    "aedat3": Other("aedat", _aedat3, ("tonic_aedat3", "evlib")),
    "aedat2": Other("aedat", _aedat2, ("tonic_aedat2", "evlib", "eventcv")),
    "nmnist": Other("bin", _nmnist, ("tonic_nmnist",), D240),
    "npz": Other("npz", _npz, ("numpy_npz",)),
    "rpg": Other("txt", _rpg, ("numpy_rpg", "evlib", "eventcv"), share=TEXT_SHARE, options=_SIZE),
    "csv": Other("csv", _csv, ("numpy_csv", "faery", "eventcv"), share=TEXT_SHARE, options=_SIZE),
    "hdf5-evlib": Other(
        "h5", _evlib, ("h5py", "evlib", "eventcv"), share=HDF5_SHARE, options=_SIZE
    ),
    "hdf5-ecf": Other("h5", _ecf, ("evlib", "eventcv"), share=HDF5_SHARE),
    "bag-evt3": Other("bag", _bag),
    "db3-evt3": Other("db3", _db3),
    "mcap-zstd-evt3": Other("mcap", _mcap),
}
