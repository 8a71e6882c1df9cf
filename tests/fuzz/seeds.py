"""Writes seeds for the fuzz targets: `python -m tests.fuzz.seeds FOLDER`."""

import sys
from pathlib import Path

from tests.camera.fixtures import evt2_words, evt3_words, some_events

from saccade.camera.formats.aedat4_writer import events_payload, info_xml, io_header


def seeds() -> dict[str, list[bytes]]:
    """By target: valid input. Stream decoders take the size of their chunks first."""
    chunk = b"\x40"
    return {
        "evt2": [chunk + evt2_words(200)],
        "evt3": [chunk + evt3_words(200)],
        "text_rpg": [chunk + b"# rpg\n0.003811000 96 133 0\n0.003820001 17 209 1\n"],
        "text_xypt": [chunk + b"96,133,0,3811\r\n17,209,1,3820\n"],
        "aedat4": [
            io_header("lz4", info_xml(346, 260, "lz4", "seed")),
            events_payload(some_events(100)),
        ],
    }


def main() -> None:
    for name, contents in seeds().items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, content in enumerate(contents):
            (folder / f"{i}").write_bytes(content)


if __name__ == "__main__":
    main()
