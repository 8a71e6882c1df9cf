"""The publisher: what it sends, whom it answers, and what cannot hurt it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from saccade.camera.errors import SaccadeError
from saccade.stream.publisher import Publisher
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import (
    EmbeddingHeader,
    LabelHeader,
    StatusHeader,
    VocabularyHeader,
    WireError,
    decode,
)

LOCAL = "zmq://127.0.0.1:0"
LABEL = LabelHeader(labels=["mug"], scores=[0.5])
READER = """
import sys
from saccade.stream.subscriber import Subscriber
with Subscriber(sys.argv[1], timeout_s=10, until_end=True) as subscriber:
    count = sum(1 for _ in subscriber)
    print(count, subscriber.gaps, subscriber.ended)
"""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(LOCAL, linger_ms=200) as opened:
        yield opened


@pytest.fixture
def plain_sub() -> Iterator[Callable[..., zmq.Socket[bytes]]]:
    """Opens plain pyzmq subscribers, as somebody without this package has them."""
    context = zmq.Context()
    opened: list[zmq.Socket[bytes]] = []  # pyzmq warns of a socket that is collected open

    def connect(address: str, topic: bytes, **options: int) -> zmq.Socket[bytes]:
        opened.append(sub := context.socket(zmq.SUB))
        sub.setsockopt(zmq.RCVTIMEO, 3000)
        for name, value in options.items():
            sub.setsockopt(getattr(zmq, name), value)
        sub.setsockopt(zmq.SUBSCRIBE, topic)
        sub.connect(address.replace("zmq:", "tcp:"))
        return sub

    yield connect
    for sub in opened:
        sub.close(0)
    context.term()


def test_the_publisher_stamps_what_it_sends(publisher: Publisher) -> None:
    with Subscriber(publisher.address, ("label/", "embedding/"), timeout_s=3) as subscriber:
        assert publisher.wait_for_subscriber(3)
        before = time.monotonic_ns()
        assert publisher.publish_label(LABEL) == 0
        assert publisher.publish_label(LABEL) == 1
        vectors = np.arange(6, dtype=np.float64).reshape(2, 3)
        assert publisher.publish_embedding(EmbeddingHeader(space="clip"), vectors) == 0
        first, second, third = (subscriber.receive() for _ in range(3))
    assert first and second and third
    assert (first.topic, first.header.stream, first.header.run) == (
        "label/cam/",
        "cam",
        publisher.run,
    )
    assert (first.header.seq, second.header.seq, third.header.seq) == (0, 1, 0)
    assert before <= first.header.published_ns <= time.monotonic_ns()
    assert first.header.labels == ["mug"]
    assert third.blobs["embedding"].dtype == np.dtype("<f4")
    np.testing.assert_array_equal(third.blobs["embedding"], vectors)


def test_a_late_subscriber_gets_the_last_values(
    publisher: Publisher, plain_sub: Callable[..., zmq.Socket[bytes]]
) -> None:
    publisher.publish_vocabulary(VocabularyHeader(rev=3, labels=["mug", "cup"]))
    for _ in range(4):
        publisher.publish_label(LABEL)
    time.sleep(0.1)
    found = {}
    for topic in (b"vocabulary/", b"latest/label/", b"status/"):
        message = decode(plain_sub(publisher.address, topic).recv_multipart())
        found[message.topic] = message.header
    assert found["vocabulary/cam/"].labels == ["mug", "cup"]
    assert found["latest/label/cam/"].seq == 3
    assert found["status/cam/"].state == "running"


def test_conflate_keeps_a_whole_message(
    publisher: Publisher, plain_sub: Callable[..., zmq.Socket[bytes]]
) -> None:
    mailbox = plain_sub(publisher.address, b"latest/label/cam/", CONFLATE=1)
    assert publisher.wait_for_subscriber(3)
    for _ in range(50):
        publisher.publish_label(LABEL)
    time.sleep(0.2)
    message = decode([mailbox.recv()])
    assert message.header.seq == 49
    assert message.header.labels == ["mug"]


def test_status_is_a_heartbeat_and_ends(plain_sub: Callable[..., zmq.Socket[bytes]]) -> None:
    calls = iter(range(100))
    publisher = Publisher(LOCAL, status=lambda: StatusHeader(slices=next(calls), state="running"))
    sub = plain_sub(publisher.address, b"status/")
    seen = [decode(sub.recv_multipart()).header]
    while seen[-1].seq < 1:
        seen.append(decode(sub.recv_multipart()).header)
    publisher.close()
    publisher.close()
    last = decode(sub.recv_multipart()).header
    assert 0.8e9 < seen[-1].published_ns - seen[0].published_ns < 3e9
    assert (last.state, last.seq, last.slices) == ("ended", 2, 2)


def test_a_faulty_status_does_not_stop_the_heartbeat(
    caplog: pytest.LogCaptureFixture, plain_sub: Callable[..., zmq.Socket[bytes]]
) -> None:
    def fault() -> StatusHeader:
        raise RuntimeError("no camera")

    with Publisher(LOCAL, status=fault) as publisher:
        status = decode(plain_sub(publisher.address, b"status/").recv_multipart()).header
    assert status.state == "running"
    assert [record.getMessage() for record in caplog.records] == [
        "no status of cam: RuntimeError: no camera"
    ]


def test_a_status_counts_the_labels_that_were_sent(
    plain_sub: Callable[..., zmq.Socket[bytes]],
) -> None:
    with Publisher(LOCAL, status=lambda: StatusHeader(labels=99, slices=7)) as publisher:
        sub = plain_sub(publisher.address, b"status/")
        assert decode(sub.recv_multipart()).header.labels == 0
        for _ in range(3):
            publisher.publish_label(LABEL)
        publisher.publish_embedding(EmbeddingHeader(), np.zeros(2))
    while (last := decode(sub.recv_multipart()).header).state != "ended":
        pass
    assert (last.labels, last.slices) == (3, 7)


def test_closing_in_the_status_callback_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []
    opened: list[Publisher] = []

    def close() -> StatusHeader:
        calls.append(threading.current_thread().name)
        opened[0].close()
        return StatusHeader()

    opened.append(Publisher(LOCAL))
    opened[0].status = close
    deadline = time.monotonic() + 5
    while not opened[0]._closed and time.monotonic() < deadline:
        time.sleep(0.01)
    opened[0].close()
    opened[0]._thread.join(5)
    assert not opened[0]._thread.is_alive()
    assert calls == ["saccade-publisher"] * 2  # the heartbeat's, and the last status
    assert caplog.records == []


def test_waiting_for_subscribers(publisher: Publisher) -> None:
    assert not publisher.wait_for_subscriber(0.05)
    with Subscriber(publisher.address, ("status/", "label/other/")):
        assert not publisher.wait_for_subscriber(0.2)
    with Subscriber(publisher.address), Subscriber(publisher.address, ("latest/label/cam/",)):
        assert publisher.wait_for_subscriber(3, count=2)
        assert not publisher.wait_for_subscriber(0.05, count=3)
    deadline = time.monotonic() + 3
    while publisher.subscribers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert publisher.subscribers == 0


def test_closing_ends_a_wait() -> None:
    publisher = Publisher(LOCAL)
    closer = threading.Timer(0.1, publisher.close)
    closer.start()
    assert not publisher.wait_for_subscriber(10)
    closer.join()
    with pytest.raises(SaccadeError, match="closed"):
        publisher.publish_label(LABEL)


def test_a_port_in_use_is_one_line(publisher: Publisher) -> None:
    with pytest.raises(SaccadeError, match="already in use; stop the other publisher") as caught:
        Publisher(publisher.address)
    assert "\n" not in str(caught.value)


def test_ipc_takes_no_file_and_no_live_socket(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(SaccadeError, match="a file is there"):
        Publisher(f"ipc://{notes}")
    assert notes.read_text() == "mine"
    with pytest.raises(SaccadeError, match="make it first"):
        Publisher(f"ipc://{tmp_path}/none/s")
    address = f"ipc://{tmp_path}/s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(f"{tmp_path}/s")
    with Publisher(address) as publisher, Subscriber(address, timeout_s=3) as subscriber:
        with pytest.raises(SaccadeError, match="already in use"):
            Publisher(address)
        assert publisher.wait_for_subscriber(3)
        publisher.publish_label(LABEL)
        assert subscriber.receive() is not None


@pytest.mark.parametrize("address", ["zmq://0.0.0.0:5556", "zmq://*:5556", "zmq://10.0.0.1:5556"])
def test_no_bind_off_loopback(address: str) -> None:
    with pytest.raises(SaccadeError, match="other machines"):
        Publisher(address)


@pytest.mark.parametrize("stream", ["", "a/b", "cam 1", "x" * 65, "cam\n"])
def test_bad_stream_names(stream: str) -> None:
    with pytest.raises(SaccadeError, match="stream"):
        Publisher(LOCAL, stream)


def test_a_refused_message_takes_no_number(publisher: Publisher) -> None:
    with pytest.raises(WireError):
        publisher.publish_label(LabelHeader(labels=["a"], scores=[]))
    assert publisher.publish_label(LABEL) == 0


def test_random_bytes_to_the_port_change_nothing(publisher: Publisher) -> None:
    port = int(publisher.address.rsplit(":", 1)[1])
    rng = np.random.default_rng(0)
    greeting = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + bytes(48)
    for prefix in (b"", greeting, greeting + b"\4\x19\5READY\x0bSocket-Type\0\0\0\3SUB"):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(prefix + rng.bytes(int(rng.integers(1, 4000))))
    with Subscriber(publisher.address) as subscriber:
        # To libzmq a stranger may pass for a ZMTP 1 subscriber: counting does not tell that ours
        # is there.
        tries = 0
        while subscriber.receive(0.05) is None and tries < 100:
            publisher.publish_label(LABEL)
            tries += 1
    assert 0 < tries < 100


def reader(address: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", READER, address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_receive_every_message() -> None:
    publisher = Publisher(LOCAL)
    readers = [reader(publisher.address) for _ in range(2)]
    assert publisher.wait_for_subscriber(10, count=2)
    for number in range(2000):
        publisher.publish_label(LABEL)
        if number % 100 == 99:
            time.sleep(0.01)
    publisher.close()
    assert [each.communicate(timeout=10)[0] for each in readers] == ["2000 0 True\n"] * 2


def test_a_stopped_subscriber_blocks_nobody() -> None:
    publisher = Publisher(LOCAL, linger_ms=300)
    stopped = reader(publisher.address)
    try:
        assert publisher.wait_for_subscriber(10)
        with Subscriber(publisher.address, timeout_s=3, until_end=True) as healthy:
            assert publisher.wait_for_subscriber(10, count=2)
            os.kill(stopped.pid, signal.SIGSTOP)
            wide = LabelHeader(labels=["x" * 4000] * 10, scores=[0.0] * 10)
            slowest = publish_slowly(publisher, wide, 1500)
            started = time.monotonic()
            publisher.close()
            assert time.monotonic() - started < 2
            assert sum(1 for _ in healthy) == 1500
        assert slowest < 0.5
    finally:
        stopped.kill()
        stopped.communicate()


def publish_slowly(publisher: Publisher, header: LabelHeader, count: int) -> float:
    """The longest that one publish took, s."""
    slowest = 0.0
    for number in range(count):
        started = time.monotonic()
        publisher.publish_label(header)
        slowest = max(slowest, time.monotonic() - started)
        if number % 20 == 0:
            time.sleep(0.01)
    return slowest


def test_a_forked_child_is_told(publisher: Publisher) -> None:
    publisher._pid += 1  # as a child finds it, without forking a process that has threads
    with pytest.raises(SaccadeError, match="before a fork"):
        publisher.publish_label(LABEL)
    publisher.close()
    publisher._pid -= 1
    assert publisher.publish_label(LABEL) == 0
