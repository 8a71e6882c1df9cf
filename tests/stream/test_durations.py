"""Durations and speeds as users write them."""

from __future__ import annotations

import math

import pytest

from saccade.camera.errors import SaccadeError
from saccade.stream.durations import parse_duration_us, parse_speed


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("30ms", 30_000),
        (" .5 s ", 500_000),
        ("1us", 1),
        ("1.5ms", 1500),
        ("86400s", 86_400_000_000),
        ("1e3ms", 1_000_000),
        ("1h", 3_600_000_000),
    ],
)
def test_durations(text: str, us: int) -> None:
    assert parse_duration_us(text, "window") == us


@pytest.mark.parametrize(
    "text",
    ["", "30", "ms", "-1ms", "0s", "0.1us", "25h", "nan s", "86401s", "9" * 400 + "s", "٣ms"],
)
def test_what_is_no_duration_is_one_line(text: str) -> None:
    with pytest.raises(SaccadeError, match="window") as caught:
        parse_duration_us(text, "window")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "speed"),
    [("1.0", 1.0), (2, 2.0), ("0.001", 0.001), ("1e3", 1000.0), ("max", math.inf), (math.inf,) * 2],
)
def test_speeds(text: str | float, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "1e-300", "0.0009", "1001", "1e300", "fast", ""]
)
def test_a_speed_beyond_the_clock_is_one_line(text: str) -> None:
    with pytest.raises(SaccadeError, match=r"from 0\.001 to 1000 .*, or max"):
        parse_speed(text)
