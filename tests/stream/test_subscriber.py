"""The subscriber: gaps, runs, repetitions, mailbox, the end, and garbage."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np
import pytest
import zmq

from saccade.camera.errors import SaccadeError
from saccade.stream.publisher import Publisher
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import LabelHeader, StatusHeader, encode, encode_latest, new_run_id

LOCAL = "zmq://127.0.0.1:0"
RUN = new_run_id()


class Rogue:
    """A bare XPUB that sends whatever a test says."""

    def __init__(self) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"zmq://127.0.0.1:{port}"

    def wait(self, subscriptions: int = 1) -> None:
        for _ in range(subscriptions):
            assert self.socket.poll(3000)
            self.socket.recv()

    def label(self, seq: int, run: str = RUN, stream: str = "cam") -> None:
        self.socket.send_multipart(encode(LabelHeader(stream=stream, run=run, seq=seq)))

    def latest(self, seq: int) -> None:
        parts = encode(LabelHeader(stream="cam", run=RUN, seq=seq))
        self.socket.send(encode_latest(parts))

    def status(
        self, state: str, seq: int = 0, stream: str = "cam", labels: int = 0, run: str = RUN
    ) -> None:
        header = StatusHeader(stream=stream, run=run, seq=seq, state=state, labels=labels)
        self.socket.send_multipart(encode(header))


@pytest.fixture
def rogue() -> Iterator[Rogue]:
    opened = Rogue()
    yield opened
    opened.context.destroy(linger=0)


def numbers(subscriber: Subscriber, count: int) -> list[int]:
    received = [subscriber.receive(3) for _ in range(count)]
    return [message.header.seq for message in received if message is not None]


def test_gaps_are_counted_per_topic(rogue: Rogue) -> None:
    with Subscriber(rogue.address) as subscriber:
        rogue.wait()
        for seq in (5, 6, 9, 10, 20):
            rogue.label(seq)
        rogue.label(3, stream="other")
        rogue.label(5, stream="other")
        assert numbers(subscriber, 7) == [5, 6, 9, 10, 20, 3, 5]
        assert subscriber.gaps == 12
        assert subscriber.gaps_by_topic == {"label/cam/": 11, "label/other/": 1}


@pytest.mark.parametrize("topic", ["label/", "label/cam/", "latest/label/", ""])
def test_a_status_tells_of_the_labels_lost_at_the_end(rogue: Rogue, topic: str) -> None:
    with Subscriber(rogue.address, (topic,), timeout_s=3, until_end=True) as subscriber:
        rogue.wait(2)
        for seq in (5, 6):
            rogue.label(seq)
            rogue.latest(seq)
        for number, labels in enumerate((0, 7, 10, 10, 3, 12)):
            rogue.status("running", seq=number, labels=labels)
        rogue.status("running", seq=2, labels=10)  # the cached one, for a later subscriber
        rogue.label(12)  # 7 to 11 were counted already
        rogue.latest(12)
        rogue.status("ended", seq=6, labels=15)
        found = [m.header.seq for m in subscriber if m.header.type == "label"]
        both = 2 if topic == "" else 1
        assert found == [seq for seq in (5, 6, 12) for _ in range(both)]
        assert subscriber.gaps == (5 + 2) * both
        assert subscriber.ended


def test_what_was_before_a_late_subscriber_is_not_missing(rogue: Rogue) -> None:
    with Subscriber(rogue.address, timeout_s=3) as subscriber:
        rogue.wait(2)
        rogue.status("running", labels=1000)
        rogue.status("running", seq=1, labels=1100)
        rogue.label(1100)
        rogue.status("running", labels=5, run=new_run_id())
        rogue.status("running", labels=3, stream="other")
        rogue.label(1101)
        assert numbers(subscriber, 2) == [1100, 1101]
        assert subscriber.gaps == 0


def test_a_new_run_resets_the_numbers(rogue: Rogue) -> None:
    with Subscriber(rogue.address) as subscriber:
        rogue.wait()
        rogue.label(100)
        later = new_run_id()
        rogue.label(0, run=later)
        rogue.label(1, run=later)
        assert numbers(subscriber, 3) == [100, 0, 1]
        assert subscriber.gaps == 0


def test_repetitions_are_ignored(rogue: Rogue) -> None:
    with Subscriber(rogue.address, timeout_s=0.2) as subscriber:
        rogue.wait()
        for seq in (4, 4, 5, 4, 5, 6):
            rogue.label(seq)
        assert [message.header.seq for message in subscriber] == [4, 5, 6]
        assert subscriber.gaps == 0


def test_garbage_is_counted_and_never_raised(rogue: Rogue) -> None:
    rng = np.random.default_rng(1)
    with Subscriber(rogue.address, ("",)) as subscriber:
        rogue.wait()
        for _ in range(300):
            parts = [rng.bytes(int(rng.integers(0, 200))) for _ in range(int(rng.integers(1, 5)))]
            rogue.socket.send_multipart(parts)
            rogue.socket.send_multipart([b"label/cam/", *parts])
        rogue.socket.send_multipart([b"frame/cam/", msgspec.msgpack.encode({})])
        rogue.label(0)
        assert numbers(subscriber, 1) == [0]
        assert subscriber.malformed == 601


def test_a_flood_of_garbage_does_not_prolong_a_wait(rogue: Rogue) -> None:
    with Subscriber(rogue.address) as subscriber:
        rogue.wait()
        for _ in range(5000):
            rogue.socket.send_multipart([b"label/", b"?"])
        started = time.monotonic()
        assert subscriber.receive(0) is None
        assert subscriber.receive(0.2) is None
        assert time.monotonic() - started < 1.0
        assert subscriber.malformed > 0


def test_invented_topics_do_not_fill_the_memory(rogue: Rogue) -> None:
    with Subscriber(rogue.address, timeout_s=0.3) as subscriber:
        rogue.wait()
        for number in range(1500):
            rogue.label(0, stream=f"s{number}")
            rogue.label(9, stream=f"s{number}")
        assert sum(1 for _ in subscriber) == 3000
        assert len(subscriber._last) == 1024
        assert len(subscriber.gaps_by_topic) == 1024


def test_the_mailbox_holds_only_the_newest(rogue: Rogue) -> None:
    with Subscriber(rogue.address, ("label/", "latest/label/"), mode="mailbox") as mailbox:
        rogue.wait(2)
        for seq in range(500):
            rogue.label(seq)
            rogue.label(seq, stream="b")
        parts = encode(LabelHeader(stream="cam", run=RUN, seq=7))
        rogue.socket.send(encode_latest(parts))
        time.sleep(0.3)
        found = {topic: m.header.seq for topic, m in mailbox.latest(3).items()}
        assert found == {"label/cam/": 499, "label/b/": 499, "latest/label/cam/": 7}
        assert mailbox.skipped == 998
        assert mailbox.gaps == 0
        assert mailbox.latest(0.05) == {}


def test_a_mailbox_can_be_iterated_to_the_end(rogue: Rogue) -> None:
    with Subscriber(rogue.address, mode="mailbox", timeout_s=3, until_end=True) as mailbox:
        rogue.wait(2)
        rogue.label(1)
        rogue.status("ended")
        assert [message.header.seq for message in mailbox] == [1]
        assert mailbox.ended


def test_latest_needs_a_mailbox(rogue: Rogue) -> None:
    with Subscriber(rogue.address) as subscriber, pytest.raises(SaccadeError, match="mailbox"):
        subscriber.latest()


def test_iterating_ends_with_the_stream_that_is_read(rogue: Rogue) -> None:
    with Subscriber(rogue.address, ("label/cam/",), until_end=True) as subscriber:
        rogue.wait(2)
        rogue.status("running")
        rogue.label(0)
        rogue.status("ended", stream="cam10")
        rogue.label(1)
        rogue.status("ended", seq=1)
        rogue.label(2)
        assert [message.header.seq for message in subscriber] == [0, 1]
        assert subscriber.receive() is None


def test_heartbeats_do_not_prolong_a_wait() -> None:
    with (
        Publisher(LOCAL) as publisher,
        Subscriber(publisher.address, timeout_s=1.3, until_end=True) as subscriber,
    ):
        started = time.monotonic()
        assert list(subscriber) == []
        assert 1.2 < time.monotonic() - started < 2.0
        assert not subscriber.ended


def test_a_subscriber_may_be_first_and_outlives_a_publisher() -> None:
    with Publisher(LOCAL) as first:
        address = first.address
    with Subscriber(address, mode="mailbox", timeout_s=3) as subscriber:
        for run in range(2):
            with Publisher(address) as publisher:
                assert publisher.wait_for_subscriber(3)
                publisher.publish_label(LabelHeader(n_events=run))
            message = subscriber.receive()
            assert message is not None
            assert (message.header.run, message.header.seq) == (publisher.run, 0)
        assert subscriber.gaps == 0


def test_a_queue_that_ran_over_ends_with_a_gap() -> None:
    publisher = Publisher(LOCAL, linger_ms=500)
    wide = LabelHeader(labels=["x" * 6000] * 10, scores=[0.0] * 10)
    with Subscriber(publisher.address, timeout_s=3, until_end=True) as subscriber:
        assert publisher.wait_for_subscriber(3)
        for _ in range(3000):
            publisher.publish_label(wide)
        publisher.close()
        got = sum(1 for _ in subscriber)
        assert subscriber.ended
        assert got + subscriber.gaps == 3000


def test_a_reader_that_is_late_learns_of_the_end_and_of_all_that_it_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("saccade.stream.sockets.RECEIVE_HWM", 10)
    publisher = Publisher(LOCAL, linger_ms=5000)
    wide = LabelHeader(labels=["x" * 6000] * 10, scores=[0.0] * 10)
    with Subscriber(publisher.address, timeout_s=5, until_end=True) as subscriber:
        assert publisher.wait_for_subscriber(3)
        for _ in range(3000):
            publisher.publish_label(wide)
        closer = threading.Thread(target=publisher.close)
        closer.start()
        time.sleep(0.5)  # every queue on the way is full: the first "ended" is lost
        got = sum(1 for _ in subscriber)
        assert subscriber.ended
        assert 500 <= got < 3000
        assert got + subscriber.gaps == 3000
    started = time.monotonic()
    closer.join(10)
    assert time.monotonic() - started < 2  # who has the end has left: nobody to wait for


@pytest.mark.parametrize("address", ["zmq://0.0.0.0:5556", "zmq://127.0.0.1:0", "nonsense"])
def test_bad_addresses_are_refused(address: str) -> None:
    with pytest.raises(SaccadeError):
        Subscriber(address)


def test_bad_options_are_refused() -> None:
    with pytest.raises(SaccadeError, match="'queue' .all. or 'mailbox'"):
        Subscriber(mode="both")  # type: ignore[arg-type]
    with pytest.raises(SaccadeError, match="shorter prefix"):
        Subscriber(topics=("label/" + "x" * 300,))


@pytest.mark.parametrize("mode", ["queue", "mailbox"])
def test_closing_from_another_thread_ends_a_wait(mode: Literal["queue", "mailbox"]) -> None:
    for timeout_s in (None, 30.0):
        subscriber = Subscriber("zmq://127.0.0.1:9", mode=mode, timeout_s=timeout_s)
        closer = threading.Timer(0.1, subscriber.close)
        closer.start()
        started = time.monotonic()
        assert list(subscriber) == []
        closer.join()
        assert time.monotonic() - started < 5
        assert subscriber.receive() is None


def test_closing_twice_and_reading_after() -> None:
    for mode in ("queue", "mailbox"):
        subscriber = Subscriber("zmq://127.0.0.1:9", "label/", mode=mode)  # type: ignore[arg-type]
        subscriber.close()
        subscriber.close()
        assert subscriber.topics == ("label/",)
        assert subscriber.receive() is None
