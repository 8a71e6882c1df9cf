"""Reads recordings with other libraries, to columns or arrays in memory: run by decode.py.

    python rivals.py READER FILE SECONDS

prints one JSON object: the events, and the CPU and wall seconds of each pass, of which there are
one that is not timed, one that is, and others until these have taken SECONDS. It imports nothing of
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


def evlib(path: str) -> int:
    import evlib as library

    return len(library.load_events(path, sort=False).collect())


def eventcv(path: str) -> int:
    import eventcv as library

    seconds = path.endswith("txt")
    order = {"order": "txyp"} if path.endswith(("txt", "csv")) else {}
    return len(library.load(path, time_unit="s" if seconds else "us", **order).numpy())


def tonic_aedat2(path: str) -> int:
    from tonic.io import read_davis_346

    return len(read_davis_346(path)[2])


def tonic_aedat3(path: str) -> int:
    # As its read_dvs_ibm, which fails: it takes two of the header's three values.
    from tonic import io

    version, start, _ = io.read_aedat_header_from_file(path)
    words = io.get_aer_events_from_file(path, version, start)
    address, t = words["address"], words["timeStamp"]
    x, y, p = address >> 17 & 0x1FFF, address >> 2 & 0x1FFF, address >> 1 & 1
    return len(io.make_structured_array(x, y, t, p))


def tonic_nmnist(path: str) -> int:
    from tonic.io import events_struct, read_mnist_file

    return len(read_mnist_file(path, events_struct))


def numpy_npz(path: str) -> int:
    import numpy

    with numpy.load(path) as file:
        columns = [file[name] for name in "txyp"]
    return len(columns[0])


def numpy_rpg(path: str) -> int:
    import numpy

    return len(numpy.loadtxt(path))


def numpy_csv(path: str) -> int:
    import numpy

    return len(numpy.loadtxt(path, numpy.int64, delimiter=",", skiprows=1))


def h5py(path: str) -> int:
    import h5py as library

    with library.File(path) as file:
        columns = [file[f"events/{name}"][:] for name in ("ts", "xs", "ys", "ps")]
    return len(columns[0])


READERS: dict[str, Callable[[str], int]] = {
    "dv-processing": dv,
    "faery": faery,
    "expelliarmus": expelliarmus,
    "aedat": aedat,
    "evlib": evlib,
    "eventcv": eventcv,
    "tonic_aedat2": tonic_aedat2,
    "tonic_aedat3": tonic_aedat3,
    "tonic_nmnist": tonic_nmnist,
    "numpy_npz": numpy_npz,
    "numpy_rpg": numpy_rpg,
    "numpy_csv": numpy_csv,
    "h5py": h5py,
}


def main() -> None:
    read, path, seconds = READERS[sys.argv[1]], sys.argv[2], float(sys.argv[3])
    events, cpu, wall = read(path), [], []
    while not wall or sum(wall) < seconds:
        begun = time.process_time(), time.perf_counter()
        read(path)
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
    print(json.dumps({"events": events, "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main()
