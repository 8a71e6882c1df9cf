"""The cameras that are plugged in, as the USB bus and the drivers know them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.sources import SourceError, inivation, open_source, prophesee
from saccade.camera.sources.settings import save_settings
from saccade.stream.doctor_usb import UsbDevice, check_camera, find_cameras

#: By vendor: the scheme of the sources.
_SCHEMES = {"152a": "inivation", "04b4": "prophesee", "03fd": "prophesee"}
#: By vendor and product, where they tell.
_SENSORS = {
    "152a:8419": "DVXplorer",
    "152a:841a": "DAVIS346",
    "04b4:00f4": "EVK3 HD or EVK4",
    "04b4:00f5": "EVK3 HD or EVK4",
}


class Device(msgspec.Struct, frozen=True):
    """A camera on the USB bus.

    Attributes:
        uri: the source that opens it.
        serial: "" where it has none or this user may not read it.
        sensor: what its driver, or else its product id, says it is; "" where unknown.
        title: what it calls itself.
        usb: its vendor's and product's ids, in hexadecimal.
        speed: of its link, Mb/s.
        state, says, remedy: whether this user may open it; see `saccade.stream.doctor.Check`.
    """

    uri: str
    serial: str
    sensor: str
    title: str
    usb: str
    speed: float
    state: str
    says: str
    remedy: str


class Devices(msgspec.Struct, frozen=True):
    """All cameras, and what stands in the way of each driver, by scheme ("": nothing does)."""

    devices: list[Device]
    drivers: dict[str, str]


def find_devices(sys: Path = Path("/sys"), dev: Path = Path("/dev")) -> Devices:
    """Looks at the bus, and asks the drivers that are installed."""
    drivers: dict[str, str] = {}
    sensors: dict[str, str] = {}
    for scheme, names in (
        ("inivation", inivation.list_cameras),
        ("prophesee", prophesee.list_cameras),
    ):
        listed, drivers[scheme] = _ask(names)
        sensors |= listed
    cameras = find_cameras(sys, dev)
    return Devices([_device(camera, sensors) for camera in cameras], drivers)


def in_lines(found: Devices) -> Iterator[str]:
    """What is there, for a person."""
    if not found.devices:
        yield "no event camera is plugged in; sim://scene is a virtual one"
    for device in found.devices:
        serial = f", serial {device.serial}" if device.serial else ""
        sensor = device.sensor or device.title
        yield f"{device.uri}  {sensor} ({device.usb}{serial}): {device.says}"
        if device.remedy:
            yield f"       -> {device.remedy}"
    for scheme, fault in found.drivers.items():
        if fault and any(device.uri.startswith(scheme) for device in found.devices):
            yield f"{scheme}://: {fault}"


def write_settings(uri: str, path: str) -> str:
    """Saves what is set on a camera; a line that says so.

    Raises SaccadeError where it cannot be opened, or has no settings.
    """
    with closing(open_source(uri)) as source:
        table = source.settings()
        if not table:
            scheme = uri.partition("://")[0]
            what = f"{printable(source.name)}: nothing can be set on a source of {scheme}://"
            raise SaccadeError(f"{what}; use inivation:// or prophesee://")
        scheme = source.name.partition("://")[0]
        save_settings(path, scheme, source.sensor, table)
        return f"wrote {printable(path)}; use it as {source.name}?settings={printable(path)}"


def _ask(names: Callable[[], dict[str, str]]) -> tuple[dict[str, str], str]:
    try:
        return names(), ""
    except SourceError as error:
        return {}, f"{error.what}; {error.remedy}"


def _device(camera: UsbDevice, sensors: dict[str, str]) -> Device:
    usb = f"{camera.vendor}:{camera.product}"
    check = check_camera(camera)
    return Device(
        uri=f"{_SCHEMES[camera.vendor]}://{camera.serial}",
        serial=camera.serial,
        sensor=sensors.get(camera.serial) or _SENSORS.get(usb, ""),
        title=camera.title,
        usb=usb,
        speed=camera.speed,
        state=check.state,
        says=check.says,
        remedy=check.remedy,
    )
