"""The table at the end of an AEDAT4 file as an index: where the packets of a time lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native

Column = NDArray[np.int64]


class Aedat4Index:
    """Which packet to begin with; made only from a table that agrees with the file and itself.

    Attributes:
        offset: int64 [N], byte offsets of the packets of one stream, headers included.
        size: int64 [N], their bytes behind the header.
        first, last: int64 [N], us of the first and the last event.
    """

    def __init__(self, offset: Column, size: Column, first: Column, last: Column) -> None:
        self.offset, self.size, self.first, self.last = offset, size, first, last

    def packet_at(self, t_us: int) -> int:
        """The first packet that ends at or after `t_us`; the number of packets where none does."""
        return int(np.searchsorted(self.last, min(t_us, (1 << 63) - 1)))


def read_index(table: bytes | memoryview, stream: int, begin: int, end: int) -> Aedat4Index | None:
    """The index of `stream` from a decompressed FTAB; None where it cannot be trusted.

    Trusted is a table whose packets fill the file from byte `begin` to `end` without a gap, and
    whose times never fall. A file in which they do has no index: its packets are scanned.

    Args:
        table: the size-prefixed flatbuffer.
        stream: the number of the event stream.
        begin, end: byte offsets of the first packet and of the table.
    """
    try:
        offset, streams, size, events, first, last = _native.read_aedat4_table(table)
    except ValueError:
        return None
    if not len(offset) or (size < 0).any() or (offset < 0).any():
        return None
    order = np.argsort(offset, kind="stable")
    starts = offset[order] - 8
    ends = starts + 8 + size[order]
    if starts[0] != begin or ends[-1] != end or (starts[1:] != ends[:-1]).any():
        return None
    mine = order[(streams[order] == stream) & (events[order] > 0)]
    first, last = first[mine], last[mine]
    if (first > last).any() or (first[1:] < last[:-1]).any() or (first < 0).any():
        return None
    return Aedat4Index(offset[mine] - 8, size[mine], first, last)
