"""Embedding spaces that have a name: told by what their text tower says of a few words.

A space is as a rule named by its text tower's weights, which differ in their last bits from one
file of the same CLIP to another (float16, float32, converted). What they say of words does not.
`known_spaces.toml` has, of each known space, projections of a few texts' embeddings; it is made by
`saccade.training.space_marks`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

_FILE = Path(__file__).with_name("known_spaces.toml")
#: By how much a projection may differ. Half-precision weights move it by some 1e-4; in another
#: space of 512 dimensions it is anywhere within 0.1.
TOLERANCE = 3e-3


class Mark(msgspec.Struct):
    """How a space is told.

    Attributes:
        dimension: of its embeddings.
        texts: as the text tower gets them.
        projections: [texts, K], of their L2-normalised embeddings on `directions`.
    """

    dimension: int
    texts: list[str]
    projections: list[list[float]]


def directions(count: int, dimension: int) -> NDArray[np.float64]:
    """Unit vectors float64 [count, dimension] of +-1/sqrt(dimension): SHAKE-256's bits of 0, 1, ...

    Never others, whatever the version of whatever library.
    """
    digests = (hashlib.shake_256(str(k).encode()).digest(-(-dimension // 8)) for k in range(count))
    bits = np.array([np.frombuffer(digest, np.uint8) for digest in digests])
    signs = np.unpackbits(bits, axis=1)[:, :dimension] * 2.0 - 1.0
    return signs / np.sqrt(dimension)


def projected(embeddings: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """float64 [N, count] of embeddings float32 [N, D], of whatever length."""
    rows: NDArray[np.float64] = embeddings.astype(np.float64)
    rows /= np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
    return np.einsum("nd,kd->nk", rows, directions(count, embeddings.shape[1]))


def known_space(
    dimension: int, embed: Callable[[Sequence[str]], NDArray[np.float32]]
) -> str | None:
    """The name of the space in which a text tower's embeddings lie; None: none that is known.

    Args:
        dimension: of the embeddings.
        embed: texts to embeddings float32 [N, dimension].
    """
    marks = msgspec.toml.decode(_FILE.read_bytes(), type=dict[str, Mark])
    for space, mark in marks.items():
        if mark.dimension == dimension:
            wanted = np.array(mark.projections)
            found = projected(embed(mark.texts), wanted.shape[1])
            if np.abs(found - wanted).max() <= TOLERANCE:
                return space
    return None
