"""What holds for every stream decoder: it agrees with its plain twin, however the bytes are cut."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from tests.reference.evt2 import Event


def check_decoder(
    new_decoder: Callable[[], Any],
    expected: tuple[list[Event], Counter[str]],
    data: bytes,
    cuts: list[int],
) -> Any:
    """Decodes `data` cut at `cuts` (taken modulo its length); gives the decoder."""
    decoder = new_decoder()
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    columns = [decoder.decode(data[a:b]) for a, b in pairwise(edges)]
    t, x, y, on = (np.concatenate(column) for column in zip(*columns, strict=True))
    events, seen = expected
    assert list(zip(t.tolist(), x.tolist(), y.tolist(), on.tolist(), strict=True)) == events
    counts = decoder.dropped | decoder.skipped
    assert counts == {name: seen[name] for name in counts}
    assert not set(seen) - set(counts)
    return decoder
