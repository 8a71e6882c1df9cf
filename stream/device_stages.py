"""Slices to embeddings on an engine's GPU: the frame is made where the encoder reads it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.cuda import CudaFrameMaker, Words
from saccade.camera.frames import FrameSpec
from saccade.camera.fused import FramedSlice
from saccade.camera.slicing import Slice
from saccade.camera.word_slices import WordSlice
from saccade.engines.engine import DeviceEngine, Engine
from saccade.stream.labelling import Labelling
from saccade.stream.live_words import LiveWords
from saccade.stream.prediction import Encoded, Framed
from saccade.stream.replay import TimedSlice

SATURATED_EVERY_NS = 1_000_000_000  # to ask the device costs a wait


class DeviceFrames:
    """Frames of one sensor, made at an engine's input. One thread at a time, all on one stream.

    Attributes:
        saturated: events that met a full counter, as of a second ago or of `close`; any thread.
    """

    def __init__(
        self,
        engine: DeviceEngine,
        channels: int,
        size: tuple[int, int],
        spec: FrameSpec,
        words: Words | None,
    ) -> None:
        """Frames of `spec` in `channels`, for a sensor of `size` pixels, (width, height).

        `words` are what a `WordSlice` holds.

        Raises:
            SaccadeError: the device cannot make them, or has no memory for them.
        """
        device = engine.cuda_device
        self._maker = CudaFrameMaker(*size, spec, device=device)
        self._runner = (
            _native.host_runner(device)
            if isinstance(device, _native.HostDevice)
            else _native.cuda_runner(device)
        )
        self._address, self._channels = engine.input_address, channels
        self._words = words
        self._half = engine.input_dtype == np.float16
        memory: Any = self._runner.pinned(spec.size**2 * engine.input_dtype.itemsize)
        self._copy: NDArray[Any] = memory.view(engine.input_dtype).reshape(spec.size, spec.size)
        self.stream = self._maker.stream
        self.saturated = 0
        self._asked_ns = 0

    def queue(self, cut: Slice | WordSlice) -> None:
        """Queues the frame of a slice into the engine's input, and its copy to the host."""
        if isinstance(cut, Slice):
            self._maker.add(cut.packets)
        else:
            self._add_words(cut.words)
        self._maker.finish_into(self._address, channels=self._channels, half=self._half)
        # Some 200 kB, 10 us beside the encoder's hundreds: less than asking who wants it would take
        # care of. The channels are equal.
        host, size = self._copy.ctypes.data, self._copy.nbytes
        self._runner.copy(host, self._address, size, self.stream)

    def _add_words(self, data: bytearray) -> None:
        if self._words == "evt3":
            self._maker.add_evt3(data)
        else:
            self._maker.add_evt2(data)

    def take(self) -> NDArray[np.float32]:
        """The frame that was queued last, once the stream was waited for."""
        now = time.monotonic_ns()
        if now - self._asked_ns > SATURATED_EVERY_NS:
            self._asked_ns = now
            self.saturated = self._maker.saturated
        return self._copy.astype(np.float32)

    def close(self) -> None:
        """Ends the accounts."""
        self.saturated = self._maker.saturated


def encode_on_device(
    frames: DeviceFrames, engine: Engine, words: LiveWords, slices: Iterable[TimedSlice]
) -> Iterator[Encoded]:
    """The frame, the embedding and the labels of each slice; the host waits once for all three."""
    assert isinstance(engine, DeviceEngine)
    label = Labelling(engine, words)
    with closing(frames):
        for timed in slices:
            assert not isinstance(timed.cut, FramedSlice), "its frame is on the host"
            started = time.perf_counter_ns()
            frames.queue(timed.cut)
            queued = time.perf_counter_ns()
            label.prepare()
            engine.run_on_device(1, frames.stream)
            frame, embedding = frames.take(), engine.output[0].copy()
            encoded = time.perf_counter_ns()
            ranked = label(embedding, timed.cut)
            labelled = time.perf_counter_ns()
            yield Encoded(
                Framed(timed, frame, (queued - started) / 1000),
                embedding,
                ranked,
                (encoded - queued) / 1000,
                (labelled - encoded) / 1000,
            )
