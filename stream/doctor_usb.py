"""The doctor's checks of USB: event cameras, whether they may be opened, and buffers for them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from saccade.camera.errors import printable
from saccade.stream.doctor import Check

#: Vendors of event cameras. The last two make USB chips for many devices: of those only these
#: products are taken, and what calls itself by one of `_TITLES`.
VENDORS = {"152a": "iniVation", "04b4": "Prophesee (Cypress)", "03fd": "Prophesee (Xilinx)"}
_PRODUCTS = {"04b4": ("00f1", "00f3", "00f4", "00f5"), "03fd": ("5832",)}
_TITLES = ("prophesee", "evk", "silkyevcam", "event camera")
_SUPER_SPEED = 5000  # Mb/s
_RULES = "/etc/udev/rules.d/65-saccade.rules"
#: MB of all transfers at once: HD cameras fill the kernel's 16 in 50 ms of their bursts.
_USB_MEMORY = 128


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A device of the USB bus: its ids in hexadecimal, what it calls itself, its speed in Mb/s.

    `serial` is "" where it has none or this user may not read it. `version` is that of USB: 2.1
    where a device of USB 3 is on a port of USB 2.
    """

    vendor: str
    product: str
    title: str
    serial: str
    speed: float
    version: float
    node: Path


def find_cameras(sys: Path, dev: Path) -> list[UsbDevice]:
    """The event cameras on the bus, by their vendors."""
    found: list[UsbDevice] = []
    for folder in sorted((sys / "bus" / "usb" / "devices").glob("*")):
        vendor, product, title = (_read(folder / f) for f in ("idVendor", "idProduct", "product"))
        if not _is_camera(vendor, product, f"{_read(folder / 'manufacturer')} {title}"):
            continue
        bus, number = (_number(folder / name) for name in ("busnum", "devnum"))
        found.append(
            UsbDevice(
                vendor=vendor,
                product=product,
                title=printable(title or VENDORS[vendor]),
                serial=printable(_read(folder / "serial")),
                speed=_number(folder / "speed"),
                version=_number(folder / "version"),
                node=dev / "bus" / "usb" / f"{int(bus):03d}" / f"{int(number):03d}",
            )
        )
    return found


def _is_camera(vendor: str, product: str, title: str) -> bool:
    if vendor not in _PRODUCTS:
        return vendor in VENDORS
    return product in _PRODUCTS[vendor] or any(word in title.lower() for word in _TITLES)


def check_cameras(sys: Path, dev: Path) -> list[Check]:
    """Each camera: whether this user may open it, and whether its port is fast enough."""
    if not (sys / "bus" / "usb" / "devices").is_dir():
        remedy = "in a container give it the bus: `docker run -v /dev/bus/usb:/dev/bus/usb`"
        return [Check("cameras", "note", "there is no USB bus here", remedy)]
    cameras = find_cameras(sys, dev)
    if not cameras:
        remedy = "plug one in for live labels; `lsusb` lists what is there. Recordings need none"
        return [Check("cameras", "note", "no event camera is plugged in", remedy)]
    return [check_camera(camera) for camera in cameras]


def check_camera(camera: UsbDevice) -> Check:
    """One camera."""
    name = f"camera {camera.title} ({camera.vendor}:{camera.product})"
    if not camera.node.exists():
        says = f"{camera.node} is not there, as in a container without it"
        remedy = "`docker run -v /dev/bus/usb:/dev/bus/usb --device-cgroup-rule='c 189:* rmw'`"
        return Check(name, "wrong", says, remedy)
    if not os.access(camera.node, os.R_OK | os.W_OK):
        rule = f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{camera.vendor}", MODE="0666"'
        remedy = f"echo '{rule}' | sudo tee -a {_RULES} && sudo udevadm control --reload && "
        remedy += "sudo udevadm trigger"
        return Check(name, "wrong", f"this user may not open it ({camera.node})", remedy)
    if camera.version > 2 and camera.speed < _SUPER_SPEED:
        says = f"linked at {camera.speed:g} Mb/s: bursts of events will be lost"
        return Check(name, "note", says, "use a port and a cable of USB 3 (often blue)")
    return Check(name, "ok", f"can be opened, {camera.speed:g} Mb/s")


def check_usb_memory(sys: Path) -> list[Check]:
    """How much memory the kernel lends to transfers; nothing where it has no USB."""
    path = sys / "module" / "usbcore" / "parameters" / "usbfs_memory_mb"
    text = _read(path)
    if not text.isdigit():
        return []
    if int(text) == 0 or int(text) >= _USB_MEMORY:  # 0 is without a limit
        return [Check("USB memory", "ok", f"{text} MB" if int(text) else "unlimited")]
    says = f"{text} MB, and a fast camera wants {_USB_MEMORY} (usbfs_memory_mb)"
    remedy = f"echo {_USB_MEMORY} | sudo tee {path}; for good: usbcore.usbfs_memory_mb="
    return [
        Check("USB memory", "note", says, f"{remedy}{_USB_MEMORY} on the kernel's command line")
    ]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _number(path: Path) -> float:
    try:
        return float(_read(path))
    except ValueError:
        return 0
