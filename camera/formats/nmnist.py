"""Reads N-MNIST and N-Caltech101 (.bin): records of five bytes and nothing else.

A file has no header, so it is known by what its first records tell (`is_nmnist`). The record:
x, y, then polarity and 23 bits of time in us, big-endian (Orchard et al., 2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.formats.file import RecordingFile
from saccade.camera.formats.stream import StreamRecording

_MNIST, _CALTECH, _ATIS = (34, 34), (240, 180), (304, 240)
_OVERFLOW_ROW = 240
_SCANNED = 16 << 20  # bytes: the largest file of the data sets has under 2 MB
_FEWEST = 16  # records that tell something


def is_nmnist(start: bytes) -> bool:
    """Whether a file with this start can be nothing else: inside the sensor, times that rise.

    At least 16 records; every pixel inside the ATIS's 304x240 (x is a byte); 98 of 100 times not
    before the one above; and time passes, but less than a second a record.
    """
    x, y, t = _records(start)
    if len(t) < _FEWEST or int(y.max()) > _OVERFLOW_ROW:
        return False
    steps = np.diff(t)
    rising = np.count_nonzero(steps >= 0) >= 0.98 * len(steps)
    return bool(rising and 0 < t[-1] - t[0] < 1_000_000 * len(t) and len(np.unique(x)) > 1)


def open_nmnist(file: RecordingFile, geometry: tuple[int, int] | None = None) -> StreamRecording:
    """A .bin file. Without `geometry`: 34x34 where every event lies inside (N-MNIST), else 240x180,
    the largest of N-Caltech101, else the sensor's 304x240.
    """
    width, height = geometry or _inferred(file)
    return StreamRecording(
        file,
        "nmnist",
        (width, height),
        0,
        lambda: _native.NmnistDecoder(width, height),
        "ATIS",
    )


def _records(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
    """x, y and the 23 bits of time of whole records."""
    rows = np.ndarray((len(data) // 5, 5), np.uint8, data)
    t = (rows[:, 2] & 0x7F).astype(np.int64) << 16 | rows[:, 3].astype(np.int64) << 8 | rows[:, 4]
    return rows[:, 0], rows[:, 1], t


def _inferred(file: RecordingFile) -> tuple[int, int]:
    data = file.read(0, _SCANNED)
    rows = np.ndarray((len(data) // 5, 5), np.uint8, data)
    x, y = rows[:, 0], rows[:, 1]
    pixel = y != _OVERFLOW_ROW
    if not pixel.any():
        return _ATIS
    x_max = int(x.max(where=pixel, initial=0))
    y_max = int(y.max(where=pixel, initial=0))
    for width, height in (_MNIST, _CALTECH):
        if x_max < width and y_max < height:
            return width, height
    return _ATIS
