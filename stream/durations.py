"""Times as users write them: 30ms, 500us, 2s; speeds: 1.0, 2.0, max; and rates: 500k, 10M."""

from __future__ import annotations

import math
import re

from saccade.camera.errors import SaccadeError

_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000}
# An hour of recording in 3.6 s, or a second of it in 17 minutes: beyond, clocks overflow.
_SLOWEST, _FASTEST = 0.001, 1000.0


def parse_duration_us(text: str, name: str) -> int:
    """Microseconds of a text such as `30ms`; `name` is the option, for the error.

    Raises:
        SaccadeError: no number, no unit (us, ms, s), less than 1 us, or more than a day.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(us|ms|s)?\s*", text)
    if match and float(match[1]) == 0:
        raise SaccadeError(f"{name} {text}: must be longer than zero, such as 30ms")
    if match is None or match[2] is None:
        raise SaccadeError(
            f"{name} {text!r}: not a duration; write a number and us, ms or s (30ms)"
        )
    value = float(match[1]) * _UNITS_US[match[2]]
    if not 1 <= value <= 86_400 * 1_000_000:
        raise SaccadeError(f"{name} {text}: must be from 1us to a day")
    return round(value)


def parse_section_us(start: str | int | None, stop: str | int | None) -> tuple[int, int | None]:
    """Microseconds after the first event of `--from` and `--to`, as texts or whole microseconds.

    Raises:
        SaccadeError: not a time from 0 (`--to`: after `--from`) to a day.
    """
    begin = 0 if start is None else _position_us(start, "from")
    end = None if stop is None else _position_us(stop, "to")
    if end is not None and end <= begin:
        raise SaccadeError(f"to {stop}: must be later than from ({start or 0})")
    return begin, end


def _position_us(value: str | int, name: str) -> int:
    if isinstance(value, int):
        if isinstance(value, bool) or value < 0:
            raise SaccadeError(f"{name} {value}: must be 0 us or more")
        return value
    if re.fullmatch(r"\s*(0*\.)?0+\s*(us|ms|s)?\s*", value):
        return 0
    return parse_duration_us(value, name)


def parse_speed(text: str | float) -> float:
    """Replay speed: 1.0 is the recording's own; infinity for `max`.

    Raises:
        SaccadeError: neither `max` nor a number from 0.001 to 1000.
    """
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not (_SLOWEST <= speed <= _FASTEST or speed == math.inf):
        raise SaccadeError(
            f"speed {text}: must be from {_SLOWEST:g} to {_FASTEST:g} (1.0 is real time), or max"
        )
    return speed


def parse_rate(text: str) -> float:
    """Events per second of a text such as `10M`, `500k` or `1e7`.

    Raises:
        SaccadeError: no positive number, or another letter than k, M or G.
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][0-9]{1,2})?)\s*([kMG]?)\s*", text)
    rate = float(match[1]) * _FACTORS[match[2]] if match else 0.0
    if rate <= 0:
        raise SaccadeError(f"max-rate {text!r}: write events per second, such as 10M or 500k")
    return rate
