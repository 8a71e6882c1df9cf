"""The process that runs the HDF5 library on one file: it crashes and hangs on damaged ones.

It answers the requests on its standard input, one line of JSON each, on its standard output: a
header `<cQ` (kind, size), then the payload.

    open        J {"name", "rows", "size", "block", "ecf"}
    row since   J {"row"}: where a pass that needs nothing before `since` (us) may start
    read k      C u32 events, u32 out_of_bounds, u32 negative_time, then the columns t, x, y, on
                R i64 offset in the file, then a raw ECF chunk
    any         E {"what", "remedy", "offset"}

A request that computes for too long is ended by the timer of the CPU time it may take, and memory
is limited: this process dies then, and the reader says so.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from __future__ import annotations

import json
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO

import h5py
import numpy as np

from saccade.camera.formats.base import COPY_AGAIN
from saccade.camera.formats.hdf5_layouts import BLOCK_ROWS, Layout, LayoutError, find_layout

_CPU_S = 0.4  # for one request; a good one takes a few milliseconds
_SPARE_BYTES = 256 << 20


class Child:
    """One open file.

    Args:
        path: the file.
        size: (width, height) that the user gave; None for the file's own.
    """

    def __init__(self, path: str, size: tuple[int, int] | None) -> None:
        # No cache over chunks read once; room for one of each column, which a block may share.
        self._file = h5py.File(path, "r", locking=False, rdcc_nbytes=16 << 20)
        self._layout: Layout = find_layout(self._file)
        self._size = size or self._layout.size or (0, 0)
        chunks = self._layout.datasets[0].chunks
        self._block = int(chunks[0]) if self._layout.ecf else BLOCK_ROWS

    def describe(self) -> bytes:
        layout = self._layout
        about = {"name": layout.name, "rows": layout.rows, "size": layout.size}
        return _json(about | {"block": self._block, "ecf": layout.ecf})

    def row(self, since_us: int) -> bytes:
        """Where a pass may start: at the first event where damage hides the times."""
        try:
            row = self._layout.first_row(since_us)
        except Exception:  # the pass then tells what is damaged, after every event before it
            row = 0
        return _json({"row": row if 0 <= row <= self._layout.rows else 0})

    def read(self, block: int) -> tuple[bytes, bytes]:
        """Kind and payload of a block of events."""
        start = block * self._block
        end = min(start + self._block, self._layout.rows)
        if self._layout.ecf:
            data: Any = self._layout.datasets[0].id
            info = data.get_chunk_info_by_coord((start,))
            if info.byte_offset is None or info.filter_mask:
                raise LayoutError("a chunk of events is missing", COPY_AGAIN)
            if info.size > 16 * self._block + 64:
                raise LayoutError("a chunk is larger than its events", COPY_AGAIN)
            _, raw = data.read_direct_chunk((start,))
            return b"R", struct.pack("<q", info.byte_offset) + raw
        self._check_written(start, end)
        return b"C", self._columns(*self._layout.read(start, end))

    def _check_written(self, start: int, end: int) -> None:
        """Refuses rows that nobody wrote: the library would make them up, as many as are stated."""
        for data in self._layout.datasets:
            if data.chunks is None:
                if data.id.get_storage_size() < data.size * data.dtype.itemsize:
                    raise LayoutError("events are missing", COPY_AGAIN)
                continue
            side, rest = int(data.chunks[0]), (0,) * (data.ndim - 1)
            for row in range(start // side * side, end, side):
                if data.id.get_chunk_info_by_coord((row, *rest)).byte_offset is None:
                    raise LayoutError("a chunk of events is missing", COPY_AGAIN)

    def _columns(self, t: Any, x: Any, y: Any, p: Any) -> bytes:
        width, height = self._size
        n_out = n_negative = 0
        if not (_all_below(x, width) and _all_below(y, height) and _all_below(t, 1 << 63)):
            inside = _below(x, width) & _below(y, height)
            positive = _below(t, 1 << 63)
            n_out = int(np.count_nonzero(~inside))
            n_negative = int(np.count_nonzero(inside & ~positive))
            good = inside & positive
            t, x, y, p = t[good], x[good], y[good], p[good]
        types = ("<u8", "<u2", "<u2", "?")
        columns = (t, x, y, p > 0)
        parts = [
            np.ascontiguousarray(column, kind).data
            for column, kind in zip(columns, types, strict=True)
        ]
        return b"".join((struct.pack("<III", len(t), n_out, n_negative), *parts))

    def offset(self, block: int) -> int | None:
        """Where the data of a block starts in the file, as far as the library can tell."""
        data = self._layout.datasets[0]
        start = (block * self._block,) + (0,) * (data.ndim - 1)
        if data.chunks:
            start = tuple(row // side * side for row, side in zip(start, data.chunks, strict=True))
            return data.id.get_chunk_info_by_coord(start).byte_offset
        return data.id.get_offset()


def _all_below(values: Any, limit: int) -> bool:
    """Whether all are from 0 to below `limit`: two passes that hold no array."""
    return len(values) == 0 or (int(values.min()) >= 0 and int(values.max()) < limit)


def _below(values: Any, limit: int) -> Any:
    """Which are from 0 to below `limit`, bool [N]."""
    most = int(np.iinfo(values.dtype).max) if values.dtype.kind in "iu" else limit
    return (values >= 0) & (values <= min(limit - 1, most))


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _error(what: str, remedy: str, offset: int | None = None) -> tuple[bytes, bytes]:
    return b"E", _json({"what": what, "remedy": remedy, "offset": offset})


def _answer(child: Child, request: list[Any]) -> tuple[bytes, bytes]:
    try:
        if request[0] == "row":
            return b"J", child.row(int(request[1]))
        return child.read(int(request[1]))
    except LayoutError as error:
        return _error(*error.args, offset=_where(child, request))
    except Exception as error:  # whatever the library makes of damage
        return _error(_reason(error), COPY_AGAIN, _where(child, request))


def _where(child: Child, request: list[Any]) -> int | None:
    try:
        return child.offset(int(request[1])) if request[0] == "read" else None
    except Exception:  # the place is lost in the same damage
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "its HDF5 structure asks for more memory than the file can need"
    return f"its HDF5 structure is damaged ({' '.join(str(error).split())[:120]})"


def _limit_memory(file_bytes: int) -> None:
    with open("/proc/self/statm", "rb") as status:  # noqa: PTH123
        mapped = int(status.read().split()[0]) * resource.getpagesize()
    limit = mapped + _SPARE_BYTES + 4 * file_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Arguments: path, file size in bytes, width, height (0 for the file's own)."""
    path, file_bytes, width, height = sys.argv[1], *map(int, sys.argv[2:5])
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        _limit_memory(file_bytes)
    out: BinaryIO = sys.stdout.buffer
    send(out, b"J", b"{}")  # from here on, what takes time is the file
    signal.setitimer(signal.ITIMER_PROF, _CPU_S)
    child = None
    try:
        child = Child(path, (width, height) if width else None)
        answer = b"J", child.describe()
    except LayoutError as error:
        answer = _error(*error.args)
    except Exception as error:
        answer = _error(_reason(error), "copy the file again")
    send(out, *answer)
    if child is None or answer[0] == b"E":
        return
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, _CPU_S)
        send(out, *_answer(child, json.loads(line)))
        signal.setitimer(signal.ITIMER_PROF, 0)


def send(out: BinaryIO, kind: bytes, payload: bytes) -> None:
    """One answer."""
    out.write(struct.pack("<cQ", kind, len(payload)) + payload)
    out.flush()
