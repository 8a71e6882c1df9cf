"""inivation://: control flow against a stand-in, names and kinds against the real dv-processing."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from contextlib import closing

import numpy as np
import pytest
from tests.camera.sources.fake_dv import Driver

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.sources import SourceError, SourceLostError, open_source
from saccade.camera.sources.drivers import checked
from saccade.camera.sources.inivation_settings import _pairs
from saccade.camera.sources.reopening import Reopening
from saccade.camera.sources.settings import save_settings


def events(n: int, x: int = 3) -> Packet:
    columns = np.full(n, x, np.uint16), np.arange(n, dtype=np.uint16), np.arange(n) % 2 == 0
    return Packet(1_700_000_000_000_000 + np.arange(n, dtype=np.uint64), *columns)


@pytest.fixture
def install(monkeypatch):
    def put(driver: Driver) -> Driver:
        monkeypatch.setitem(sys.modules, "dv_processing", driver)
        return driver

    return put


def test_events_of_the_first_camera_or_of_that_serial(install) -> None:
    install(Driver(A1=[events(5), None, events(2, x=64)], B2=[events(4)]))
    with closing(open_source("inivation://")) as source:
        assert (source.name, source.serial, source.sensor) == (
            "inivation://A1",
            "A1",
            "DAVIS346_A1",
        )
        assert (source.width, source.height, source.lost) == (64, 48, {})
        packets = source.packets(0.02)
        live = next(packets)
        assert live is not None and live.raw is None and live.received_ns > 0
        for name in ("t", "x", "y", "on"):
            assert np.array_equal(getattr(live.events, name), getattr(events(5), name))
        assert next(packets) is None and next(packets) is None
        assert source.dropped == {"out_of_bounds": 2, "negative_time": 0}
        source.close()
        assert list(packets) == []
    assert open_source("inivation://B2").serial == "B2"


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("inivation://C3", "no camera has this serial number; there is A1"),
        (
            "inivation://A1?zoom=3",
            "this camera has no setting zoom; it has biases, contrast_thresh",
        ),
        ("inivation://A1?readout_fps=7", "7: no choice here; use CONSTANT_100, VARIABLE_5000"),
        ("inivation://A1?contrast_threshold_on=much", "'much'; it must be like 9"),
        ("inivation://A1?crop_area=1,2,3", "must be like [0, 0, 64, 48]"),
        ("inivation://A1?biases=3", "biases is a table; write biases.NAME"),
        ("inivation://A1?settings=/nowhere", "/nowhere: "),
    ],
)
def test_what_cannot_be_is_one_line(install, uri: str, says: str) -> None:
    install(Driver(A1=[]))
    with pytest.raises(SaccadeError) as found:
        open_source(uri)
    assert says in str(found.value) and "\n" not in str(found.value)


def test_without_a_camera_or_a_driver(install, monkeypatch) -> None:
    install(Driver())
    with pytest.raises(SourceError, match="no camera of iniVation is plugged in"):
        open_source("inivation://")
    monkeypatch.setitem(sys.modules, "dv_processing", None)
    with pytest.raises(SourceError, match=r"pip install 'saccade\[inivation\]'"):
        open_source("inivation://")


def test_settings_are_set_read_saved_and_loaded(install, tmp_path) -> None:
    driver = install(Driver(A1=[]))
    query = "contrast_threshold_on=5&readout_fps=VARIABLE_5000&crop_area=1,2,30,40"
    source = open_source(f"inivation://A1?{query}&events_running=false&biases.On=6,7")
    stated = {
        "contrast_threshold_on": 5,
        "crop_area": [1, 2, 30, 40],
        "events_running": False,
        "readout_fps": "VARIABLE_5000",
        "time_interval_us": 2000,
        "biases": {"On": [6, 7], "Off": [4, 0], "ApsCascode": 21},
    }
    assert source.settings() == stated
    assert ("On", 6, 7) in driver.opened[0].calls and len(driver.opened[0].calls) == 6
    path = tmp_path / "a.toml"
    save_settings(path, "inivation", source.sensor, source.settings())
    again = open_source(f"inivation://A1?settings={path}&contrast_threshold_on=7")
    assert again.settings() == {**stated, "contrast_threshold_on": 7}
    with pytest.raises(SaccadeError, match="no settings of a camera of prophesee"):
        open_source(f"prophesee://?settings={path}")
    path.write_text("x = [")
    with pytest.raises(SaccadeError, match="save one with `saccade settings"):
        open_source(f"inivation://A1?settings={path}")


@pytest.mark.parametrize("end", ["gone", RuntimeError("USB: no device")])
def test_an_unplugged_camera_comes_back_as_it_was_set(install, end) -> None:
    driver = install(Driver(A1=[events(5), end], B2=[]))
    live = Reopening(open_source("inivation://A1?contrast_threshold_on=5"))
    packets = live.packets(0.02)
    assert len(next(packets).events) == 5
    del driver.cameras["A1"]
    assert next(packets) is None and live.outages == 1 and "the camera is gone" in live.fault
    while "the camera is gone" in live.fault:
        assert next(packets) is None
    assert "it is not there; plug it in" in live.fault
    driver.cameras["A1"] = [events(3)]
    found = next(packet for packet in packets if packet is not None)
    assert len(found.events) == 3 and live.fault == "" and live.outage_s > 0
    assert [camera.serial for camera in driver.opened] == ["A1", "A1"]
    assert live.settings()["contrast_threshold_on"] == 5
    live.close()


def test_the_drivers_message_is_one_line(install) -> None:
    driver = install(Driver(A1=[]))
    source = open_source("inivation://A1")
    driver.discover = Driver(A1=[]).discover
    driver.cameras.clear()
    with pytest.raises(SourceLostError, match="^inivation://A1: cannot open it: Could not find"):
        source.reopen()


def real():
    if importlib.util.find_spec("dv_processing") is None:
        pytest.skip("dv_processing is not installed: pip install -e '.[inivation]'")
    return importlib.import_module("dv_processing")


@pytest.mark.parametrize("model", ["DAVIS", "DVXplorer", "DVXplorerM", "DVS128"])
def test_the_real_driver_has_all_that_is_used(model: str) -> None:
    dv = real()
    kind = getattr(dv.io.camera, model)
    names = ("getCameraName", "getEventResolution", "isRunning", "getNextEventBatch")
    assert all(callable(getattr(kind, name)) for name in names)
    pairs = list(_pairs(kind))
    assert ("setTimeInterval", "getTimeInterval") in pairs
    assert ("setCropArea", "getCropArea") in pairs and len(pairs) >= 6
    for setter, getter in pairs:  # a value of the same kind out and in, of the kinds we know
        given = re.search(r"-> (.+)$", getattr(kind, getter).__doc__.splitlines()[0])[1]
        taken = re.search(r"\(self: [\w.]+, \w+: (.+)\) -> None", getattr(kind, setter).__doc__)[1]
        assert given == taken or (given == "int" and taken.startswith("typing.SupportsInt")), setter
        known = given in ("bool", "int", "float", "datetime.timedelta", "tuple_xywh")
        assert known or hasattr(_resolve(dv, given), "__members__"), given


def _resolve(dv, name: str):
    for part in name.split(".")[1:]:
        dv = getattr(dv, part)
    return dv


def test_the_real_driver_opens_by_serial_and_lists_none() -> None:
    camera = real().io.camera
    assert "open(serialNumber: str" in camera.open.__doc__
    assert camera.discover() == [] or hasattr(camera.discover()[0], "serialNumber")
    assert hasattr(camera.USBDevice.DeviceDescriptor, "serialNumber")
    assert hasattr(camera.USBDevice.DeviceDescriptor, "cameraModel")
    assert {"DAVIS", "DVXPLORER", "DVXPLORER_M"} <= set(camera.CameraModel.__members__)
    for family in ("Davis346", "Davis240", "CDavis"):
        biases = getattr(camera.DAVIS, f"{family}BiasCF")
        assert {"On", "Off", "Refractory"} <= set(biases.__members__)
        assert f"bias: dv_processing.io.camera.DAVIS.{family}BiasCF, coarse" in (
            getattr(camera.DAVIS, f"set{family}BiasCoarseFine").__doc__
        )
    assert {"DAVIS346", "DAVIS240C", "CDAVIS"} <= set(camera.DAVIS.SensorModel.__members__)


def test_the_real_drivers_events_become_a_packet() -> None:
    store = real().EventStore()
    for k in range(5):
        store.push_back(1_700_000_000_000_000 + k, k, 2 * k, k % 2 == 0)
    array = store.numpy()
    dropped = {"out_of_bounds": 0, "negative_time": 0}
    columns = (array["timestamp"], array["x"], array["y"], array["polarity"])
    packet = checked(*columns, (4, 48), dropped)
    assert packet.x.tolist() == [0, 1, 2, 3] and packet.y.tolist() == [0, 2, 4, 6]
    assert packet.on.tolist() == [True, False, True, False] and store.size() == 5
    assert dropped == {"out_of_bounds": 1, "negative_time": 0}
