"""Addresses: what libzmq gets, and one clear line for what it must not."""

from __future__ import annotations

import pytest

from saccade.camera.errors import SaccadeError
from saccade.stream.addresses import bind_address, connect_address, parse_address


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        ("zmq://127.0.0.1:5556", "tcp://127.0.0.1:5556"),
        ("zmq://localhost:5556", "tcp://127.0.0.1:5556"),
        ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
        ("zmq://[::1]:5556", "tcp://[::1]:5556"),
        ("ipc:///run/saccade.sock", "ipc:///run/saccade.sock"),
    ],
)
def test_local_addresses_can_be_bound(address: str, endpoint: str) -> None:
    assert bind_address(address).endpoint == endpoint


@pytest.mark.parametrize(
    "address", ["zmq://192.168.1.7:5556", "tcp://robot.local:5556", "zmq://[2001:db8::1]:5556"]
)
def test_a_subscriber_may_connect_anywhere(address: str) -> None:
    assert connect_address(address).endpoint == address.replace("zmq:", "tcp:")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1:5556",
        "http://127.0.0.1:5556",
        "zmq://127.0.0.1",
        "zmq://127.0.0.1:",
        "zmq://:5556",
        "zmq://127.0.0.1:-1",
        "zmq://127.0.0.1:65536",
        "zmq://127.0.0.1:99999999999",
        "zmq://127.0.0.1:55x6",
        "zmq://256.1.1.1:5556",
        "zmq://1.2.3:5556",
        "zmq://::1:5556",
        "zmq://[::1:5556",
        "zmq://[nope]:5556",
        "zmq://127.0.0.1:5556/",
        "zmq://127.0.0.1:5556\n",
        "zmq://a b:5556",
        "zmq://user@host:5556",
        "zmq://127.0.0.1;127.0.0.2:5556",
        "ipc://relative.sock",
        "ipc://@abstract",
        "ipc://",
        "ipc:///folder/",
        "ipc:///a\0b",
        "ipc:///" + "x" * 120,
    ],
)
def test_bad_addresses_are_one_line_with_a_remedy(address: str) -> None:
    with pytest.raises(SaccadeError) as caught:
        parse_address(address)
    text = str(caught.value)
    assert repr(address) in text
    assert ";" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "*", "[::]", "192.168.1.7", "8.8.8.8", "[2001:db8::1]", "169.254.0.1"]
)
def test_binding_off_loopback_is_refused(host: str) -> None:
    with pytest.raises(SaccadeError, match="other machines could reach it"):
        bind_address(f"zmq://{host}:5556")


def test_binding_to_a_name_is_refused() -> None:
    with pytest.raises(SaccadeError, match=r"name 'robot\.local'"):
        bind_address("zmq://robot.local:5556")


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "[::]"])
def test_nowhere_to_connect_to(host: str) -> None:
    with pytest.raises(SaccadeError, match="nowhere to connect to"):
        connect_address(f"zmq://{host}:5556")
    with pytest.raises(SaccadeError, match="port 0"):
        connect_address("zmq://127.0.0.1:0")
