"""Sockets with keys: who is on the list comes in; everybody else is told, and so is the server."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tests.commands import command, refused
from tests.stream.wire_keys import KeyRing

from saccade.camera.errors import SaccadeError
from saccade.stream.control import ControlServer
from saccade.stream.control_client import Control, ControlError
from saccade.stream.control_messages import MAX_REQUEST_BYTES, SetLabels, encode
from saccade.stream.pipeline import Pipeline
from saccade.stream.publisher import Publisher
from saccade.stream.subscriber import Subscriber
from saccade.stream.wire import (
    MAX_BLOB_BYTES,
    EmbeddingHeader,
    LabelHeader,
    VocabularyHeader,
    new_run_id,
)

LOCAL = "zmq://127.0.0.1:0"
REFUSED = "refuses us, for our key is not on its list; add .* to its --allow"
LABEL = LabelHeader(labels=["mug"], scores=[0.5])


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path)


@pytest.fixture
def publisher(ring: KeyRing) -> Iterator[Publisher]:
    with Publisher(LOCAL, linger_ms=200, keys=ring.server) as opened:
        yield opened


def said(caplog: pytest.LogCaptureFixture, text: str, timeout_s: float = 5.0) -> int:
    """How many warnings have this in them, once there is one."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until and not any(text in m for m in caplog.messages):
        time.sleep(0.01)
    return sum(text in message for message in caplog.messages)


@pytest.mark.parametrize("mode", ["queue", "mailbox"])
def test_who_is_on_the_list_gets_everything(
    publisher: Publisher, ring: KeyRing, mode: Literal["queue", "mailbox"]
) -> None:
    publisher.publish_vocabulary(VocabularyHeader(labels=["mug"]))
    with Subscriber(
        publisher.address, ("label/", "vocabulary/"), mode, 5, keys=ring.listed
    ) as subscriber:
        assert publisher.wait_for_subscriber(5)
        publisher.publish_label(LABEL)
        found = [subscriber.receive() for _ in range(2)]
        assert {message.header.type for message in found if message} == {"label", "vocabulary"}
    assert publisher.refused == 0


