"""Writes seeds for the fuzz targets: `python -m tests.fuzz.seeds FOLDER`."""

import sys
from pathlib import Path

from tests.camera.fixtures import evt2_words, evt3_words, some_events

from saccade.camera.formats.aedat4_writer import events_payload, info_xml, io_header
from saccade.camera.formats.unpack import pack


def seeds() -> dict[str, list[bytes]]:
    """By target: valid input. Stream decoders take the size of their chunks first."""
    chunk = b"\x40"
    return {
        "evt2": [chunk + evt2_words(200)],
        "evt3": [chunk + evt3_words(200)],
        "aedat4": [
            io_header("lz4", info_xml(346, 260, "lz4", "seed")),
            events_payload(some_events(100)),
        ],
        "lz4": [pack(events_payload(some_events(100)), "lz4")],
    }


def main() -> None:
    for name, contents in seeds().items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, content in enumerate(contents):
            (folder / f"{i}").write_bytes(content)


if __name__ == "__main__":
    main()
