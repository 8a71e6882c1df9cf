"""The broker: what publishers send comes through, also to who is late, and each stream is one's."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zmq
from tests.commands import command, refused
from tests.stream.wire_keys import KeyRing

from saccade.camera.errors import SaccadeError
from saccade.stream import broker as module
from saccade.stream.broker import Broker
from saccade.stream.keys import ClientKeys, ServerKeys
from saccade.stream.publisher import Publisher
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import (
    EmbeddingHeader,
    LabelHeader,
    Message,
    StatusHeader,
    VocabularyHeader,
    WireError,
    encode,
    new_run_id,
    split_topic,
)

LOCAL = "zmq://127.0.0.1:0"


class Turning:
    """A broker on a thread."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.warnings, self._stop = broker, list[str](), threading.Event()
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while not self._stop.is_set():
            self.warnings += self.broker.turn()

    def warned(self, count: int = 1) -> list[str]:
        until = time.monotonic() + 5
        while len(self.warnings) < count and time.monotonic() < until:
            time.sleep(0.01)
        return self.warnings

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self.broker.close()


@contextlib.contextmanager
def broker_of(
    *addresses: str, keys: ServerKeys | None = None, own: ClientKeys | None = None
) -> Iterator[Turning]:
    turning = Turning(Broker([(address, own) for address in addresses], LOCAL, keys))
    try:
        yield turning
    finally:
        turning.end()


def label(publisher: Publisher, word: str) -> None:
    publisher.publish_label(LabelHeader(labels=[word], scores=[0.5]))


def gather(subscriber: Subscriber, wanted: set[str]) -> dict[str, Message]:
    """The last message of each topic, once all that are wanted came."""
    found: dict[str, Message] = {}
    while not wanted <= set(found):
        message = subscriber.receive(5)
        assert message is not None, f"only {sorted(found)}"
        found[message.topic] = message
    return found


def test_two_publishers_and_a_late_subscriber() -> None:
    left, right = Publisher(LOCAL, "left"), Publisher(LOCAL, "right")
    with left, right, broker_of(left.address, right.address) as joined:
        assert left.wait_for_subscriber(5) and right.wait_for_subscriber(5)
        with Subscriber(joined.broker.address, ("label/", "embedding/"), "mailbox") as early:
            _heard(early, left, right)
            for publisher in (left, right):
                publisher.publish_vocabulary(VocabularyHeader(labels=["cup", publisher.stream]))
                label(publisher, publisher.stream)
                publisher.publish_embedding(EmbeddingHeader(), np.arange(4.0))
            found = gather(early, {f"{k}/{s}/" for k in ("label", "embedding") for s in _STREAMS})
            assert early.gaps == early.malformed == 0
        np.testing.assert_array_equal(found["embedding/left/"].blobs["embedding"], range(4))
        assert found["label/right/"].header.run == right.run
        with Subscriber(joined.broker.address, ("",)) as late:
            kinds = ("status", "vocabulary", "latest/label")
            found = gather(late, {f"{kind}/{stream}/" for kind in kinds for stream in _STREAMS})
        assert found["vocabulary/right/"].header.labels == ["cup", "right"]
        assert found["latest/label/left/"].header.labels == ["left"]
        assert joined.broker.streams == {"left": left.address, "right": right.address}
        assert joined.warnings == []


_STREAMS = ("left", "right")


def _heard(subscriber: Subscriber, *publishers: Publisher) -> None:
    """Waits until the subscriber gets what they send."""
    missing = {publisher.stream: publisher for publisher in publishers}
    until = time.monotonic() + 10
    while missing and time.monotonic() < until:
        for publisher in missing.values():
            label(publisher, "hello")
        if (message := subscriber.receive(0.05)) is not None:
            missing.pop(message.header.stream, None)
    assert not missing


def test_the_end_of_a_publisher_is_kept_and_it_may_come_back() -> None:
    with Publisher(LOCAL) as first:
        address = first.address
        with broker_of(address) as joined:
            assert first.wait_for_subscriber(5)
            first.close()
            with Subscriber(joined.broker.address, timeout_s=5, until_end=True) as late:
                assert list(late) == []
                assert late.ended
            with Publisher(address) as second, Subscriber(joined.broker.address) as subscriber:
                _heard(subscriber, second)


