"""Key files and lists: what is made can be read, and nothing else is taken for a key."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import zmq
from tests.commands import command, refused
from tests.stream.wire_keys import KeyRing

import saccade
from saccade.camera.errors import SaccadeError
from saccade.stream.keys import (
    ClientKeys,
    ServerKeys,
    client_keys,
    make_key,
    read_key,
    server_keys,
)


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "robot.key"
    os.umask(before := os.umask(0))
    made = command("keys", "make", path)
    shown = command("keys", "show", path)
    os.umask(before)
    assert made.returncode == shown.returncode == 0
    assert made.stdout == shown.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = read_key(path)
    assert made.stdout == f"{key.public}\n"
    assert zmq.curve_public(key.secret.encode()).decode() == key.public
    assert key.secret not in repr(key) + made.stdout + made.stderr
    refused(command("keys", "make", path), "is there already; choose another name")
    assert read_key(path) == key
    refused(command("keys", "make", tmp_path / "none" / "k"), "No such file or directory")


def test_a_key_that_others_may_read_is_refused(ring: KeyRing, tmp_path: Path) -> None:
    path = tmp_path / "robot.key"
    path.chmod(0o640)
    with pytest.raises(SaccadeError, match=r"others may read it \(0640\); chmod 600"):
        read_key(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no key; make one"),
        ("public {laptop}\n", "no key; make one"),
        ("public {laptop}\nsecret {short}\n", "no key; make one"),
        ("public {laptop}\nsecret {over}\n", "no key; make one"),
        ("public {laptop}\nsecret {secret}\n", "do not belong together"),
        ("\0\n", "no key; make one"),
    ],
)
def test_what_is_no_key_is_refused(ring: KeyRing, tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "bad.key"
    path.write_text(
        text.format(
            laptop=ring.laptop.public, secret=ring.robot.secret, short="x" * 39, over="#" * 40
        )
    )
    path.chmod(0o600)
    with pytest.raises(SaccadeError, match=why) as caught:
        read_key(path)
    assert ring.robot.secret not in str(caught.value)


def test_lists_have_a_key_and_words_for_people(ring: KeyRing, tmp_path: Path) -> None:
    friends = tmp_path / "friends"
    friends.write_text(f"#\n\n  {ring.laptop.public}\tmy laptop\n{ring.stranger.public}\n# end\n")
    found = ServerKeys.read(tmp_path / "robot.key", friends)
    assert found.allowed == {ring.laptop.public, ring.stranger.public}
    with pytest.raises(SaccadeError, match="2 keys; give its own alone"):
        ClientKeys.read(tmp_path / "laptop.key", friends)
    friends.write_text(f"{ring.laptop.public}\nlaptop {ring.laptop.public}\n")
    with pytest.raises(SaccadeError, match="line 2 begins with no public key"):
        ServerKeys.read(tmp_path / "robot.key", friends)
    friends.write_text("# nobody\n")
    with pytest.raises(SaccadeError, match="no key in it"):
        ServerKeys.read(tmp_path / "robot.key", friends)
    with pytest.raises(SaccadeError, match="No such file"):
        ServerKeys.read(tmp_path / "robot.key", tmp_path / "none")


def test_the_server_is_a_key_or_a_file_with_it(ring: KeyRing, tmp_path: Path) -> None:
    key, public = tmp_path / "laptop.key", ring.robot.public
    assert ClientKeys.read(key, public) == ClientKeys.read(key, tmp_path / "robot.pub")
    assert client_keys(str(key), public) == saccade.ClientKeys.read(key, public)
    with pytest.raises(SaccadeError, match="name a file that can be read"):
        ClientKeys.read(key, public[:-1])


def test_options_need_each_other() -> None:
    assert server_keys(None, None) is client_keys(None, None) is None
    for options, missing in (
        ((server_keys, "k", None), "no --allow FILE"),
        ((server_keys, None, "a"), "no --key FILE"),
        ((client_keys, "k", None), "no --server KEY"),
        ((client_keys, None, "s"), "no --key FILE"),
    ):
        with pytest.raises(SaccadeError, match=missing):
            options[0](*options[1:])


def test_keys_differ(tmp_path: Path) -> None:
    assert len({make_key(tmp_path / f"{n}").public for n in range(20)}) == 20
