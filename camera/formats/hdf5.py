"""Reads HDF5 recordings (Metavision, DSEC, MVSEC, evlib) through a process of its own.

The HDF5 library crashes and hangs on damaged files, so that it never runs in this process: see
`saccade.camera.formats.hdf5_child`. Metavision's codec is decoded here, by native code that checks
every read.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from saccade.camera import _native
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.base import COPY_AGAIN, FileRecording
from saccade.camera.formats.file import RecordingFile, check_geometry
from saccade.camera.processes import python

_BLOCK_EVENTS = 65_536
_MODULE = "saccade.camera.formats.hdf5_child"
#: A block's bytes: so much goes through the pipe in one piece.
_BLOCK_BYTES = 1 << 20
_ENVIRONMENT = {
    # One thread: the others' stacks would count as memory.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Of a block's memory none is given back before the next one, whose pages would be new ones.
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}
_START_S = 60.0  # for the process to start, on a machine that is busy
_SILENT_S = 30.0  # for the disk; what computes is ended far sooner, by the child's own timer
_HEAD = struct.Struct("<cQ")


class _Child:
    """The process that reads one file; one request at a time, from any thread."""

    def __init__(self, file: RecordingFile, size: tuple[int, int] | None) -> None:
        width, height = size or (0, 0)
        path = os.path.abspath(file.path)  # noqa: PTH100
        command = python(_MODULE, path, str(file.size), str(width), str(height))
        env = os.environ | _ENVIRONMENT
        self._path, self._limit = file.path, 64 * _BLOCK_EVENTS
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            bufsize=0,
            pipesize=_BLOCK_BYTES,
        )
        try:
            self._receive(_START_S, "the process that reads HDF5 does not start")
            self.about: dict[str, Any] = json.loads(bytes(self._receive(_SILENT_S)[1]))
        except BaseException:
            self.close()
            raise

    def ask(self, *request: str | int) -> tuple[bytes, memoryview]:
        """Kind and payload of the answer; raises RecordingError where it is an error."""
        with self._lock:
            if self._process.stdin is None or self._process.stdin.closed:
                raise ValueError("the recording is closed")
            with contextlib.suppress(OSError):  # where it has died, reading tells
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
            return self._receive(_SILENT_S)

    def close(self) -> None:
        """Ends the process and takes its status, so that no zombie stays."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def _receive(self, limit_s: float, why: str | None = None) -> tuple[bytes, memoryview]:
        kind, size = cast("tuple[bytes, int]", _HEAD.unpack(self._read(_HEAD.size, limit_s, why)))
        if size > self._limit:
            raise self._error("its HDF5 structure is damaged (a block of events is too large)")
        payload = self._read(size, limit_s, why)
        if kind == b"E":
            error = json.loads(bytes(payload))
            raise RecordingError(self._path, error["what"], error["remedy"], error["offset"])
        return kind, payload

    def _read(self, size: int, limit_s: float, why: str | None) -> memoryview:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        data, at = np.empty(size, np.uint8).data, 0
        until = time.monotonic() + limit_s
        while at < size:
            left = until - time.monotonic()
            ready = left > 0 and select.select([pipe], [], [], left)[0]
            got = os.readv(pipe, [data[at:]]) if ready else 0
            if not got:
                self._process.kill()
                self._process.wait()
                raise self._error(why or "the HDF5 library crashes or hangs on it")
            at += got
        return data

    def _error(self, what: str) -> RecordingError:
        return RecordingError(self._path, what, COPY_AGAIN)


class Hdf5Recording(FileRecording):
    """An HDF5 file; see `saccade.camera.recordings.Recording`.

    Args:
        file: the open file; closed by `close`.
        geometry: (width, height) in pixels; None for the file's or the layout's own.

    Raises RecordingError where the layout is not known, no geometry is stated, or it is damaged.
    """

    def __init__(self, file: RecordingFile, geometry: tuple[int, int] | None = None) -> None:
        super().__init__(file)
        self.sensor = ""
        self._dropped = {"out_of_bounds": 0, "negative_time": 0}
        self._skipped = {"time_backwards": 0}
        self._child = _Child(file, geometry)
        try:
            about = self._child.about
            self.format = str(about["name"])
            if geometry is None and about["size"] is None:
                what = "it does not tell the sensor's size"
                raise RecordingError(self.path, what, "give it with --geometry WxH")
            self.width, self.height = geometry or (int(about["size"][0]), int(about["size"][1]))
            check_geometry(self.path, self.width, self.height)
            self._rows, self._block = int(about["rows"]), int(about["block"])
            self._ecf = bool(about["ecf"])
            if self._rows == 0 or self._block == 0:
                raise RecordingError(self.path, "there is no event in it", "record again")
        except BaseException:
            self._child.close()
            raise

    def packets(self, since_us: int | None = None) -> Iterator[Packet]:
        """One pass over the events, in packets of at most 65,536.

        Args:
            since_us: blocks of events before this time are passed over, by the file's index or by
                a search over its times.

        Raises RecordingError with the byte offset of the damaged chunk where HDF5 tells it.
        """
        first = 0
        self.position = 0
        if since_us is not None:
            _, answer = self._child.ask("row", since_us)
            first = min(int(json.loads(bytes(answer))["row"]), self._rows - 1) // self._block
        last = 0
        for block in range(first, -(-self._rows // self._block)):
            packet = self._read(block)
            self.position = (
                self.size_bytes * min((block + 1) * self._block, self._rows) // self._rows
            )
            if len(packet) == 0:
                continue
            back = int(np.count_nonzero(packet.t[1:] < packet.t[:-1])) + int(packet.t[0] < last)
            self._skipped["time_backwards"] += back
            last = int(packet.t[-1])
            self._events += len(packet)
            yield packet

    def close(self) -> None:
        """Ends the process and closes the file."""
        self._child.close()
        super().close()

    def _read(self, block: int) -> Packet:
        kind, payload = self._child.ask("read", block)
        if kind == b"R":
            return self._decode(block, payload)
        n, out_of_bounds, negative_time = struct.unpack_from("<III", payload)
        self._count(out_of_bounds, negative_time)
        t = np.frombuffer(payload, "<u8", n, 12)
        x = np.frombuffer(payload, "<u2", n, 12 + 8 * n)
        y = np.frombuffer(payload, "<u2", n, 12 + 10 * n)
        return Packet(t, x, y, np.frombuffer(payload, np.bool_, n, 12 + 12 * n))

    def _decode(self, block: int, payload: memoryview) -> Packet:
        (start,) = struct.unpack_from("<q", payload)
        chunk = np.frombuffer(payload, np.uint8, offset=8)
        # The filter may pad the last chunk to the others' size.
        expected = min(self._block, self._rows - block * self._block)
        columns, dropped, stated, damage = _native.decode_ecf(
            chunk, self.width, self.height, expected
        )
        if damage is not None:
            raise self.damaged(damage[0], start + damage[1])
        if stated < expected:
            what = f"a chunk holds {stated} events instead of {expected}"
            raise self.damaged(what, start)
        self._count(dropped["out_of_bounds"], dropped["negative_time"])
        return Packet(*columns)

    def _count(self, out_of_bounds: int, negative_time: int) -> None:
        self._dropped["out_of_bounds"] += out_of_bounds
        self._dropped["negative_time"] += negative_time
