"""`saccade listen`: how it ends, and labels from a stranger."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from saccade.camera.errors import SaccadeError
from saccade.stream.listen import listen_to
from saccade.stream.publisher import Publisher
from saccade.stream.wire import LabelHeader

LOCAL = "zmq://127.0.0.1:0"
FORGED = "\x1b]0;pwned\x07cup\ncam #9  dog 99%\x9b2J"


@contextmanager
def listener(address: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "saccade", "listen", address, *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_the_counts(number: signal.Signals) -> None:
    with Publisher(LOCAL) as publisher, listener(publisher.address) as process:
        assert publisher.wait_for_subscriber(20)
        for n in (9, 0):
            publisher.publish_label(LabelHeader(labels=["cup"], scores=[0.5], n_events=n))
        assert process.stdout
        assert process.stdout.readline().startswith("cam #0  cup 50%")
        assert process.stdout.readline().startswith("cam #1  no events  |  0 events")
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert (out, err) == ("", "2 labels, 0 missing, 0 malformed\n")


@pytest.mark.parametrize("option", [None, "--json"])
def test_a_label_cannot_forge_a_line_or_steer_the_terminal(option: str | None) -> None:
    options = ["--count", "1", *([option] if option else [])]
    with Publisher(LOCAL) as publisher, listener(publisher.address, *options) as process:
        assert publisher.wait_for_subscriber(20)
        publisher.publish_label(LabelHeader(labels=[FORGED], scores=[0.5], n_events=1))
        out, _ = process.communicate(timeout=10)
    assert out.endswith("\n")
    assert all(character.isprintable() for character in out[:-1])
    if option:
        assert json.loads(out)["labels"] == [FORGED]
    else:
        assert "\\u001b]0;pwned\\u0007cup\\u000acam #9  dog 99%\\u009b2J 50%" in out


def test_a_silence_without_an_end_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Publisher(LOCAL) as publisher:
        listen_to(publisher.address, as_json=False, count=0, timeout_s=0.1, until_end=True)
    assert capsys.readouterr().err == (
        "no end seen: nothing came for 0.1 s\n0 labels, 0 missing, 0 malformed\n"
    )


def test_an_end_that_was_seen_is_not_missed(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    publisher = Publisher(LOCAL)
    publisher.publish_label(LabelHeader())
    ender = threading.Thread(target=lambda: (publisher.wait_for_subscriber(5), publisher.close()))
    ender.start()
    listen_to(publisher.address, as_json=False, count=0, timeout_s=5, until_end=True)
    ender.join()
    assert capsys.readouterr().err == "0 labels, 0 missing, 0 malformed\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("timeout_s", [float("nan"), float("inf"), -0.5])
def test_a_timeout_that_is_no_time(timeout_s: float) -> None:
    with pytest.raises(SaccadeError, match="timeout"):
        listen_to(LOCAL, as_json=False, count=0, timeout_s=timeout_s, until_end=False)
