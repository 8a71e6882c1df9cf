"""What subscribers cost the publisher: many of them, of which one is stopped and one is killed.

`python -m benchmarks.subscribers [--readers 50] [--seconds 30] [--rate 100]` publishes a label and
an embedding of 512 floats at a time and writes `benchmarks/records/subscribers.json`: how long one
`publish_label` took by the clock and of its thread's processor time (where other work shares the
cores, the clock has that too), what the readers got, and the publisher's memory. Each is measured
without keys and with them. The readers that are well share one process, as cores are few.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from benchmarks.common import ROOT, write_record
from saccade.stream.keys import ClientKeys, ServerKeys, make_key, read_key
from saccade.stream.publisher import Publisher
from saccade.stream.wire import EmbeddingHeader, LabelHeader

LABEL = LabelHeader(
    labels=["cup", "chair", "face", "motorbike", "umbrella"], scores=[0.2] * 5, model="saccade-mini"
)


def measure(readers: int, messages: int, rate: float, keys: Path | None = None) -> dict[str, Any]:
    """One load: `readers` subscribers, of which one is stopped at the start and one is killed.

    Args:
        messages: labels, and as many embeddings, at `rate` a second.
        keys: a folder for keys to be made in; None for none.
    """
    own = None if keys is None else _make_keys(keys)
    with Publisher("zmq://127.0.0.1:0", keys=own) as publisher:
        healthy, stopped, killed = (
            _start(publisher.address, count, keys) for count in (readers - 2, 1, 1)
        )
        try:
            assert publisher.wait_for_subscriber(60, readers)
            os.kill(stopped.pid, signal.SIGSTOP)
            before = _memory_kb()
            times_ms, cpu_ms = _publish(publisher, messages, rate, killed)
            after = _memory_kb()
            publisher.close()
            out, _ = healthy.communicate(timeout=60)
        finally:
            for process in (healthy, stopped, killed):
                process.kill()
                process.communicate()
    got = [int(word) for word in out.split()]
    return {
        "readers": readers,
        "messages": 2 * messages,
        "rate": rate,
        "p50_ms": round(statistics.median(times_ms), 4),
        "p99_ms": round(float(np.percentile(times_ms, 99)), 4),
        "max_ms": round(max(times_ms), 4),
        "p99_cpu_ms": round(float(np.percentile(cpu_ms, 99)), 4),
        "received_least": min(got),
        "received_most": max(got),
        "memory_grew_kb": after - before,
    }


def _publish(
    publisher: Publisher, messages: int, rate: float, killed: subprocess.Popen[str]
) -> tuple[list[float], list[float]]:
    """What each label took, ms by the clock and ms of this thread's processor time."""
    times_ms, cpu_ms = list[float](), list[float]()
    embedding = np.zeros((1, 512), np.float32)
    due = time.monotonic()
    for number in range(messages):
        if number == messages // 2:
            killed.kill()
        begun, cpu = time.perf_counter(), time.thread_time()
        publisher.publish_label(LABEL)
        cpu_ms.append((time.thread_time() - cpu) * 1000)
        times_ms.append((time.perf_counter() - begun) * 1000)
        publisher.publish_embedding(EmbeddingHeader(), embedding)
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))
    return times_ms, cpu_ms


def read(address: str, count: int, keys: Path | None) -> None:
    """Reads with `count` plain sockets until the end; prints how many messages each has got."""
    context = zmq.Context()
    poller, got = zmq.Poller(), dict[Any, int]()
    for _ in range(count):
        socket = context.socket(zmq.SUB)
        if keys is not None:
            own = ClientKeys(read_key(keys / "reader"), read_key(keys / "publisher").public)
            socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = (
                key.encode() for key in (own.own.public, own.own.secret, own.server)
            )
        for topic in (b"label/", b"embedding/", b"status/"):
            socket.subscribe(topic)
        socket.connect(address.replace("zmq:", "tcp:"))
        poller.register(socket, zmq.POLLIN)
        got[socket] = 0
    going = set(got)
    while going:
        for socket, _ in poller.poll():
            parts = socket.recv_multipart()
            got[socket] += not parts[0].startswith(b"status/")
            if b"\xa5ended" in parts[1]:
                going.discard(socket)
    print(*got.values(), flush=True)
    context.destroy(linger=0)


def _start(address: str, count: int, keys: Path | None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.subscribers", "--read", address]
    command += ["--readers", str(count), *(["--keys", str(keys)] if keys else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _make_keys(folder: Path) -> ServerKeys:
    reader = make_key(folder / "reader")
    return ServerKeys(make_key(folder / "publisher"), frozenset([reader.public]))


def _memory_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="labels a second")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    parser.add_argument("--keys", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(options.read, options.readers, options.keys)
        return
    loads: dict[str, Any] = {}
    messages = int(options.seconds * options.rate)
    for name in ("plain", "keys"):
        with tempfile.TemporaryDirectory() as folder:
            keys = Path(folder) if name == "keys" else None
            loads[name] = measure(options.readers, messages, options.rate, keys)
        print(name, loads[name], flush=True)
    write_record("subscribers", {"load_average": os.getloadavg()[0], "loads": loads})


if __name__ == "__main__":
    main()
