"""Times of a clock that steps back, made to rise; and looking through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: A clock that falls by more than this begins anew.
RESET_US = 1_000_000


def rising(t: NDArray[np.uint64], newest_us: int) -> NDArray[np.uint64]:
    """The times made non-decreasing, up to the first that lies over `RESET_US` before the newest.

    Looks at growing parts, so that a stream of nothing but falls costs no more than one of none.
    """
    newest = np.uint64(newest_us)
    if t[0] >= newest and not (t[1:] < t[:-1]).any():
        return t  # as nearly all are
    parts: list[NDArray[np.uint64]] = []
    start, size = 0, 256
    while start < len(t):
        part = t[start : start + size]
        highest = np.maximum.accumulate(np.maximum(part, newest))
        fallen = highest - part > RESET_US
        if fallen.any():
            parts.append(highest[: int(fallen.argmax())])
            break
        parts.append(highest)
        newest = highest[-1]
        start += size
        size *= 2
    return np.concatenate(parts)


def next_time(times: NDArray[np.uint64], t_us: int) -> int:
    """The first of these rising times at or after `t_us`; that itself where there is none."""
    if int(times[-1]) < t_us:
        return t_us
    return int(times[np.searchsorted(times, np.uint64(t_us))])


def any_within(times: NDArray[np.uint64], begin_us: int, end_us: int) -> bool:
    """Whether one of these rising times lies in [begin, end)."""
    first, last = np.searchsorted(times, np.array([begin_us, end_us], np.uint64))
    return bool(first < last)
