"""A stand-in for neuromorphic-drivers: what `prophesee.py` uses, with nothing behind it."""

from __future__ import annotations

import dataclasses
import enum
from types import SimpleNamespace

import numpy as np


@dataclasses.dataclass
class Biases:
    diff_on: int = 0
    diff_off: int = 0


class Clock(enum.Enum):
    INTERNAL = 0
    EXTERNAL = 2


@dataclasses.dataclass
class RateLimiter:
    reference_period_us: int
    maximum_events_per_period: int


@dataclasses.dataclass
class Configuration:
    biases: Biases = dataclasses.field(default_factory=Biases)
    x_mask: tuple[int, ...] = (0,)
    y_mask: tuple[int, ...] = (0,)
    clock: Clock = Clock.INTERNAL
    rate_limiter: RateLimiter | None = None

    def serialize(self) -> bytes:
        return self.biases.diff_on.to_bytes(2, "little", signed=True)


@dataclasses.dataclass(frozen=True)
class Properties:
    width: int = 64
    height: int = 48


class RowColumnMask:
    def __init__(self, width: int, height: int, set: bool) -> None:
        self._x, self._y = np.full(width, set), np.full(height, set)

    def clear_rectangle(self, x, y, width, height) -> None:
        self._x[x : x + width] = False
        self._y[y : y + height] = False

    def x_mask(self) -> tuple[int, ...]:
        return (sum(1 << k for k in np.flatnonzero(self._x).tolist()),)

    def y_mask(self) -> tuple[int, ...]:
        return (sum(1 << k for k in np.flatnonzero(self._y).tolist()),)


_MODULE = SimpleNamespace(
    Configuration=Configuration,
    RateLimiter=RateLimiter,
    Properties=Properties,
)


class Device:
    """`reads` holds what it will give: bytes, None for nothing, or an exception.

    A tuple has the bytes, where in them some are missing, and the transfers lost until then.
    """

    def __init__(self, model: str, reads: list) -> None:
        self._model, self._reads, self.closed = model, reads, False

    def __next__(self):
        read = self._reads.pop(0) if self._reads else None
        if isinstance(read, Exception):
            raise read
        read, indices, lost = read if isinstance(read, tuple) else (read, None, 0)
        ring = None
        if read is not None:
            ring = SimpleNamespace(overflow_indices=indices, dropped_packets=lost)
        return SimpleNamespace(ring=ring, delay=lambda: None if read is None else 0.001), read

    def properties(self):
        return Properties()

    def name(self):
        return SimpleNamespace(value=self._model)

    def close(self) -> None:
        self.closed = True


class Driver:
    """The module: `cameras` are those on the bus, by serial: model, error, and reads."""

    prophesee_evk4 = prophesee_evk3_hd = _MODULE
    RowColumnMask = RowColumnMask

    def __init__(self, **cameras: tuple[str, str | None, list]) -> None:
        self.cameras, self.opened, self.configurations = cameras, [], []

    def list_devices(self):
        return [
            SimpleNamespace(
                name=SimpleNamespace(name=model), serial=None if error else serial, error=error
            )
            for serial, (model, error, _) in self.cameras.items()
        ]

    def open(self, *, configuration, iterator_timeout, raw, serial):
        assert raw is True and 0 < iterator_timeout < 1
        model, _, reads = self.cameras[serial]
        self.configurations.append(configuration)
        self.opened.append(Device(model, reads))
        return self.opened[-1]
