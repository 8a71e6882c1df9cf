"""The control socket: what it answers, what it refuses, and what cannot hurt it."""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

import saccade
from saccade.camera.errors import SaccadeError
from saccade.engines.labels import Words
from saccade.stream.control import ControlServer
from saccade.stream.control_client import Control, ControlError
from saccade.stream.control_messages import MAX_REQUEST_BYTES
from saccade.stream.pipeline import Pipeline
from saccade.stream.wire import new_run_id

LOCAL = "zmq://127.0.0.1:0"
COMMANDS = ["hello", "time", "status", "set_labels", "record_start", "record_stop"]


@pytest.fixture
def pipeline(model: Path, recording: Path) -> Iterator[Pipeline]:
    with Pipeline(recording, model=model, labels="left, right") as opened:
        yield opened


@pytest.fixture
def server(pipeline: Pipeline) -> Iterator[ControlServer]:
    with ControlServer(LOCAL, "cam", new_run_id()) as opened:
        opened.start(pipeline)
        yield opened


@pytest.fixture
def control(server: ControlServer) -> Iterator[Control]:
    with Control(server.address) as opened:
        yield opened


@pytest.fixture
def raw(server: ControlServer) -> Iterator[zmq.Socket[bytes]]:
    """A plain socket, as somebody without this package has one."""
    context = zmq.Context()
    plain = context.socket(zmq.DEALER)
    plain.setsockopt(zmq.RCVTIMEO, 5000)
    plain.connect(server.address.replace("zmq:", "tcp:"))
    yield plain
    plain.close(0)
    context.term()


def ask(raw: zmq.Socket[bytes], **fields: Any) -> dict[str, Any]:
    raw.send(msgspec.msgpack.encode({"v": 1, "id": "7", **fields}))
    return msgspec.msgpack.decode(raw.recv())


def test_hello_time_and_status(control: Control, server: ControlServer, pipeline: Pipeline) -> None:
    hello = control.hello()
    assert (hello.stream, hello.run, hello.saccade) == ("cam", server._run, saccade.__version__)
    assert (hello.model, hello.space, hello.width) == ("halves", "halves/1", 64)
    assert hello.commands == COMMANDS
    before, clock, after = time.monotonic_ns(), control.time(), time.monotonic_ns()
    assert before <= clock.received_ns <= clock.sent_ns <= after
    assert abs(clock.wall_ns - time.time_ns()) < 60e9
    offset_ns, error_ns = control.clock_offset_ns()
    assert abs(offset_ns) <= error_ns  # it is the same clock
    found = list(pipeline)
    status = control.status()
    assert (status.status.events_in, status.status.labels) == (20_000, len(found))
    assert status.status.delay_us == found[-1].timing.latency_us
    assert (status.words, status.vocabulary_rev, status.malformed) == (2, 0, 0)
    assert (status.status.stream, status.status.run) == ("cam", server._run)


def test_words_are_set_with_synonyms_and_groups(control: Control, pipeline: Pipeline) -> None:
    found = control.set_labels(["top", "bottom"])
    assert (found.vocabulary_rev, found.labels) == (1, ["top", "bottom"])
    assert pipeline.bank.names == ("top", "bottom")
    text = "side: port = left | right, top; bottom"
    assert control.set_labels(text).labels == ["port", "top", "bottom"]
    bank = pipeline.bank
    assert bank.groups == {"side": ("port", "top")}
    assert bank.texts == ("left", "right", "top", "bottom")
    assert control.set_labels(Words.of("top")).vocabulary_rev == pipeline.words.now.rev == 3
    assert control.status().words == 1


