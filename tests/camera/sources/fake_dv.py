# ruff: noqa: N802 (the names are the driver's)
"""A stand-in for dv-processing's cameras: what `inivation.py` uses, with nothing behind it."""

from __future__ import annotations

import enum
from datetime import timedelta
from types import SimpleNamespace

import numpy as np

from saccade.camera.events import Packet

_EVENT = np.dtype([("timestamp", "<i8"), ("x", "<i2"), ("y", "<i2"), ("polarity", "i1")])


class Batch:
    """An EventStore."""

    def __init__(self, packet: Packet) -> None:
        self._events = np.zeros(len(packet), _EVENT)
        self._events["timestamp"], self._events["x"] = packet.t, packet.x
        self._events["y"], self._events["polarity"] = packet.y, packet.on

    def size(self) -> int:
        return len(self._events)

    def numpy(self):
        return self._events


class FPS(enum.Enum):
    """As pybind11's enumerations: names are attributes, and `__members__`."""

    CONSTANT_100 = 0
    VARIABLE_5000 = 1


class Biases(enum.Enum):
    On = 0
    Off = 1


class Voltages(enum.Enum):
    ApsCascode = 0


class Camera:
    """One with a setting of each kind, and a DAVIS's biases.

    `batches` holds what it will give: packets, None for nothing, "gone" or an exception.
    """

    Davis346BiasCF, Davis346BiasVDAC = Biases, Voltages

    def __init__(self, serial: str, batches: list) -> None:
        self.serial, self.batches, self.running = serial, batches, True
        self.calls: list[tuple] = []
        self._values = {
            "TimeInterval": timedelta(milliseconds=10),
            "ContrastThresholdOn": 9,
            "ReadoutFPS": FPS.CONSTANT_100,
            "CropArea": (0, 0, 64, 48),
            "EventsRunning": True,
        }
        self._biases = {Biases.On: (5, 20), Biases.Off: (4, 0), Voltages.ApsCascode: 21}

    def getCameraName(self):
        return f"DAVIS346_{self.serial}"

    def getEventResolution(self):
        return (64, 48)

    def getSensorModel(self):
        return SimpleNamespace(name="DAVIS346")

    def isRunning(self):
        return self.running

    def getNextEventBatch(self):
        batch = self.batches.pop(0) if self.batches else None
        if isinstance(batch, Exception):
            raise batch
        if batch == "gone":
            self.running = False
        return Batch(batch) if isinstance(batch, Packet) else None

    def getDavis346BiasCoarseFine(self, bias):
        return self._biases[bias]

    def getDavis346BiasVoltage(self, bias):
        return self._biases[bias]

    def setDavis346BiasCoarseFine(self, bias, coarse, fine):
        self.calls.append((bias.name, coarse, fine))
        self._biases[bias] = (coarse, fine)

    def setDavis346BiasVoltage(self, bias, value):
        self.calls.append((bias.name, value))
        self._biases[bias] = value

    def getSkipFilter(self):
        raise RuntimeError("not on this model")

    def setSkipFilter(self, value):
        raise AssertionError


def _pair(name: str, getter: str):
    def get(self):
        return self._values[name]

    def put(self, value):
        assert type(value) is type(self._values[name])
        self.calls.append((f"set{name}", value))
        self._values[name] = value

    setattr(Camera, getter + name, get)
    setattr(Camera, f"set{name}", put)


for _name in ("TimeInterval", "ContrastThresholdOn", "ReadoutFPS", "CropArea"):
    _pair(_name, "get")
_pair("EventsRunning", "is")


class Driver:
    """The module: `cameras` are those on the bus, by serial number, with their batches."""

    def __init__(self, **cameras: list) -> None:
        self.cameras, self.opened = cameras, []
        self.io = SimpleNamespace(camera=self)

    def discover(self):
        return [
            SimpleNamespace(serialNumber=serial, cameraModel=SimpleNamespace(name="DAVIS"))
            for serial in self.cameras
        ]

    def open(self, serial: str):
        if serial not in self.cameras:
            raise RuntimeError("/a/b.hpp(8): open()\nRuntimeError: Could not find it\nTrace:\n 0#")
        self.opened.append(Camera(serial, self.cameras[serial]))
        return self.opened[-1]
