"""Frames: a slice of events counted per polarity, normalised and brought to the encoder's size.

The three normalisations are the presets of the CLIP event-encoder literature (arXiv 2412.03093 and
its released code). With c_on, c_off the counts of a pixel and S = c_on + c_off:

    paper    v = S / (max S + 1)                                       in [0, 1), empty pixel 0
    signed   v = c_on / (max c_on + 1) + c_off / (max c_off + 1) - 1   in [-1, 1), empty pixel -1
    clamped  v = min(S, c) / max(min(S, c))                            in [0, 1], empty pixel 0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.accumulator import HOST, check_out
from saccade.camera.errors import SaccadeError
from saccade.camera.events import MAX_SIDE, Packet

FrameKind = Literal["paper", "signed", "clamped"]
Counting = Literal["sensor", "encoder"]


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """What an encoder wants to see.

    Attributes:
        kind: the normalisation (see the module's text).
        size: side of the square frame in pixels.
        counting: "sensor" counts at the sensor's size, normalises and resizes (antialiased
            bilinear, both axes on their own); "encoder" scales coordinates to the frame first
            (x * size // width, y * size // height) and counts there, as N-ImageNet training does.
        clamp: c of the kind `clamped`, in events per pixel.
    """

    kind: FrameKind = "paper"
    size: int = 224
    counting: Counting = "encoder"
    clamp: int = 10

    def __post_init__(self) -> None:
        if self.kind not in get_args(FrameKind):
            raise SaccadeError(f"frame kind {self.kind!r}: unknown; use paper, signed or clamped")
        if self.counting not in get_args(Counting):
            raise SaccadeError(f"counting {self.counting!r}: unknown; use sensor or encoder")
        if not 1 <= self.size <= MAX_SIDE:
            raise SaccadeError(f"frame size {self.size}: must be from 1 to {MAX_SIDE} pixels")
        if not 1 <= self.clamp <= 2 * 0xFFFF:
            raise SaccadeError(f"clamp {self.clamp}: must be from 1 to {2 * 0xFFFF} events")


class FrameMaker:
    """Turns slices of one sensor into frames; its counters are reused, so one thread at a time.

    Attributes:
        spec: what the frames are.
        native: the counters, for `saccade.camera.fused`.
    """

    def __init__(self, width: int, height: int, spec: FrameSpec) -> None:
        """Frames of `spec` for a sensor of `width` x `height` pixels.

        Raises:
            SaccadeError: a side is not from 1 to 8192 pixels.
        """
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise SaccadeError(f"sensor {width}x{height}: sides must be from 1 to {MAX_SIDE}")
        self.spec = spec
        self.native = _native.FrameMaker(
            width,
            height,
            spec.size,
            _native.FrameKind[spec.kind],
            _native.Counting[spec.counting],
            spec.clamp,
        )

    def make(
        self, packets: Iterable[Packet], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """One frame of all events in `packets`.

        Args:
            packets: the pieces of a slice, coordinates on this sensor. Those outside are left out
                and counted in `out_of_bounds`.
            out: float32 [size, size] in C order, written and returned; a new array when None.

        Raises:
            SaccadeError: `out` is not such an array.
            TypeError, ValueError: a packet's columns are not what `Packet` says, or not contiguous.
        """
        if out is None:
            out = np.empty(self.shape, np.float32)
        check_out(out, self.shape, self.dtype)
        self._add(packets)
        self.native.finish(out)
        return out

    def count(self, packets: Iterable[Packet]) -> NDArray[np.uint16]:
        """The counts alone: uint16 [2, rows, columns], OFF first, on the counting grid."""
        self._add(packets)
        counts = self.native.counts()
        self.native.clear()
        return counts

    def _add(self, packets: Iterable[Packet]) -> None:
        try:
            for packet in packets:
                self.native.add(packet.x, packet.y, packet.on)
        except BaseException:
            self.native.clear()  # what was counted belongs to no frame
            raise

    @property
    def shape(self) -> tuple[int, int]:
        """(size, size)."""
        return self.spec.size, self.spec.size

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """float32."""
        return np.dtype(np.float32)

    @property
    def device(self) -> tuple[int, int]:
        """DLPack's type and number of the host."""
        return HOST

    @property
    def saturated(self) -> int:
        """Events so far that met a full counter (65535 of one polarity at one pixel)."""
        return self.native.saturated

    @property
    def out_of_bounds(self) -> int:
        """Events so far whose coordinates lay outside the sensor."""
        return self.native.out_of_bounds