def test_refused_words_change_nothing_and_the_reply_says_why(
    control: Control, pipeline: Pipeline, raw: zmq.Socket[bytes], server: ControlServer
) -> None:
    before = pipeline.words.now
    with pytest.raises(ControlError, match="'dog': not in the bank") as error:
        control.set_labels(["dog"])
    assert error.value.code == "refused"
    with pytest.raises(SaccadeError, match="none given"):
        control.set_labels([])
    with pytest.raises(SaccadeError, match=f"at most {MAX_REQUEST_BYTES}"):
        control.set_labels([f"word {n} {'x' * 100}" for n in range(1000)])
    set_labels = {"command": "set_labels", "run": server._run}
    for code, part, fields in (
        ("refused", "'/dev/zero': not in the bank", {"labels": ["/dev/zero"]}),  # no file is read
        ("refused", "'dog' is no label", {"labels": ["left"], "groups": {"pet": ["dog"]}}),
        ("bad_request", "`$.labels`", {"labels": []}),
        ("bad_request", "`$.labels`", {"labels": "left"}),
        ("bad_request", "`$.labels[0]`", {"labels": [3]}),
        ("bad_request", "`$.labels[0]`", {"labels": ["x" * 2000]}),
        ("wrong_run", "this is run", {"labels": ["left"], "run": new_run_id()}),
    ):
        reply = ask(raw, **{**set_labels, **fields})
        assert (reply["type"], reply["id"], reply["code"]) == ("error", "7", code), reply
        assert part in reply["message"]
    many = ask(raw, **set_labels, labels=[f"{chr(0) * 1000} {n}" for n in range(10)])
    assert (many["code"], len(many["message"])) == ("refused", 4096)
    assert pipeline.words.now is before


def test_an_unknown_command_is_told_which_there_are(raw: zmq.Socket[bytes]) -> None:
    reply = ask(raw, command="reboot")
    assert (reply["type"], reply["code"], reply["id"]) == ("error", "unknown_command", "7")
    assert reply["known"] == COMMANDS
    assert "'reboot': unknown; this run knows hello, time" in reply["message"]


def test_another_version_is_told(raw: zmq.Socket[bytes]) -> None:
    reply = ask(raw, command="hello", v=2)
    assert (reply["code"], reply["message"]) == ("bad_request", "v 2: this run speaks version 1")


def test_unknown_fields_are_ignored_and_a_req_socket_will_do(server: ControlServer) -> None:
    context = zmq.Context()
    req = context.socket(zmq.REQ)
    req.setsockopt(zmq.RCVTIMEO, 5000)
    req.connect(server.address.replace("zmq:", "tcp:"))
    assert ask(req, command="hello", colour="blue")["run"] == server._run
    assert ask(req, command="set_labels", run=server._run, labels=["top"])["labels"] == ["top"]
    req.close(0)
    context.term()


def test_random_bytes_do_nothing_but_count(
    server: ControlServer, raw: zmq.Socket[bytes], control: Control, pipeline: Pipeline
) -> None:
    before, rng = pipeline.words.now, np.random.default_rng(0)
    bad: list[list[bytes]] = [
        [b""],
        [b"a", b"b"],
        [b"", b"x", msgspec.msgpack.encode({"v": 1, "id": "1", "command": "hello"})],
        *([rng.bytes(int(rng.integers(0, 2000)))] for _ in range(150)),
    ]
    for fields in (
        {"v": "1", "id": "1", "command": "hello"},
        {"v": 1, "id": "", "command": "hello"},
        {"v": 1, "id": "x" * 65, "command": "hello"},
        {"v": 1, "id": 1, "command": "hello"},
        {"v": 1, "command": "hello"},
        {"v": 1, "id": "1", "command": "h" * 65},
        [1, 2, 3],
    ):
        bad.append([msgspec.msgpack.encode(fields)])
    bad.append([b"\x91" * 60_000])
    for parts in bad:
        raw.send_multipart(parts)
    assert ask(raw, command="time")["type"] == "time"  # in order: all before were read
    assert server.malformed == len(bad)
    assert pipeline.words.now is before
    port = int(server.address.rsplit(":", 1)[1])
    page = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    for prefix in (b"", page, b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + bytes(48)):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                stranger.sendall(prefix + rng.bytes(int(rng.integers(1, 4000))))
    assert control.status().vocabulary_rev == 0


def test_a_request_that_is_too_long_is_not_read(
    raw: zmq.Socket[bytes], control: Control, server: ControlServer
) -> None:
    raw.send(bytes(MAX_REQUEST_BYTES + 1))
    assert control.hello().run == server._run
    assert server.malformed == 0


@pytest.mark.parametrize("address", ["zmq://0.0.0.0:5558", "zmq://*:5558", "zmq://10.0.0.1:5558"])
def test_no_bind_off_loopback_without_keys(address: str) -> None:
    with pytest.raises(SaccadeError, match=r"other machines could reach it.*CURVE"):
        ControlServer(address, "cam", new_run_id())


def test_a_port_in_use_is_refused_and_an_ipc_socket_is_the_users_own(
    server: ControlServer, pipeline: Pipeline, tmp_path: Path
) -> None:
    with pytest.raises(SaccadeError, match="already in use"):
        ControlServer(server.address, "cam", new_run_id())
    path = tmp_path / "control"
    with ControlServer(f"ipc://{path}", "cam", new_run_id()) as private:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        private.start(pipeline)
        with Control(f"ipc://{path}") as control:
            assert control.hello().run == private._run


