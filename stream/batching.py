"""How many frames an engine takes at once, where several wait: what its own times say is worth it.

A batch helps where the engine needs less time for each of its frames then, which differs by engine,
model and processor: of saccade-mini on two cores hardly, of a ViT by a fifth, on a GPU many times.
So it is measured as it runs, and a batch that would make its oldest slice late is not made.
"""

from __future__ import annotations

from collections import deque

#: Frames of one run; those in between would keep plans of their own.
SIZES = (1, 2, 4, 8)
#: A batch has to save so much of the time of each frame: the first of it waits for the last.
LEAST_GAIN = 0.1
_TRIALS = 3  # runs of a size before it is judged
_KEPT = 16  # times of a size: the least counts, for a run that was held up says nothing


class BatchSizes:
    """Chooses for one engine; one thread."""

    def __init__(self, most: int) -> None:
        """An engine that was opened for up to `most` frames."""
        self._sizes = [size for size in SIZES if size <= most]
        self._us = {size: deque[float](maxlen=_KEPT) for size in self._sizes}
        self._first = set(self._sizes)  # not run yet: their first run makes room for the others

    def choose(self, waiting: int, left_us: float) -> int:
        """How many of so many waiting frames to run, the oldest of which is late after `left_us`.

        A size that was hardly run yet is tried where even as slow as single frames it is in time.
        """
        single = self._least(1)
        best, best_us = 1, single * (1 - LEAST_GAIN)
        if not single:
            return 1
        for size in self._sizes[1:]:
            if size > waiting:
                break
            if len(self._us[size]) < _TRIALS:
                if size * single <= left_us:
                    return size
                break  # larger ones take longer still
            each_us = self._least(size) / size
            if each_us < best_us and each_us * size <= left_us:
                best, best_us = size, each_us
        return best

    def took(self, size: int, us: float) -> None:
        """A run of `size` frames took so long; of any other number it says nothing."""
        if size not in self._us:
            return
        if size in self._first:
            self._first.remove(size)
        else:
            self._us[size].append(us)

    def _least(self, size: int) -> float:
        """Of its last runs, us; 0 where there was none."""
        return min(self._us[size], default=0.0)
