"""The C++ subscriber, compiled and run against a publisher; skips without a compiler or libzmq."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq
from tests.stream.wire_keys import KeyRing

from saccade.stream.publisher import Publisher
from saccade.stream.wire import EmbeddingHeader, LabelHeader, StatusHeader, encode, new_run_id

SOURCE = Path(__file__).parents[2] / "examples" / "subscriber.cpp"
LOCAL = "zmq://127.0.0.1:0"
WARNINGS = ["-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        pytest.skip("no C++ compiler")
    include = "#include <zmq.h>\nint main() {}\n"
    tried = subprocess.run(
        [compiler, "-x", "c++", "-", "-lzmq", "-o", "/dev/null"],
        input=include, text=True, capture_output=True, check=False,
    )  # fmt: skip
    if tried.returncode:
        pytest.skip("no libzmq to compile with: apt-get install libzmq3-dev")
    out = tmp_path_factory.mktemp("cpp") / "subscriber"
    subprocess.run([compiler, "-std=c++17", *WARNINGS, str(SOURCE), "-lzmq", "-o", out], check=True)
    return out


def start(binary: Path, *arguments: object) -> subprocess.Popen[str]:
    words = [str(word).replace("zmq:", "tcp:") for word in arguments]
    return subprocess.Popen(
        [binary, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(params=["plain", "keys"])
def connected(
    request: pytest.FixtureRequest, binary: Path, tmp_path: Path
) -> Iterator[tuple[Publisher, subprocess.Popen[str]]]:
    ring = KeyRing(tmp_path) if request.param == "keys" else None
    with Publisher(LOCAL, keys=ring and ring.server) as publisher:
        keys = [ring.robot.public, tmp_path / "laptop.key"] if ring else []
        process = start(binary, publisher.address, *keys)
        assert publisher.wait_for_subscriber(10)
        yield publisher, process
        process.kill()
        process.communicate()


def test_it_prints_labels_until_the_end(
    connected: tuple[Publisher, subprocess.Popen[str]],
) -> None:
    publisher, process = connected
    long = [f"label {n} {'é' * n}" for n in range(70)]  # of every length that msgpack tells apart
    publisher.publish_embedding(EmbeddingHeader(), np.zeros(4))
    for names, n_events in ((["mug"], 70_000), ([], 70_000), (long, 70_000), (["mug"], 0)):
        publisher.publish_label(
            LabelHeader(
                labels=names,
                scores=[0.25] * len(names),
                t_begin_us=-5,
                t_end_us=1 << 40,
                n_events=n_events,
                width=300,
                clock_offset_ns=-(1 << 50),
                stage_us={"encode": 1.5},
            )
        )
    publisher.close()
    out, err = process.communicate(timeout=10)
    line = "label/cam/ 1099511627776 us: {} 0.250\n"
    expected = line.format("mug") + line.format("label 0 ")
    assert (out, err) == (expected + "label/cam/ 1099511627776 us: no events 0.000\n", "")
    assert process.returncode == 0


def test_garbage_is_a_line_each(binary: Path) -> None:
    context, rng = zmq.Context(), np.random.default_rng(0)
    rogue = context.socket(zmq.XPUB)
    port = rogue.bind_to_random_port("tcp://127.0.0.1")
    process = start(binary, f"zmq://127.0.0.1:{port}")
    assert rogue.poll(10_000)
    header = LabelHeader(stream="cam", run=new_run_id(), labels=["cup"], scores=[1.0], n_events=1)
    good = encode(header)
    ended = encode(StatusHeader(stream="cam", run=new_run_id(), state="ended"))
    bad = [
        *(good[1][:n] for n in range(len(good[1]))),
        b"\x91" * 1000,
        b"\xdd\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xffx",
        b"\xc1",
        bytes(70_000),
        msgspec.msgpack.encode({"type": "label", "labels": ["x"], "n_events": 1}),
    ]
    for payload in bad:
        rogue.send_multipart([good[0], payload])
    for _ in range(500):
        rogue.send_multipart([good[0], rng.bytes(int(rng.integers(0, 300)))])
    rogue.send_multipart(good)
    rogue.send_multipart(ended)
    out, err = process.communicate(timeout=20)
    context.destroy(linger=0)
    assert out.endswith("label/cam/ 0 us: cup 1.000\n")
    assert process.returncode == 0
    assert len(err.splitlines()) >= len(bad)


def test_without_an_address_it_says_so(binary: Path, tmp_path: Path) -> None:
    process = start(binary)
    assert process.communicate(timeout=10)[0] == "usage: see the file\n"
    assert process.returncode == 2