def test_no_answer_is_one_line(free_port: int) -> None:
    with Control(f"zmq://127.0.0.1:{free_port}", timeout_s=0.1) as control:
        with pytest.raises(
            SaccadeError, match=r"in 0\.1 s; nobody is there; start the run"
        ) as error:
            control.status()
        assert "\n" not in str(error.value)
    with pytest.raises(SaccadeError, match="closed"):
        control.hello()
    with pytest.raises(SaccadeError, match="timeout nan"):
        Control(timeout_s=float("nan"))


def test_a_run_that_is_not_ready_is_told_from_none() -> None:
    with (
        ControlServer(LOCAL, "cam", new_run_id()) as loading,
        Control(loading.address, timeout_s=1.0) as control,
        pytest.raises(SaccadeError, match=r"a run is there, but no answer in 1 s: its model may"),
    ):
        control.status()


def test_a_late_answer_is_not_taken_for_the_next(server: ControlServer, pipeline: Pipeline) -> None:
    slow = Slow(pipeline)
    with Control(server.address) as control:
        with pytest.raises(SaccadeError, match=r"no words made in 0\.1 s; they come into use when"):
            control.set_labels(["top"], timeout_s=0.1)
        slow.go.set()
        assert control.status().status.stream == "cam"
        assert control.set_labels(["bottom"]).vocabulary_rev == 2


def test_others_are_answered_while_words_are_made_and_too_many_are_told(
    server: ControlServer, pipeline: Pipeline, raw: zmq.Socket[bytes]
) -> None:
    slow = Slow(pipeline)
    change = {"v": 1, "command": "set_labels", "run": server._run, "labels": ["top"]}
    raw.send(msgspec.msgpack.encode({**change, "id": "first"}))
    assert slow.begun.wait(5)
    for n in range(10):
        raw.send(msgspec.msgpack.encode({**change, "id": str(n)}))
    busy = [msgspec.msgpack.decode(raw.recv()) for _ in range(2)]
    assert [(reply["id"], reply["code"]) for reply in busy] == [("8", "busy"), ("9", "busy")]
    with Control(server.address) as other:
        assert other.status().vocabulary_rev == 0
    slow.go.set()
    done = [msgspec.msgpack.decode(raw.recv()) for _ in range(9)]
    assert [reply["id"] for reply in done] == ["first", *map(str, range(8))]
    assert [reply["vocabulary_rev"] for reply in done] == list(range(1, 10))


def test_the_end_of_the_run_answers_those_who_wait(
    server: ControlServer, pipeline: Pipeline, raw: zmq.Socket[bytes]
) -> None:
    slow = Slow(pipeline)
    change = {"v": 1, "command": "set_labels", "run": server._run, "labels": ["top"]}
    for n in range(3):
        raw.send(msgspec.msgpack.encode({**change, "id": str(n)}))
    assert slow.begun.wait(5)
    deadline = time.monotonic() + 5
    while server.requests < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    pipeline.close()
    closer = threading.Timer(0.2, slow.go.set)
    closer.start()
    server.close()
    server.close()
    closer.join()
    replies = {r["id"]: r for r in (msgspec.msgpack.decode(raw.recv()) for _ in range(3))}
    assert {reply["code"] for reply in replies.values()} == {"refused"}
    assert all("the run has ended" in reply["message"] for reply in replies.values())
    assert pipeline.words.now.rev == 0


def test_a_fault_of_ours_is_a_reply(
    control: Control, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(words: object) -> None:
        raise RuntimeError("out of memory")

    pipeline.words._vocabulary.bank = fault  # type: ignore[method-assign, assignment]
    with pytest.raises(ControlError, match="RuntimeError: out of memory") as error:
        control.set_labels(["top"])
    assert error.value.code == "failed"
    assert control.status().vocabulary_rev == 0
    assert [record.message for record in caplog.records] == ["a request that was not met"]


class Slow:
    """Makes a pipeline's words slow, as a text tower is: until `go` is set."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self._make = pipeline.words._vocabulary.bank
        pipeline.words._vocabulary.bank = self._bank  # type: ignore[method-assign, assignment]

    def _bank(self, words: Any) -> Any:
        self.begun.set()
        assert self.go.wait(10)
        return self._make(words)
