"""Reads recordings with other libraries, to columns or arrays in memory: run by decode.py.

    python rivals.py READER FILE RUNS

prints one JSON object: the events, and the CPU and wall seconds of each run. It imports nothing of
saccade, so that it runs in an environment of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable


def dv(path: str) -> int:
    import dv_processing as dv_library

    reader = dv_library.io.MonoCameraRecording(path)
    n = 0
    while reader.isRunning():
        events = reader.getNextEventBatch()
        if events is not None and events.size() > 0:
            n += len(events.numpy())
    return n


def faery(path: str) -> int:
    import faery as library

    return sum(len(packet) for packet in library.events_stream_from_file(path))


def expelliarmus(path: str) -> int:
    from expelliarmus import Wizard

    encoding = "dat" if path.endswith(".dat") else path.rsplit(".", 2)[-2]
    wizard = Wizard(encoding=encoding, chunk_size=65_536)
    wizard.set_file(path)
    return sum(len(chunk) for chunk in wizard.read_chunk())


def aedat(path: str) -> int:
    import aedat as library

    return sum(len(p["events"]) for p in library.Decoder(path) if "events" in p)


READERS: dict[str, Callable[[str], int]] = {
    "dv-processing": dv,
    "faery": faery,
    "expelliarmus": expelliarmus,
    "aedat": aedat,
}


def main() -> None:
    read, path, runs = READERS[sys.argv[1]], sys.argv[2], int(sys.argv[3])
    events, cpu, wall = read(path), [], []
    for _ in range(runs):
        begun = time.process_time(), time.perf_counter()
        read(path)
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
    print(json.dumps({"events": events, "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main()
