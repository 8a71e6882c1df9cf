"""Writes seeds for the fuzz targets: `python -m tests.fuzz.seeds FOLDER`."""

import struct
import sys
from pathlib import Path

from benchmarks import encode
from tests.camera.fixtures import evt2_words, evt3_words, some_events
from tests.reference import aedat3, ecf

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import events_payload, info_xml, io_header
from saccade.camera.formats.unpack import pack

ECF_STYLES = ("masked", "x_packed", "all_packed")


def seeds() -> dict[str, list[bytes]]:
    """By target: valid input. Stream decoders take the size of their chunks first."""
    chunk, events = b"\x40", some_events(100)
    payload = events_payload(events)
    return {
        "evt2": [chunk + evt2_words(200)],
        "evt3": [chunk + evt3_words(200)],
        "dat2": [chunk + encode.dat(events)],
        "ecf": [ecf.encode(_tuples(events), style) for style in ECF_STYLES],
        "evt21": [chunk + encode.evt21(events)],
        "evt21_legacy": [chunk + encode.evt21(events, legacy=True)],
        "aedat3": [chunk + aedat3_packets()],
        "text_rpg": [chunk + b"# rpg\n0.003811000 96 133 0\n0.003820001 17 209 1\n"],
        "text_xypt": [chunk + b"96,133,0,3811\r\n17,209,1,3820\n"],
        "aedat4": [
            io_header("lz4", info_xml(346, 260, "lz4", "seed")),
            payload,
            b"".join(aedat4_packet(data) for data in (payload, payload)),
            b"".join(aedat4_packet(pack(data, "lz4")) for data in (payload, payload)),
        ],
        "lz4": [pack(events_payload(some_events(100)), "lz4")],
    }


def aedat4_packet(payload: bytes) -> bytes:
    return struct.pack("<ii", 0, len(payload)) + payload


def _tuples(events: Packet) -> list[tuple[int, int, int, bool]]:
    columns = (events.t, events.x, events.y, events.on)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def aedat3_packets() -> bytes:
    """Polarity events around a packet of each other kind."""
    events = [(100 * i, i, i, i % 2 == 0, i % 7 != 0) for i in range(150)]
    others = aedat3.packet(aedat3.SPECIAL, 8, bytes(16)) + aedat3.packet(aedat3.IMU6, 36, bytes(36))
    frame = aedat3.packet(0x8000 + aedat3.FRAME, 100, bytes(50), capacity=50, n=1)
    return aedat3.polarity(events, 0) + others + frame + aedat3.polarity(events, 0)


def main() -> None:
    for name, contents in seeds().items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, content in enumerate(contents):
            (folder / f"{i}").write_bytes(content)


if __name__ == "__main__":
    main()