def test_a_stream_belongs_to_one_publisher_until_it_is_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SILENCE_S", 1.5)
    with (
        Publisher(LOCAL) as one,
        Publisher(LOCAL) as two,
        broker_of(one.address, two.address) as joined,
    ):
        assert one.wait_for_subscriber(5) and two.wait_for_subscriber(5)
        warning = joined.warned()[0]
        assert "give each its own (saccade run --stream NAME)" in warning
        assert "\n" not in warning
        owner = joined.broker.streams["cam"]
        first, second = (one, two) if owner == one.address else (two, one)
        with Subscriber(joined.broker.address, mode="mailbox") as subscriber:
            _heard(subscriber, first)
            label(second, "not this")
            assert joined.broker.doubled > 0
            first.close()
            _heard(subscriber, second)
        assert joined.broker.streams == {"cam": second.address}
        assert len(joined.warnings) == 1


def test_garbage_is_not_passed_on() -> None:
    context = zmq.Context()
    rogue = context.socket(zmq.XPUB)
    port = rogue.bind_to_random_port("tcp://127.0.0.1")
    run, rng = new_run_id(), np.random.default_rng(0)
    good = encode(StatusHeader(stream="cam", run=run))
    future = [b"stats/cam/", msgspec.msgpack.encode({"v": 1})]  # a kind that is not known yet
    bad = [
        [b""],
        [good[0]],
        [b"latest/" + good[0], good[1]],
        [b"label/" + b"x" * 65 + b"/", good[1]],
        [good[0], bytes(1 << 17)],
        [*good, *[b""] * 17],
        *([rng.bytes(int(rng.integers(0, 400)))] for _ in range(200)),
    ]
    with broker_of(f"zmq://127.0.0.1:{port}") as joined:
        assert rogue.poll(5000)
        for parts in [*bad, good, future]:
            rogue.send_multipart(parts)
        with Subscriber(joined.broker.address, ("status/",), timeout_s=5) as subscriber:
            message = subscriber.receive()
            assert message is not None
            assert message.header.run == run
        assert joined.broker.malformed == len(bad)
        assert joined.broker.passed == 2
    context.destroy(linger=0)


@pytest.mark.parametrize("parts", [[b"label/cam"], [b"label/cam/"], [b"Label/cam/", b""], [b"\0"]])
def test_no_topic(parts: list[bytes]) -> None:
    with pytest.raises(WireError, match="no topic"):
        split_topic(parts)


def test_keys_on_both_sides(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    with Publisher(LOCAL, keys=ring.server) as publisher:
        with broker_of(publisher.address, keys=ring.server, own=ring.listed) as joined:
            assert publisher.wait_for_subscriber(5)
            with Subscriber(joined.broker.address, keys=ring.listed) as subscriber:
                _heard(subscriber, publisher)
        with broker_of(publisher.address, own=ring.unlisted) as joined:
            assert "refuses us, for our key is not on its list; add" in joined.warned()[0]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(SaccadeError, match="each of them once"):
        Broker([(LOCAL, None), (LOCAL, None)], LOCAL)
    with pytest.raises(SaccadeError, match="port 0"):
        Broker([(LOCAL, None)], LOCAL)
    uri = "zmq://127.0.0.1:5599"
    refused(command("broker", uri, "--out", "zmq://*:0"), "other machines could reach it")
    refused(command("broker", uri, "--allow", "friends"), "no --key FILE")
    refused(command("broker", uri, "--key", "k", "--server", "a", "--server", "b"), "2 keys for 1")


def test_the_command_ends_with_its_counts(free_port: int) -> None:
    out = f"zmq://127.0.0.1:{free_port}"
    with Publisher(LOCAL, "left") as publisher:
        process = subprocess.Popen(
            [sys.executable, "-m", "saccade", "broker", publisher.address, "--out", out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            with Subscriber(out, mode="mailbox") as subscriber:
                assert publisher.wait_for_subscriber(20)
                _heard(subscriber, publisher)
            process.send_signal(signal.SIGTERM)
            text, err = process.communicate(timeout=10)
        finally:
            process.kill()
            process.communicate()
    assert (process.returncode, err) == (0, "")
    assert text.startswith(f"{publisher.address} to {out}; Ctrl-C ends it\n1 streams, ")
    assert text.endswith(" 0 of doubled streams, 0 malformed\n")
