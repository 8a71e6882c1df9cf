"""A `.npz` of events with numpy.load, event after event: for files that are small and whole."""

from io import BytesIO

import numpy as np

from tests.reference.evt2 import Event


def decode(data: bytes, width: int, height: int) -> list[Event]:
    """The events of t, x, y, p (us) or of the records `event_data`."""
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        source = arrays["event_data"] if "event_data" in arrays else dict(arrays)
        rows = zip(*(source[name].tolist() for name in "txyp"), strict=True)
    return [(t, x, y, p > 0) for t, x, y, p in rows if 0 <= x < width and 0 <= y < height]
