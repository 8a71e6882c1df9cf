"""`inivation://[SERIAL]`: iniVation's cameras (DAVIS, DVXplorer, DVXplorer Micro and Lite, DVS128)
through dv-processing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from saccade.camera.errors import SaccadeError
from saccade.camera.sources.base import LivePacket, SourceError, SourceLostError
from saccade.camera.sources.drivers import checked, import_driver, reason
from saccade.camera.sources.inivation_settings import apply_settings, read_settings
from saccade.camera.sources.settings import Table, changes, load_settings, merge
from saccade.camera.sources.uri import SourceUri

MODULE, EXTRA = "dv_processing", "inivation"
#: The driver hands out events at this interval; its own default of 10 ms would be a third of the
#: latency of a 30 ms slice.
_COMMIT_US = 2_000
_POLL_S = 0.0005
_LOOK = "see `saccade doctor`"
_REMEDY = "see `saccade devices`; close other programs that use it"


def open_inivation(uri: SourceUri) -> InivationSource:
    """Opens the camera of that serial number, the first one without."""
    path = uri.take("settings")
    wanted = load_settings(path, "inivation") if path else {}
    stated = {"time_interval_us": _COMMIT_US, **wanted, **uri.rest()}
    driver = import_driver(uri.text, MODULE, EXTRA)
    serial = _serial(uri, driver)
    return InivationSource(driver, f"inivation://{serial}", serial, stated)


def list_cameras() -> dict[str, str]:
    """The model of each camera that the driver finds, by serial number; SourceError without it."""
    return _find("inivation://", import_driver("inivation://", MODULE, EXTRA))


def _serial(uri: SourceUri, driver: Any) -> str:
    found = list(_find(uri.text, driver))
    if not found:
        raise SourceError(uri.text, "no camera of iniVation is plugged in", "see `saccade devices`")
    if uri.place and uri.place not in found:
        what = f"no camera has this serial number; there is {', '.join(found)}"
        raise SourceError(uri.text, what, "see `saccade devices`")
    return uri.place or found[0]


def _find(name: str, driver: Any) -> dict[str, str]:
    try:
        found = driver.io.camera.discover()
        return {str(device.serialNumber): str(device.cameraModel.name) for device in found}
    except Exception as error:  # whatever the driver raises
        raise SourceError(name, f"the driver finds nothing: {reason(error)}", _LOOK) from None


class InivationSource:
    """One camera; see `saccade.camera.sources.base.LiveSource`."""

    def __init__(self, driver: Any, name: str, serial: str, wanted: Table) -> None:
        """`wanted` are settings, perhaps as texts; SaccadeError where this camera has not such."""
        self.name, self.serial = name, serial
        self._driver = driver
        self._dropped = {"out_of_bounds": 0, "negative_time": 0}
        self._closed = False
        self._camera: Any = self._open()
        try:
            self.sensor = str(self._camera.getCameraName())
            self.width, self.height = self._size()
            self._settings = self._set(wanted)
        except BaseException:
            self._camera = None
            raise

    @property
    def lost(self) -> dict[str, int]:
        """Nothing: dv-processing does not tell what it loses."""
        return {}

    @property
    def dropped(self) -> dict[str, int]:
        """Events that were left out, by class."""
        return dict(self._dropped)

    def settings(self) -> dict[str, Any]:
        """All that can be set, as the camera says it; after its loss, as it said last."""
        with contextlib.suppress(Exception):
            if self._camera is not None:
                self._settings = read_settings(self._camera)
        return self._settings

    def packets(self, timeout_s: float) -> Iterator[LivePacket | None]:
        """What arrives; see `LiveSource.packets`."""
        given = time.monotonic()
        while not self._closed:
            batch = self._next()
            if batch is None:
                if time.monotonic() - given >= timeout_s:
                    yield None
                    given = time.monotonic()
                time.sleep(_POLL_S)
                continue
            received_ns = time.monotonic_ns()
            events = batch.numpy()
            columns = (events["timestamp"], events["x"], events["y"], events["polarity"])
            packet = checked(*columns, (self.width, self.height), self._dropped)
            if len(packet):
                yield LivePacket(packet, received_ns)
                given = time.monotonic()

    def reopen(self) -> None:
        """Opens the same camera again, and sets what was set on it."""
        self._camera = None  # which closes it
        try:
            if self.serial not in _find(self.name, self._driver):
                raise SourceLostError(self.name, "it is not there", "plug it in")
            self._camera = self._open()
            self._set(self._settings)
        except SourceError as error:  # it may not be ready yet
            self._camera = None
            raise SourceLostError(self.name, error.what, error.remedy) from None

    def close(self) -> None:
        """Lets go of the camera."""
        self._closed = True
        self._camera = None

    def _open(self) -> Any:
        try:
            return self._driver.io.camera.open(self.serial)
        except Exception as error:  # whatever the driver raises
            raise SourceError(self.name, f"cannot open it: {reason(error)}", _REMEDY) from None

    def _size(self) -> tuple[int, int]:
        size = self._camera.getEventResolution()
        if size is None:
            raise SourceError(self.name, "it has no event stream", "plug in an event camera")
        width, height = size
        return int(width), int(height)

    def _set(self, wanted: Table) -> Table:
        """What is set afterwards."""
        try:
            before = read_settings(self._camera)
            apply_settings(self._camera, changes(before, merge(before, wanted, self.name)))
            return read_settings(self._camera)
        except SaccadeError:
            raise
        except Exception as error:  # whatever the driver raises
            raise SourceError(self.name, f"cannot set it: {reason(error)}", _REMEDY) from None

    def _next(self) -> Any:
        """The next batch, None where there is none; SourceLostError where the camera is gone."""
        camera = self._camera
        try:
            if camera is not None:
                batch = camera.getNextEventBatch()
                if batch is not None and batch.size():
                    return batch
                if camera.isRunning():
                    return None
            what = "the camera is gone"
        except Exception as error:  # whatever the driver raises
            what = f"the camera is gone: {reason(error)}"
        if self._closed:
            return None
        raise SourceLostError(self.name, what, "plug it in")
