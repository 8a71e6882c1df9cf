"""prophesee://: control flow against a stand-in, names against the real neuromorphic-drivers."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import inspect
import sys
from contextlib import closing
from itertools import islice

import numpy as np
import pytest
from tests.camera.sources.fake_neuromorphic import Driver

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.sources import SourceError, open_source
from saccade.camera.sources.prophesee_settings import CAMERAS, Wanted, make_configuration
from saccade.camera.sources.reopening import Reopening
from saccade.camera.sources.settings import load_settings, save_settings, to_table

EVK4 = "PROPHESEE_EVK4"


def words(n: int) -> bytes:
    """Of n events in the rows 0 to n - 1."""
    t, k = np.arange(n, dtype=np.uint64) + np.uint64(100), np.arange(n, dtype=np.uint16)
    return bytes(_native.Evt3Encoder(64, 0).encode(t, k, k, np.ones(n, np.bool_)))


@pytest.fixture
def install(monkeypatch):
    def put(driver: Driver) -> Driver:
        monkeypatch.setitem(sys.modules, "neuromorphic_drivers", driver)
        return driver

    return put


def test_the_bytes_of_the_camera_are_decoded(install) -> None:
    driver = install(
        Driver(
            D0=("INIVATION_DAVIS346", None, []),
            P1=(EVK4, None, [words(5), None, words(60)]),
            P2=("PROPHESEE_EVK3_HD", None, []),
        )
    )
    with closing(open_source("prophesee://")) as source:
        assert (source.name, source.serial, source.sensor) == ("prophesee://P1", "P1", EVK4)
        assert (source.width, source.height) == (64, 48)
        packets = source.packets(0.02)
        live = next(packets)
        assert live is not None and live.raw == words(5) and live.encoding == "evt3"
        assert live.events.t.tolist() == [100, 101, 102, 103, 104]
        found = next(packet for packet in packets if packet is not None)
        assert len(found.events) == 48 and source.dropped["out_of_bounds"] == 12
        assert next(packets) is None and not any(source.lost.values())
        source.close()
        assert list(packets) == [] and driver.opened[0].closed
    assert open_source("prophesee://P2").sensor == "PROPHESEE_EVK3_HD"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("prophesee://X", "no camera has this serial number; there is P1"),
        ("prophesee://?zoom=3", "this camera has no setting zoom; it has biases, clock"),
        ("prophesee://?biases.zoom=3", "this camera has no setting zoom; it has diff_off, diff_on"),
        ("prophesee://?biases.diff_on=x", "diff_on is 'x'; it must be like 0"),
        ("prophesee://?biases.diff_on=99999", "a setting is too large or too small"),
        ("prophesee://?roi=0,0,65,1", "roi=0,0,65,1: not an area of 64x48; write X,Y,WIDTH,HEIGHT"),
        ("prophesee://?clock=WRONG", "WRONG: no choice here; use INTERNAL, EXTERNAL"),
        ("prophesee://?x_mask=zz", "'zz': no number"),
        ("prophesee://?erc=fast", "erc must be a number"),
    ],
)
def test_what_cannot_be_is_one_line(install, uri: str, says: str) -> None:
    install(Driver(P1=(EVK4, None, [])))
    with pytest.raises(SaccadeError) as found:
        open_source(uri)
    assert says in str(found.value) and "\n" not in str(found.value)


def test_without_a_camera_a_permission_a_bus_or_a_driver(install, monkeypatch) -> None:
    install(Driver())
    with pytest.raises(SourceError, match="no EVK3 HD or EVK4 is plugged in"):
        open_source("prophesee://")
    install(Driver(P1=(EVK4, "Access denied", [])))
    with pytest.raises(SourceError, match="cannot be opened: Access denied; see `saccade doctor`"):
        open_source("prophesee://")

    def fails():
        raise RuntimeError("Other error")

    install(Driver()).list_devices = fails
    with pytest.raises(SourceError, match="the driver finds nothing: Other error"):
        open_source("prophesee://")
    monkeypatch.setitem(sys.modules, "neuromorphic_drivers", None)
    with pytest.raises(SourceError, match=r"pip install 'saccade\[prophesee\]'"):
        open_source("prophesee://")


def test_settings_are_stated_saved_and_loaded(install, tmp_path) -> None:
    driver = install(Driver(P1=(EVK4, None, [])))
    source = open_source("prophesee://P1?biases.diff_on=20&clock=EXTERNAL&erc=10M&roi=0,0,1,2")
    made = driver.configurations[0]
    assert made.biases.diff_on == 20 and made.clock.name == "EXTERNAL"
    assert dataclasses.astuple(made.rate_limiter) == (200, 2000)
    assert made.x_mask == ((1 << 64) - 2,)  # the first column is seen
    assert made.y_mask == ((1 << 46) - 1,)  # and the two highest rows, counted from below
    path = tmp_path / "a.toml"
    save_settings(path, "prophesee", source.sensor, source.settings())
    open_source(f"prophesee://P1?settings={path}&biases.diff_off=-5")
    again = driver.configurations[1]
    assert again.biases.diff_off == -5
    assert to_table(again) == {**to_table(made), "biases": {"diff_on": 20, "diff_off": -5}}


def test_what_the_driver_lost_is_counted_and_gives_no_event_a_wrong_row(install) -> None:
    torn = words(5)[:-2] + words(60)[20:]  # without its time and its first rows
    reads = [words(5), (torn, [len(words(5)) - 2], 3), RuntimeError("NoDevice"), (words(4), [], 2)]
    install(Driver(P1=(EVK4, None, reads)))
    live = Reopening(open_source("prophesee://"))
    found = list(islice((packet for packet in live.packets(0.02) if packet is not None), 3))
    live.close()
    assert [packet.events.t.tolist() for packet in found if len(packet.events)] == [
        [100, 101, 102, 103, 104], [100, 101, 102, 103], [100, 101, 102, 103],
    ]  # fmt: skip
    assert live.lost == {"overflows": 1, "transfers": 5, "damaged_packets": 0}
    assert live.dropped["after_loss"] > 40
    assert found[2].before is None and found[1].before == found[0].after


def test_an_unplugged_camera_comes_back_as_it_was_set(install) -> None:
    reads = [words(5), RuntimeError("NoDevice"), words(4)]
    driver = install(Driver(P1=(EVK4, None, reads)))
    live = Reopening(open_source("prophesee://?biases.diff_on=7"))
    packets = live.packets(0.02)
    assert len(next(packets).events) == 5
    camera = driver.cameras.pop("P1")
    while "it is not there" not in live.fault:
        assert next(packets) is None
    driver.cameras["P1"] = camera
    assert len(next(packet for packet in packets if packet is not None).events) == 4
    assert live.outages == 1 and driver.opened[0].closed and not driver.opened[1].closed
    assert driver.configurations[0] == driver.configurations[1]
    live.close()


def real():
    if importlib.util.find_spec("neuromorphic_drivers") is None:
        pytest.skip("neuromorphic_drivers is not installed: pip install -e '.[prophesee]'")
    return importlib.import_module("neuromorphic_drivers")


def test_the_real_driver_has_all_that_is_used() -> None:
    nd = real()
    assert {"configuration", "iterator_timeout", "raw", "serial"} <= set(
        inspect.signature(nd.open).parameters
    )
    assert set(CAMERAS) <= set(nd.Name.__members__)
    assert {"name", "serial", "error"} <= {f.name for f in dataclasses.fields(nd.ListedDevice)}
    device = importlib.import_module("neuromorphic_drivers.device").Device
    assert all(hasattr(device, name) for name in ("__next__", "properties", "name", "close"))
    status = importlib.import_module("neuromorphic_drivers.status")
    assert {f.name for f in dataclasses.fields(status.RawStatus)} >= {"ring"}
    assert hasattr(status.RawStatus, "delay")
    ring = {f.name for f in dataclasses.fields(status.RawRingStatus)}
    assert {"overflow_indices", "dropped_packets"} <= ring


@pytest.mark.parametrize("model", sorted(CAMERAS))
def test_the_real_drivers_configuration_goes_through_a_settings_file(model, tmp_path) -> None:
    nd = real()
    module = getattr(nd, CAMERAS[model])
    nothing = Wanted("", 0, {}, {})
    assert make_configuration(nd, model, nothing, "x") == module.Configuration()
    stated = {"biases.diff_on": "20", "mask_intersection_only": "true"}
    made = make_configuration(nd, model, Wanted("320,0,640,360", 20e6, {}, stated), "x")
    assert made.biases.diff_on == 20 and made.rate_limiter == module.RateLimiter(200, 4000)
    assert made.x_mask[:5] == made.x_mask[15:] == (2**64 - 1,) * 5
    assert made.x_mask[5:15] == (0,) * 10
    save_settings(tmp_path / "a.toml", "prophesee", model, to_table(made))
    table = load_settings(str(tmp_path / "a.toml"), "prophesee")
    again = make_configuration(nd, model, Wanted("", 0, table, {}), "x")
    assert again == made and again.serialize() == made.serialize()
    with pytest.raises(SaccadeError, match="too large or too small"):
        make_configuration(nd, model, Wanted("", 0, {}, {"biases.diff_on": "70000"}), "x")
