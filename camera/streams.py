"""What a recording holds next to its events: frames, IMU samples and triggers, in columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: What AEDAT4's triggers are, by `Triggers.kind` (dv-processing's TriggerType).
TRIGGER_KINDS = (
    "timestamp_reset",
    "external_signal_rising_edge",
    "external_signal_falling_edge",
    "external_signal_pulse",
    "external_generator_rising_edge",
    "external_generator_falling_edge",
    "aps_frame_start",
    "aps_frame_end",
    "aps_exposure_start",
    "aps_exposure_end",
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a recording.

    Attributes:
        kind: "events", "frames", "imu", "triggers", or what the file calls it.
        name: as the file calls it.
        count: events, frames, samples or triggers read since the recording was opened, all passes
            together; None where the stream was not read.
    """

    kind: str
    name: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """An image of the sensor.

    Attributes:
        t_us: microseconds of the sensor's clock, as the file states it.
        exposure_us: begin and end of the exposure, microseconds; zeros where the file has none.
        pixels: uint8 [height, width] gray, or [height, width, 3 or 4]: blue, green, red, alpha.
        position: x and y of the upper left pixel on the sensor.
    """

    t_us: int
    exposure_us: tuple[int, int]
    pixels: NDArray[np.uint8]
    position: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ImuPacket:
    """IMU samples in columns of one length N; a sensor that the device lacks gives zeros.

    Attributes:
        t: uint64 [N], microseconds of the sensor's clock.
        temperature: float32 [N], degrees Celsius.
        accelerometer: float32 [N, 3], g along x, y, z.
        gyroscope: float32 [N, 3], degrees per second around x, y, z.
        magnetometer: float32 [N, 3], microtesla along x, y, z.
    """

    t: NDArray[np.uint64]
    temperature: NDArray[np.float32]
    accelerometer: NDArray[np.float32]
    gyroscope: NDArray[np.float32]
    magnetometer: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, slots=True)
class Triggers:
    """Triggers of a DV device.

    Attributes:
        t: uint64 [N], microseconds of the sensor's clock.
        kind: uint8 [N], an index of `TRIGGER_KINDS`; past its end for kinds newer than this.
    """

    t: NDArray[np.uint64]
    kind: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, slots=True)
class TriggerEdges:
    """Edges of a Prophesee sensor's trigger inputs.

    Attributes:
        t: uint64 [N], microseconds of the sensor's clock.
        id: uint8 [N], the channel.
        value: uint8 [N], the level after the edge: 1 rose, 0 fell.
    """

    t: NDArray[np.uint64]
    id: NDArray[np.uint8]
    value: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.t)
