"""Times as users write them: 30ms, 500us, 2s; speeds: 1.0, 2.0, max; and rates: 500k, 10M."""

from __future__ import annotations

import math

from saccade.camera.errors import SaccadeError
from saccade.camera.units import microseconds, number

_DAY_US = 86_400 * 1_000_000
# An hour of recording in 3.6 s, or a second of it in 17 minutes: beyond, clocks overflow.
_SLOWEST, _FASTEST = 0.001, 1000.0


def parse_duration_us(text: str, name: str) -> int:
    """Microseconds of a text such as `30ms`; `name` is the option, for the error.

    Raises:
        SaccadeError: no number, no unit (us, ms, s, h), less than 1 us, or more than a day.
    """
    try:
        value = microseconds(text)
    except ValueError:
        if _is_zero(text):
            value = 0.0
        else:
            raise SaccadeError(
                f"{name} {text!r}: not a duration; write a number and us, ms, s or h (30ms)"
            ) from None
    if value == 0:
        raise SaccadeError(f"{name} {text}: must be longer than zero, such as 30ms")
    if not 1 <= value <= _DAY_US:
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
    if _is_zero(value):
        return 0
    return parse_duration_us(value, name)


def _is_zero(text: str) -> bool:
    """Whether it is nothing of any unit."""
    try:
        return microseconds(text, "s") == 0
    except ValueError:
        return False


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
    try:
        rate = number(text)
    except ValueError:
        rate = 0.0
    if rate <= 0:
        raise SaccadeError(f"max-rate {text!r}: write events per second, such as 10M or 500k")
    return rate