def test_a_blob_of_the_largest_size_passes(publisher: Publisher, ring: KeyRing) -> None:
    vectors = np.ones((1, MAX_BLOB_BYTES // 4), np.float32)
    with Subscriber(publisher.address, ("embedding/", "label/"), keys=ring.listed) as subscriber:
        assert publisher.wait_for_subscriber(5)
        publisher.publish_embedding(EmbeddingHeader(), vectors)
        message = subscriber.receive(10)
        assert message is not None
        assert message.blobs["embedding"].shape == vectors.shape


@pytest.mark.parametrize("mode", ["queue", "mailbox"])
def test_who_is_not_on_the_list_is_told_and_so_is_the_server(
    publisher: Publisher, ring: KeyRing, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    with (
        Subscriber(publisher.address, mode=mode, keys=ring.unlisted) as subscriber,
        pytest.raises(SaccadeError, match=REFUSED) as caught,
    ):
        publisher.publish_label(LABEL)
        subscriber.receive(10)
    assert ring.stranger.public in str(caught.value)
    assert "\n" not in str(caught.value)
    assert said(caplog, "refused a client at 127.0.0.1: its key") == 1
    assert publisher.refused >= 1
    assert publisher.subscribers == 0


def test_a_client_without_keys_and_one_with_a_wrong_one_get_nothing_but_lines(
    publisher: Publisher, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    for keys, here, there in (
        (ring.misled, "another key than --server says", "a client that takes us for another"),
        (None, "wants keys", "no keys"),
    ):
        caplog.clear()
        with Subscriber(publisher.address, keys=keys) as subscriber:
            publisher.publish_label(LABEL)
            try:  # as its greeting or the end of the connection is seen first
                assert subscriber.receive(1) is None
                assert said(caplog, here) == 1
            except SaccadeError as error:
                assert "wants keys; give --key FILE and --server KEY" in str(error)
            assert subscriber.malformed == 0
            assert said(caplog, there) == 1
    assert publisher.subscribers == 0


def test_keys_where_the_publisher_has_none(ring: KeyRing) -> None:
    with (
        Publisher(LOCAL) as publisher,
        Subscriber(publisher.address, keys=ring.listed) as subscriber,
        pytest.raises(SaccadeError, match="has no keys; leave out --key and --server"),
    ):
        subscriber.receive(10)


def test_a_publisher_with_keys_may_come_later_and_come_back(ring: KeyRing) -> None:
    with Publisher(LOCAL) as free:
        address = free.address
    with Subscriber(address, mode="mailbox", timeout_s=5, keys=ring.listed) as subscriber:
        for _ in range(2):
            with Publisher(address, keys=ring.server) as publisher:
                assert publisher.wait_for_subscriber(5)
                publisher.publish_label(LABEL)
            message = subscriber.receive()
            assert message is not None
            assert message.header.run == publisher.run


def test_a_refusal_ends_an_iteration_and_a_log_is_not_filled(
    publisher: Publisher, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        with (
            Subscriber(publisher.address, keys=ring.unlisted) as subscriber,
            pytest.raises(SaccadeError, match="refuses us"),
        ):
            list(subscriber)
    assert said(caplog, "is not on --allow") == 1
    assert publisher.refused >= 5


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "[::]"])
def test_keys_open_other_interfaces_and_so_does_the_flag_for_data(ring: KeyRing, host: str) -> None:
    anywhere = f"zmq://{host}:0"
    with pytest.raises(SaccadeError, match="other machines could reach it; give keys"):
        Publisher(anywhere)
    with pytest.raises(SaccadeError, match="give one"):
        Publisher(anywhere, keys=ring.server, insecure_no_auth=True)
    with pytest.raises(SaccadeError, match="other machines could reach it; give keys"):
        ControlServer(anywhere, "cam", new_run_id())
    ControlServer(anywhere, "cam", new_run_id(), ring.server).close()
    for keys, insecure in ((ring.server, False), (None, True)):
        with Publisher(anywhere, keys=keys, insecure_no_auth=insecure) as publisher:
            port = publisher.address.rsplit(":", 1)[1]
            here = "[::1]" if host == "[::]" else "127.0.0.1"
            with Subscriber(
                f"zmq://{here}:{port}", timeout_s=5, keys=ring.listed if keys else None
            ) as subscriber:
                assert publisher.wait_for_subscriber(5)
                publisher.publish_label(LABEL)
                assert subscriber.receive() is not None


def _encoded_of(control: Control, labels: list[str]) -> bytes:
    run, name = control.hello().run, control._id()
    return encode(SetLabels(id=name, command="set_labels", run=run, labels=labels))


def test_the_control_socket_with_keys(
    ring: KeyRing, model: Path, recording: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        Pipeline(recording, model=model, labels="left, right") as pipeline,
        ControlServer(LOCAL, "cam", new_run_id(), ring.server) as server,
    ):
        server.start(pipeline)
        with Control(server.address, keys=ring.listed) as control:
            assert control.set_labels(["top"]).vocabulary_rev == 1
            long = [f"{n:02} {'x' * 1000}" for n in range(64)]
            rest = MAX_REQUEST_BYTES - len(_encoded_of(control, long))
            long = [label + "x" * (rest // 64) for label in long]
            long[0] += "x" * (rest % 64)
            assert len(_encoded_of(control, long)) == MAX_REQUEST_BYTES
            with pytest.raises(ControlError, match=r"labels"):  # it was read and answered
                control.set_labels(long)
        for keys, why in (
            (ring.unlisted, "refuses us"),
            (ring.misled, "no answer in 0.3 s; .* another key than --server says"),
            (None, "wants keys"),
        ):
            with (
                Control(server.address, 0.3, keys) as control,
                pytest.raises(SaccadeError, match=why),
            ):
                control.hello()
        assert pipeline.bank.names == ("top",)
        assert server.malformed == 0


def test_a_run_with_keys_on_every_interface(
    ring: KeyRing, model: Path, recording: Path, free_port: int
) -> None:
    where, door = f"zmq://0.0.0.0:{free_port}", f"zmq://127.0.0.1:{free_port}"
    run = ["run", recording, "--model", model, "--speed", "max", "--wait-for", "1", "--out", where]
    refused(command(*run), "other machines could reach it; give keys (CURVE: `saccade keys make`")
    refused(command(*run, "--key", ring.folder / "robot.key"), "no --allow FILE")
    process = subprocess.Popen(
        [sys.executable, "-m", "saccade", *map(str, run), *ring.server_options()],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        listen = ["listen", door, "--timeout", "20", "--until-end"]
        refused(
            command(*listen, *ring.client_options("stranger")),
            "refuses us, for our key is not on its list",
        )
        heard = command(*listen, *ring.client_options())
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, err
    assert re.search(r"^\d+ labels, 0 missing, 0 malformed$", heard.stderr, re.M)
    assert not heard.stderr.startswith("0 labels")
    assert f"to {where}" in out
    assert "refused a client at 127.0.0.1: its key" in err


def test_threads_end_with_their_sockets(ring: KeyRing) -> None:
    before = threading.active_count()
    logging.disable(logging.WARNING)
    for keys in (ring.listed, ring.unlisted, ring.misled, None):
        with (
            Publisher(LOCAL, keys=ring.server) as publisher,
            Subscriber(publisher.address, keys=keys),
        ):
            time.sleep(0.05)
    logging.disable(logging.NOTSET)
    assert threading.active_count() == before
