"""What holds for every stream decoder: it agrees with its plain twin, however the bytes are cut."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from tests.reference.evt2 import Event


def decode(decoder: Any, data: bytes, cuts: list[int]) -> list[Event]:
    """The events of `data`, given in pieces cut at `cuts` (taken modulo its length)."""
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    columns = [decoder.decode(data[a:b]) for a, b in pairwise(edges)]
    t, x, y, on = (np.concatenate(column) for column in zip(*columns, strict=True))
    return list(zip(t.tolist(), x.tolist(), y.tolist(), on.tolist(), strict=True))


def check_counts(decoder: Any, seen: Counter[str]) -> None:
    """`dropped` and `skipped` are what the plain twin has seen, and nothing is left out."""
    counts = decoder.dropped | decoder.skipped
    assert counts == {name: seen[name] for name in counts}
    assert not set(seen) - set(counts)


def check_decoder(
    new_decoder: Callable[[], Any],
    expected: tuple[list[Event], Counter[str]],
    data: bytes,
    cuts: list[int],
) -> Any:
    """Decodes `data` cut at `cuts`; gives the decoder."""
    decoder = new_decoder()
    events, seen = expected
    assert decode(decoder, data, cuts) == events
    check_counts(decoder, seen)
    return decoder
