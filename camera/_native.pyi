"""Types of the native core (camera/native)."""

import enum

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

class FrameKind(enum.Enum):
    paper = 0
    signed = 1
    clamped = 2

class Counting(enum.Enum):
    sensor = 0
    encoder = 1

class FrameMaker:
    def __init__(
        self,
        width: int,
        height: int,
        size: int,
        kind: FrameKind,
        counting: Counting,
        clamp: int,
    ) -> None: ...
    def add(self, x: NDArray[np.uint16], y: NDArray[np.uint16], on: NDArray[np.bool_]) -> None: ...
    def finish(self, out: NDArray[np.float32]) -> None: ...
    def clear(self) -> None: ...
    def counts(self) -> NDArray[np.uint16]: ...
    @property
    def saturated(self) -> int: ...
    @property
    def out_of_bounds(self) -> int: ...

class Simulator:
    def __init__(
        self,
        width: int,
        height: int,
        threshold_on: float,
        threshold_off: float,
        threshold_sigma: float,
        refractory_us: int,
        leak_hz: float,
        noise_hz: float,
        seed: int,
    ) -> None: ...
    def step(
        self, log_frame: NDArray[np.float32], t_us: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]: ...

def warp(
    image: NDArray[np.float32],
    a0: float,
    a1: float,
    a2: float,
    a3: float,
    a4: float,
    a5: float,
    fill: float,
    out: NDArray[np.float32],
) -> None: ...

# t uint64 [N] us, x uint16 [N], y uint16 [N], on bool [N]
_Columns = tuple[NDArray[np.uint64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]
_Bytes = Buffer | NDArray[np.uint8]

class _Decoder:
    """A state machine for any chunking; see saccade.camera.formats.stream. One thread at a time."""

    def decode(self, data: _Bytes) -> _Columns:
        """The events of the next bytes (uint8 [N], contiguous); releases the GIL."""

    @property
    def dropped(self) -> dict[str, int]: ...
    @property
    def skipped(self) -> dict[str, int]: ...
    @property
    def pending_bytes(self) -> int: ...
    @property
    def damage(self) -> tuple[str, int] | None: ...

class Evt2Decoder(_Decoder):
    """Prophesee EVT2.

    dropped: before_time, out_of_bounds, unknown_word (words).
    skipped: triggers, others, continued, time_backwards.
    """

    def __init__(self, width: int, height: int) -> None: ...

class Evt3Decoder(_Decoder):
    """Prophesee EVT3; x and y have 11 bits: a vector past x = 2047 is out of bounds for any width.

    dropped: before_time, missing_y, missing_base, out_of_bounds, unknown_word (words).
    skipped: triggers, others, continued, time_backwards.
    """

    def __init__(self, width: int, height: int) -> None: ...

def read_aedat4_header(data: _Bytes) -> tuple[int, int, bytes]:
    """Compression, table position (-1 unknown) and XML of a size-prefixed IOHeader.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def decode_events(payload: _Bytes, width: int, height: int) -> tuple[_Columns, dict[str, int]]:
    """The events of a decompressed EVTS payload, and dropped: out_of_bounds, negative_time.

    Raises ValueError with what is wrong where the flatbuffer is damaged.
    """

def decode_ecf(
    chunk: _Bytes, width: int, height: int, limit: int
) -> tuple[_Columns, dict[str, int], int, tuple[str, int] | None]:
    """One ECF chunk of a Metavision HDF5 file.

    Gives its first `limit` events, dropped (out_of_bounds, negative_time), the number of events
    that its header states, and what is damaged at which byte of it (then it has no events).
    """
