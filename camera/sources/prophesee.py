"""`prophesee://[SERIAL]`: Prophesee's EVK3 HD and EVK4 through neuromorphic-drivers.

The driver hands out the bytes of the camera, and our decoder reads them: its own events of 13 bytes
each would be made only to be taken apart again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from saccade.camera.sources.base import LivePacket, SourceError, SourceLostError
from saccade.camera.sources.drivers import import_driver, reason
from saccade.camera.sources.evt3_stream import Evt3Stream
from saccade.camera.sources.prophesee_settings import CAMERAS, Wanted, make_configuration
from saccade.camera.sources.settings import Table, load_settings, to_table
from saccade.camera.sources.uri import SourceUri

MODULE, EXTRA = "neuromorphic_drivers", "prophesee"
#: The driver returns this often where nothing comes.
_WAIT_S = 0.02
_LOOK = "see `saccade doctor`"
_REMEDY = "see `saccade devices`; close other programs that use it"


def open_prophesee(uri: SourceUri) -> PropheseeSource:
    """Opens the camera of that serial number, the first one without."""
    path = uri.take("settings")
    wanted = Wanted(
        roi=uri.take("roi"),
        rate=uri.number("erc", 0, 1000, 4e9),
        table=load_settings(path, "prophesee") if path else {},
        stated=uri.rest(),
    )
    driver = import_driver(uri.text, MODULE, EXTRA)
    found = find_cameras(uri.text, driver)
    if not found:
        what = "no EVK3 HD or EVK4 is plugged in"
        raise SourceError(uri.text, what, "see `saccade devices`")
    serial = uri.place or next(iter(found))
    if serial not in found:
        what = f"no camera has this serial number; there is {', '.join(found)}"
        raise SourceError(uri.text, what, "see `saccade devices`")
    return PropheseeSource(driver, f"prophesee://{serial}", serial, found[serial], wanted)


def list_cameras() -> dict[str, str]:
    """The model of each camera that the driver finds, by serial number; SourceError without it."""
    return find_cameras("prophesee://", import_driver("prophesee://", MODULE, EXTRA))


def find_cameras(name: str, driver: Any) -> dict[str, str]:
    """The model ("PROPHESEE_EVK4") of each camera that can be opened, by serial number.

    Raises SourceError where the driver cannot look, or may open none of those that are there.
    """
    try:
        listed = driver.list_devices()
    except Exception as error:  # "Other error" where there is no USB bus
        raise SourceError(name, f"the driver finds nothing: {reason(error)}", _LOOK) from None
    cameras = [device for device in listed if device.name.name in CAMERAS]
    found = {str(device.serial): str(device.name.name) for device in cameras if device.serial}
    faults = [device.error for device in cameras if device.error]
    if faults and not found:
        what = f"a camera is there, but cannot be opened: {faults[0]}"
        raise SourceError(name, what, "see `saccade doctor`")
    return found


class PropheseeSource:
    """One camera; see `saccade.camera.sources.base.LiveSource`."""

    def __init__(self, driver: Any, name: str, serial: str, model: str, wanted: Wanted) -> None:
        self.name, self.serial, self._model = name, serial, model
        self._driver = driver
        self._configuration = make_configuration(driver, model, wanted, name)
        self._lost = {"overflows": 0, "transfers": 0}
        self._dropped_before = 0  # transfers, until the camera was opened last
        self._closed = self._reading = False
        self._device: Any = self._open()
        properties = self._device.properties()
        self.sensor = str(self._device.name().value)
        self.width, self.height = int(properties.width), int(properties.height)
        self._words = Evt3Stream(self.width, self.height)

    @property
    def lost(self) -> dict[str, int]:
        """How often the driver's ring was full, how many transfers it had no room for, and damaged
        ones (`damaged_packets`).

        Nobody knows the events in them, nor those that the sensor itself left out.
        """
        return {**self._lost, "damaged_packets": self._words.damaged}

    @property
    def dropped(self) -> dict[str, int]:
        """Events that were left out, by class."""
        return self._words.dropped

    def settings(self) -> Table:
        """What was set: the camera cannot be asked."""
        return to_table(self._configuration)

    def packets(self, timeout_s: float) -> Iterator[LivePacket | None]:
        """What arrives; see `LiveSource.packets`."""
        given, self._reading = time.monotonic(), True
        try:
            while not self._closed:
                found = self._next()
                packet = self._words.packet(*found) if found is not None else None
                if packet is not None:
                    yield packet
                    given = time.monotonic() if packet.n_events else given
                if time.monotonic() - given >= timeout_s:
                    yield None
                    given = time.monotonic()
        finally:
            self._reading = False
            if self._closed:
                self._close()

    def reopen(self) -> None:
        """Opens the same camera again, with what was set on it; its clock begins anew."""
        self._close()
        try:
            if find_cameras(self.name, self._driver).get(self.serial) != self._model:
                raise SourceLostError(self.name, "it is not there", "plug it in")
            self._device = self._open()
        except SourceError as error:  # it may not be ready yet
            raise SourceLostError(self.name, error.what, error.remedy) from None
        self._dropped_before = self._lost["transfers"]
        self._words.restart()

    def close(self) -> None:
        """Lets go of the camera; while another thread reads, that one does at its next turn."""
        self._closed = True
        if not self._reading:
            self._close()

    def _close(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            with contextlib.suppress(Exception):  # of a camera that is gone
                device.close()

    def _open(self) -> Any:
        try:
            return self._driver.open(
                configuration=self._configuration,
                iterator_timeout=_WAIT_S,
                raw=True,
                serial=self.serial,
            )
        except Exception as error:  # whatever the driver raises
            raise SourceError(self.name, f"cannot open it: {reason(error)}", _REMEDY) from None

    def _next(self) -> tuple[bytes, int, list[int]] | None:
        """The next bytes, when they arrived, and where in them some are missing.

        Raises SourceLostError where the camera is gone.
        """
        try:
            status, data = next(self._device)
        except Exception as error:  # whatever the driver raises
            if self._closed:
                return None
            what = f"the camera is gone: {reason(error)}"
            raise SourceLostError(self.name, what, "plug it in") from None
        if status.ring is None or not data:
            return None
        losses: list[int] = list(status.ring.overflow_indices or ())
        self._lost["overflows"] += len(losses)
        self._lost["transfers"] = self._dropped_before + status.ring.dropped_packets
        late_ns = max(0, round((status.delay() or 0.0) * 1e9))
        return data, time.monotonic_ns() - late_ns, losses
