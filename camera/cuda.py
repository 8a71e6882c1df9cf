"""Frames made on a CUDA device, from events or from raw EVT2 and EVT3 bytes that it decodes.

Counts equal those of `saccade.camera.frames.FrameMaker` bit for bit. Work is only queued on a
stream. Arrays cross by DLPack and must lie where they are used: what moves to the host says so in
its name, or was asked for by an `out` on the host. Events and bytes given from the host go over in
a ring of pinned memory; an integrated GPU reads them where they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.accumulator import check_out
from saccade.camera.cuda_device import (
    DeviceArray,
    DeviceFrame,
    DeviceMaker,
    FrameGraph,
    available,
    capsule_of,
    graph_number,
    open_on,
    why_unavailable,
)
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.frames import FrameSpec

__all__ = [
    "Added",
    "CudaFrameMaker",
    "DeviceFrame",
    "FrameGraph",
    "Words",
    "available",
    "why_unavailable",
]

Words = Literal["evt2", "evt3"]  # that a device decodes
Source = Literal["packed", "evt2", "evt3"]
Buffer = bytes | bytearray | memoryview | NDArray[np.uint8]
MAX_SIDE = 2048
KINDS = ("paper", "signed", "clamped")
_FOREVER = (1 << 64) - 1
_LOST = ("before_time", "missing_y", "missing_base", "out_of_bounds", "unknown_word")
_SKIPPED = ("triggers", "others", "continued", "time_backwards")


@dataclass(frozen=True, slots=True)
class Added:
    """What the last `add_evt2`, `add_evt3` or their graph met, events inside the sensor.

    Attributes:
        counted: events in the window, now in the counters.
        early: events before the window.
        late: events after it. There are some: the slice is over, and these bytes are the next
            slice's too (`again`).
    """

    counted: int
    early: int
    late: int


class CudaFrameMaker(DeviceMaker):
    """As `FrameMaker`, on a GPU; one thread at a time, and nothing is allocated after the start."""

    def __init__(
        self,
        width: int,
        height: int,
        spec: FrameSpec,
        *,
        device: int | _native.HostDevice = 0,
        stream: int | None = None,
        channels: int = 1,
        half: bool = False,
        slot_bytes: int = 1 << 22,
    ) -> None:
        """Frames of `spec` for a sensor of `width` x `height` pixels.

        Args:
            width, height: pixels, at most 2048.
            spec: of the kinds paper, signed and clamped.
            device: the number of a CUDA device; or a `HostDevice`, which runs the kernels' code on
                the host, slowly, for tests.
            stream: a cudaStream_t for all work; one of the maker's own when None.
            channels: 1 to 3 equal ones, of the maker's own frame.
            half: that frame is float16, else float32.
            slot_bytes: longest piece of input from the host, a multiple of 64; there are four.

        Raises:
            SaccadeError: something above does not hold, or there is no such device.
        """
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise SaccadeError(f"sensor {width}x{height}: sides must be from 1 to {MAX_SIDE}")
        if spec.kind not in KINDS:
            raise SaccadeError(f"frame kind {spec.kind!r} on a GPU: use {', '.join(KINDS)}")
        if not 1 <= channels <= 3:
            raise SaccadeError(f"channels {channels}: must be from 1 to 3")
        self.spec, self.channels, self.half = spec, channels, half
        kind, counting = _native.FrameKind[spec.kind], _native.Counting[spec.counting]
        shape = (width, height, spec.size, kind, counting, spec.clamp, slot_bytes)
        self._native = open_on(
            device,
            "frames",
            lambda number: _native.cuda_frame_maker(number, *shape),
            lambda host: _native.host_frame_maker(host, *shape),
        )
        super().__init__(self._native, stream)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, size, size), of every frame."""
        return self.channels, self.spec.size, self.spec.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float16 or float32, of every frame."""
        return np.dtype(np.float16 if self.half else np.float32)

    def make(self, packets: Iterable[Packet], out: Any = None) -> Any:
        """One frame of all events in `packets`; see `add` and `finish`."""
        self.add(packets)
        try:
            return self.finish(out)
        except BaseException:
            self._native.clear(self.stream)  # what was counted belongs to no frame
            raise

    def count(self, packets: Iterable[Packet]) -> NDArray[np.uint16]:
        """The counts alone, on the host: uint16 [2, rows, columns], OFF first."""
        self.add(packets)
        counts = self.counts_to_host()
        self._native.clear(self.stream)
        return counts

    def add(self, packets: Iterable[Packet], graph: FrameGraph | None = None) -> None:
        """Counts events from the host, packed to 4 bytes each on the way.

        Raises:
            TypeError, ValueError: a packet's columns are not what `Packet` says.
        """
        number = graph_number(graph)
        try:
            for packet in packets:
                self._native.add_packed(packet.x, packet.y, packet.on, self.stream, number)
        except BaseException:
            self._native.clear(self.stream)  # what was counted belongs to no frame
            raise

    def add_packed(self, events: DeviceArray, graph: FrameGraph | None = None) -> None:
        """Counts packed events on the device: uint32 [N], aligned to 16 bytes.

        x in bits 0 to 10, y in 11 to 21, polarity (1: brighter) in 22, the others 0.

        Raises:
            SaccadeError: they are not such an array, or lie on another device.
        """
        self._add("packed", events, 0, None, False, graph)

    def add_evt2(
        self,
        data: Buffer | DeviceArray,
        t_begin_us: int = 0,
        t_end_us: int | None = None,
        again: bool = False,
        graph: FrameGraph | None = None,
    ) -> None:
        """As `add_evt3`; words on the device are uint32 [N]."""
        self._add("evt2", data, t_begin_us, t_end_us, again, graph)

    def add_evt3(
        self,
        data: Buffer | DeviceArray,
        t_begin_us: int = 0,
        t_end_us: int | None = None,
        again: bool = False,
        graph: FrameGraph | None = None,
    ) -> None:
        """Decodes the next bytes of a stream on the device and counts their events.

        Args:
            data: bytes on the host, in any chunks; or uint16 [N] words on the device, aligned to
                16 bytes.
            t_begin_us, t_end_us: events of times in [begin, end) are counted; None: no end.
            again: decode from where the last call began instead of where it ended. Give the same
                bytes, with the next window, where they reach over the border of two slices.
            graph: run this instead of the kernels one by one; it makes the frame too.

        Raises:
            SaccadeError: the array is not such a one, lies on another device, or EVT2 and EVT3
                came to one maker.
        """
        self._add("evt3", data, t_begin_us, t_end_us, again, graph)

    def _add(
        self,
        source: Source,
        data: Buffer | DeviceArray,
        begin: int,
        end: int | None,
        again: bool,
        graph: FrameGraph | None,
    ) -> None:
        window = (begin, _FOREVER if end is None else end, again, self.stream)
        number = graph_number(graph)
        kind = _native.CudaSource[source]
        if source != "packed" and _is_bytes(data):
            array = np.frombuffer(cast(bytes, data), np.uint8)
            self._native.add_words(kind, array, *window, number)
        else:
            capsule = capsule_of(cast(DeviceArray, data), self.stream)
            self._native.add_array(kind, capsule, *window, number)
            self._in_use.append(data)

    def finish(self, out: Any = None) -> Any:
        """The frame of what was counted; the counters begin anew.

        Args:
            out: None: into the maker's own frame. A NumPy array in C order, of `shape` and `dtype`
                or float32 [size, size]: copied to the host. An array on the device, float16 or
                float32 [size, size] or [C, size, size]: written there, on the maker's stream.

        Returns:
            `out`, or a `DeviceFrame` when None.

        Raises:
            SaccadeError: `out` is none of these.
        """
        if out is None:
            self._native.finish(0, self.channels, self.half, self.stream)
            return self.frame_on_device()
        if not isinstance(out, np.ndarray):
            self._native.finish_array(capsule_of(out, self.stream), self.stream)
            return out
        frame = cast(NDArray[Any], out)
        if frame.ndim == 2:
            check_out(frame, self.shape[1:], np.dtype(np.float32))
            self._native.finish(0, 1, False, self.stream)
            frame[:] = self._native.frame_to_host(1, False, self.stream)[0]
        else:
            check_out(frame, self.shape, self.dtype)
            self._native.finish(0, self.channels, self.half, self.stream)
            frame[:] = self._native.frame_to_host(self.channels, self.half, self.stream)
        return frame

    def finish_into(self, address: int, *, channels: int, half: bool) -> None:
        """As `finish`, to [channels, size, size] at an address of the device."""
        self._native.finish(address, channels, half, self.stream)

    def capture(self, source: Source, address: int = 0) -> FrameGraph:
        """A CUDA graph: one piece of `source` to the counters, and the frame to `address`.

        Args:
            source: what its pieces are.
            address: of [channels, size, size]; the maker's own frame when 0.
        """
        kind = _native.CudaSource[source]
        return FrameGraph(self._native.capture(kind, address, self.channels, self.half))

    def frame_on_device(self) -> DeviceFrame:
        """The maker's own frame, which a graph writes."""
        return DeviceFrame(self._native, self.stream, self.channels, self.half)

    def counts_to_host(self) -> NDArray[np.uint16]:
        """The counters as they are now: uint16 [2, rows, columns], OFF first. Waits."""
        return self._native.counts(self.stream)

    @property
    def added(self) -> Added:
        """What the last bytes held. Waits."""
        return Added(**self._tallies(("counted", "early", "late")))

    @property
    def dropped(self) -> dict[str, int]:
        """Events of raw bytes left out so far, by class, as the decoders count them. Waits."""
        return self._tallies(_LOST)

    @property
    def skipped(self) -> dict[str, int]:
        """Words that were no events so far, by class, as the decoders count them. Waits."""
        return self._tallies(_SKIPPED)


def _is_bytes(data: object) -> bool:
    return not hasattr(data, "__dlpack__") or (
        isinstance(data, np.ndarray) and cast(NDArray[Any], data).dtype == np.uint8
    )
