"""Times as users write them: 30ms, 500us, 2s; and speeds: 1.0, 2.0, max."""

from __future__ import annotations

import math
import re

from saccade.camera.errors import SaccadeError

_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000}


def parse_duration_us(text: str, name: str) -> int:
    """Microseconds of a text such as `30ms`; `name` is the option, for the error.

    Raises:
        SaccadeError: no number, no unit (us, ms, s), or less than 1 us.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(us|ms|s)?\s*", text)
    if match and float(match[1]) == 0:
        raise SaccadeError(f"{name} {text}: must be longer than zero, such as 30ms")
    if match is None or match[2] is None:
        raise SaccadeError(
            f"{name} {text!r}: not a duration; write a number and us, ms or s (30ms)"
        )
    value = round(float(match[1]) * _UNITS_US[match[2]])
    if not 1 <= value <= 86_400 * 1_000_000:
        raise SaccadeError(f"{name} {text}: must be from 1us to a day")
    return value


def parse_speed(text: str | float) -> float:
    """Replay speed: 1.0 is the recording's own; infinity for `max`.

    Raises:
        SaccadeError: neither `max` nor a positive number.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise SaccadeError(f"speed {text}: must be a positive number (1.0 is real time) or max")
    return speed
