"""`saccade devices` and `saccade settings`: cameras as the bus and the drivers know them."""

from __future__ import annotations

import json
import sys

import pytest
from tests.camera.sources import fake_dv, fake_neuromorphic
from tests.commands import command, refused
from tests.stream.test_doctor import DAVIS, plug_in

from saccade.camera.sources import open_source
from saccade.camera.sources.settings import load_settings
from saccade.stream.devices import find_devices, in_lines, write_settings

EVK4 = {**DAVIS, "idVendor": "04b4", "idProduct": "00f5", "product": "EVK4", "devnum": 6}


@pytest.fixture
def drivers(monkeypatch):
    """Both drivers, with a camera each."""
    dv = fake_dv.Driver(A1=[])
    nd = fake_neuromorphic.Driver(P1=("PROPHESEE_EVK4", None, []))
    monkeypatch.setitem(sys.modules, "dv_processing", dv)
    monkeypatch.setitem(sys.modules, "neuromorphic_drivers", nd)


def test_cameras_of_both_makers_with_what_their_drivers_say(tmp_path, drivers) -> None:
    plug_in(tmp_path, "2-1", **DAVIS, serial="A1")
    plug_in(tmp_path, "2-2", **EVK4, serial="P1")
    found = find_devices(tmp_path / "sys", tmp_path / "dev")
    assert [(d.uri, d.sensor, d.usb) for d in found.devices] == [
        ("inivation://A1", "DAVIS", "152a:8419"),
        ("prophesee://P1", "PROPHESEE_EVK4", "04b4:00f5"),
    ]
    assert found.drivers == {"inivation": "", "prophesee": ""}
    assert next(in_lines(found)) == (
        "inivation://A1  DAVIS (152a:8419, serial A1): can be opened, 5000 Mb/s"
    )


def test_without_drivers_and_permission_it_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "dv_processing", None)
    monkeypatch.setitem(sys.modules, "neuromorphic_drivers", None)
    plug_in(tmp_path, "2-1", **DAVIS)
    monkeypatch.setattr("os.access", lambda *_: False)
    found = find_devices(tmp_path / "sys", tmp_path / "dev")
    lines = "\n".join(in_lines(found))
    assert "inivation://  DVXplorer (152a:8419): this user may not open it" in lines
    assert "/etc/udev/rules.d/" in lines
    assert "inivation://: its driver is not installed (dv_processing); `pip install " in lines
    assert "prophesee" not in lines  # no camera needs it


def test_the_command_lists_nothing_here_or_what_there_is() -> None:
    done = command("devices", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"devices", "drivers"}
    assert command("devices").stdout


def test_settings_of_a_running_camera_become_a_file(tmp_path, drivers) -> None:
    path = str(tmp_path / "a.toml")
    assert "use it as prophesee://P1?settings=" in write_settings("prophesee://?erc=1M", path)
    assert load_settings(path, "prophesee")["rate_limiter"]["maximum_events_per_period"] == 200
    again = open_source(f"prophesee://P1?settings={path}")
    assert again.settings()["rate_limiter"]["maximum_events_per_period"] == 200
    again.close()
    assert [file.name for file in tmp_path.iterdir()] == ["a.toml"]


def test_a_source_without_settings_is_refused(tmp_path) -> None:
    done = command("settings", "sim://noise?rate=0", tmp_path / "a.toml")
    refused(done, "nothing can be set on a source of sim://")
