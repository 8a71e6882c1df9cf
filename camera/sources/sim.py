"""`sim://`: the driver of a virtual camera, which runs in a process of its own.

The process sends what a camera sends: encoded transfers, paced by the clock. All that this side
knows of the events it decodes from them, as the drivers of real cameras do.
"""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from saccade.camera.processes import python
from saccade.camera.sources.base import LivePacket, SourceError, SourceLostError
from saccade.camera.sources.connection import Connection, ConnectionEndedError
from saccade.camera.sources.contents import DvEvents
from saccade.camera.sources.evt3_stream import Evt3Stream
from saccade.camera.sources.sim_link import END, HEAD_BYTES, unpack_head
from saccade.camera.sources.sim_options import SimOptions, read_options
from saccade.camera.sources.sim_scenes import read_image
from saccade.camera.sources.uri import SourceUri

_START_S = 60.0  # of the process: it makes its bytes first
_MODULE = "saccade.camera.sources.sim_camera"


def open_sim(uri: SourceUri) -> SimSource:
    """Starts a virtual camera and opens it."""
    options = read_options(uri)
    if options.scene == "image":
        read_image(options.path)  # what is wrong with it is told here, not by the camera
    source = SimSource(uri.text, options)
    try:
        source.start()
    except BaseException:
        source.close()
        raise
    return source


class SimSource:
    """A virtual camera; see `saccade.camera.sources.base.LiveSource`.

    Attributes:
        made: events that the sensor made so far: what arrived and what was lost.
        start_ns: of `time.monotonic_ns`, when the sensor's clock was last 0, jumps aside.
    """

    sensor = "saccade simulator"

    def __init__(self, name: str, options: SimOptions) -> None:
        self.name, self.serial = name, options.serial
        self.width, self.height = options.width, options.height
        self.made = self.start_ns = 0
        self._encoding = options.encoding
        self._lost = {"events": 0, "damaged_packets": 0}
        self._dropped = {"out_of_bounds": 0, "negative_time": 0}
        self._words = Evt3Stream(self.width, self.height)
        self._folder = Path(tempfile.mkdtemp(prefix="saccade-sim-"))
        self._path = self._folder / "usb"
        self._process: subprocess.Popen[str] | None = None
        self._connection: Connection | None = None
        self._closed = False

    @property
    def lost(self) -> dict[str, int]:
        """Events that the camera could not send in time or that the cable lost; damaged packets."""
        if self._encoding == "evt3":
            return {**self._lost, "damaged_packets": self._words.damaged}
        return dict(self._lost)

    @property
    def dropped(self) -> dict[str, int]:
        """Events that were left out, by class."""
        return self._words.dropped if self._encoding == "evt3" else dict(self._dropped)

    @property
    def pid(self) -> int:
        """Of the camera's process."""
        assert self._process is not None
        return self._process.pid

    def settings(self) -> dict[str, Any]:
        """None: what it does is in its URI."""
        return {}

    def start(self) -> None:
        """Starts the camera's process and connects.

        Raises SourceError where it does not start.
        """
        arguments = python(_MODULE, self.name, str(self._path))
        pipe = subprocess.PIPE
        # Of its own session: Ctrl-C is for us, and a camera does not hear it.
        self._process = subprocess.Popen(
            arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _START_S)
        if not ready or self._process.stdout.readline() != "ready\n":
            self._process.kill()
            lines = self._process.stderr.read().strip().splitlines() or ["it does not start"]
            raise SourceError(self.name, lines[-1], "see whether the machine has memory left")
        self.reopen()

    def reopen(self) -> None:
        """Connects to the same process again; its clock begins anew."""
        self._disconnect()
        if self._process is None or self._process.poll() is not None:
            raise SourceLostError(self.name, "the camera's process has ended", "open it again")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise SourceLostError(self.name, "it is not there", "plug it in") from None
        self._words.restart()
        self._connection = Connection(connection)

    def packets(self, timeout_s: float) -> Iterator[LivePacket | None]:
        """What arrives; see `LiveSource.packets`. Ends after the URI's `seconds`."""
        given = time.monotonic()
        try:
            for transfer in self._transfers(timeout_s):
                packet = self._read(transfer) if transfer is not None else None
                if packet is not None:
                    yield packet
                    given = time.monotonic() if packet.n_events else given
                if time.monotonic() - given >= timeout_s:  # a clock's words alone are no news
                    yield None
                    given = time.monotonic()
        except ConnectionEndedError:
            if not self._closed:
                raise SourceLostError(self.name, "the camera is gone", "plug it in") from None

    def _transfers(self, timeout_s: float) -> Iterator[memoryview | None]:
        """The bytes of each; None for each timeout. Ends with the camera's time."""
        connection = self._connection
        if connection is None:
            raise ConnectionEndedError
        data = bytearray(HEAD_BYTES)
        while True:
            yield from connection.fill(memoryview(data), timeout_s)
            head = unpack_head(data)
            self.made, self._lost["events"], self.start_ns = head.made, head.lost, head.start_ns
            if head.kind == END:
                return
            transfer = np.empty(head.size, np.uint8).data
            yield from connection.fill(transfer, timeout_s)
            yield transfer

    def _read(self, transfer: memoryview) -> LivePacket | None:
        received_ns = time.monotonic_ns()
        if self._encoding == "evt3":
            return self._words.packet(transfer, received_ns)
        try:
            content = DvEvents(transfer, (self.width, self.height), self._dropped)
        except ValueError:
            self._lost["damaged_packets"] += 1
            return None
        return LivePacket(content, received_ns)

    def close(self) -> None:
        """Ends the camera's process."""
        self._closed = True
        self._disconnect()
        process = self._process
        if process is not None:
            for pipe in (process.stdin, process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
