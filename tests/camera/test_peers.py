"""Other readers of the field read what we write, with the same events: the check on our writers.

Each in a process of its own: a peer may hang or crash, and its warnings are its own.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.camera.fixtures import HEIGHT, WIDTH
from tests.camera.test_writers import rows

from saccade.camera.events import Packet
from saccade.camera.writers import open_writer

_DV = """
import dv_processing as dv
reader = dv.io.MonoCameraRecording(sys.argv[1])
assert tuple(reader.getEventResolution()) == (int(sys.argv[2]), int(sys.argv[3]))
while (batch := reader.getNextEventBatch()) is not None:
    x, y = batch.coordinates().T
    for name, column in zip("txyp", (batch.timestamps(), x, y, batch.polarities())):
        columns[name].append(np.asarray(column))
"""
_FAERY = """
import faery
stream = faery.events_stream_from_file(sys.argv[1])
assert tuple(stream.dimensions()) == (int(sys.argv[2]), int(sys.argv[3]))
for batch in stream:
    for name, field in zip("txyp", ("t", "x", "y", "on")):
        columns[name].append(batch[field])
"""
_EXPELLIARMUS = """
import pathlib
from expelliarmus import Wizard
batch = Wizard(encoding=sys.argv[4]).read(pathlib.Path(sys.argv[1]))
for name in "txyp":
    columns[name].append(batch[name])
"""
_START = "import json, sys; import numpy as np; columns = {name: [] for name in 'txyp'}\n"
_END = """
columns = {name: np.concatenate(parts).astype(int).tolist() for name, parts in columns.items()}
print("@" + json.dumps(columns))
"""
PEERS = {
    "dv_processing": (_DV, [("aedat4", c) for c in ("none", "lz4", "zstd")]),
    "faery": (_FAERY, [*(("aedat4", c) for c in ("none", "lz4", "zstd")), ("evt3", None),
                       ("evt2", None)]),
    "expelliarmus": (_EXPELLIARMUS, [("evt3", None), ("evt2", None)]),
}  # fmt: skip
CASES = [(name, *case) for name, (_, cases) in PEERS.items() for case in cases]


def read_by(peer: str, path: Path, kind: str) -> dict[str, list[int]]:
    if importlib.util.find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed: pip install -e '.[peers]'")
    done = subprocess.run(
        [sys.executable, "-c", _START + PEERS[peer][0] + _END, path, str(WIDTH), str(HEIGHT), kind],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.rindex("@") + 1 :])


def some_minutes() -> Packet:
    """Rows of neighbours with a pause of a minute, over several rounds of the 24-bit clock."""
    events = rows(6000, 5)
    t = events.t.copy()
    t[2000:] += np.uint64(3_000_000)
    t[4000:] += np.uint64(60_000_000)
    return Packet(t, events.x, events.y, events.on)


@pytest.mark.parametrize(("peer", "kind", "compression"), CASES)
def test_a_peer_reads_what_we_write(tmp_path: Path, peer: str, kind: str, compression) -> None:
    events = some_minutes()
    path = tmp_path / ("a.aedat4" if kind == "aedat4" else "a.raw")
    with open_writer(path, WIDTH, HEIGHT, kind, compression) as writer:
        for start in range(0, len(events), 1000):
            writer.write(events[start : start + 1000])
    found = read_by(peer, path, kind)
    n = len(events)
    if (peer, kind) == ("expelliarmus", "evt3"):  # its times are late once TIME_LOW has fallen
        n = int(np.searchsorted(events.t, 2 << 12))
        assert n > 1000
    assert found["t"][:n] == events.t[:n].tolist()
    assert (found["x"], found["y"]) == (events.x.tolist(), events.y.tolist())
    assert found["p"] == events.on.astype(int).tolist()
