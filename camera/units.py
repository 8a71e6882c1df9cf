"""Quantities as users write them, in options and in URIs alike: 30ms, 2s, 1h; 500k, 10M, 1e7;
1280x720.
"""

from __future__ import annotations

import math
import re

_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "h": 3_600_000_000}
_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][0-9]{1,2})?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([kMG]?)\s*", re.ASCII)
_DURATION = re.compile(rf"\s*(-?)({_NUMBER})\s*(us|ms|s|h)?\s*", re.ASCII)
_SIZE = re.compile(r"\s*([0-9]{1,9})[xX]([0-9]{1,9})\s*", re.ASCII)


def number(text: str) -> float:
    """A number such as 0.5, 200k, 50M or 1e7; raises ValueError where it is none."""
    match = _QUANTITY.fullmatch(text)
    value = float(match[1]) * _FACTORS[match[2]] if match else math.inf
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def microseconds(text: str, unit: str | None = None) -> float:
    """Microseconds of 500us, 30ms, 2s or 1h, after a minus sign perhaps.

    A plain number is of `unit`, where there is one. Raises ValueError where it is no duration.
    """
    match = _DURATION.fullmatch(text)
    stated = (match[3] or unit) if match else None
    if match is None or stated is None:
        raise ValueError(text)
    value = float(match[2]) * _UNITS_US[stated]
    if not math.isfinite(value):
        raise ValueError(text)
    return -value if match[1] else value


def size(text: str) -> tuple[int, int]:
    """(width, height) of 1280x720, both above 0; raises ValueError where it is none."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise ValueError(text)
    return int(match[1]), int(match[2])
