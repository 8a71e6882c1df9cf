"""A pipeline's settings, checked once: what they may be, in one line where they are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from saccade.camera.errors import SaccadeError
from saccade.camera.filters import FilterSpec, Polarity
from saccade.camera.slicing import CountSlicer, Slicer, TimeSlicer
from saccade.camera.units import size
from saccade.engines.scoring import Scores
from saccade.stream.durations import parse_duration_us
from saccade.stream.live_words import Scoring

DEFAULT_WINDOW = "30ms"


def make_slicer(window: str | int | None, count: int | None, stride: str | int | None) -> Slicer:
    """The slicer of `--window` or `--count` and `--stride`.

    Args:
        window: "30ms" or microseconds; 30 ms when `count` is None too.
        count: events per slice.
        stride: a duration with a window, events with a count.

    Raises:
        SaccadeError: both given, or one is not what it has to be.
    """
    if count is None:
        return TimeSlicer(
            _microseconds("window", DEFAULT_WINDOW if window is None else window),
            None if stride is None else _microseconds("stride", stride),
        )
    if window is not None:
        raise SaccadeError("window and count: both given; slice by time or by count, not both")
    if isinstance(stride, str):
        if not stride.isdecimal():
            raise SaccadeError(f"stride {stride!r}: with a count it is a number of events")
        stride = int(stride)
    if stride is not None:
        check_whole("stride", stride)
    return CountSlicer(check_whole("count", count), stride)


def _microseconds(name: str, value: str | int) -> int:
    return parse_duration_us(value, name) if isinstance(value, str) else check_whole(name, value)


def make_scoring(
    top: int,
    scores: str,
    unknown: float | None,
    smooth: str | int | None,
    vote: int | None,
    template: str | Sequence[str],
) -> Scoring:
    """How embeddings become labels; what only a model can refuse is left to it.

    Args:
        smooth: "200ms" or microseconds.
        vote: slices, instead of `smooth`.

    Raises:
        SaccadeError: one of them is not what it has to be, or both ways to smooth are given.
    """
    check_whole("top", top)
    if smooth is not None and vote is not None:
        raise SaccadeError("smooth and vote: both given; smooth over embeddings or let slices vote")
    scoring = Scoring(
        top,
        cast(Scores, scores),
        unknown,
        None if smooth is None else _microseconds("smooth", smooth),
        None if vote is None else check_whole("vote", vote),
        (template,) if isinstance(template, str) else tuple(template),
    )
    scoring.smoothing()
    return scoring


def check_whole(name: str, value: object) -> int:
    """`value` where it is an int.

    Raises:
        SaccadeError: anything else, True and 30.0 included.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise SaccadeError(f"{name} {value!r}: must be a whole number")
    return value


def check_geometry_pair(geometry: object) -> None:
    """Refuses a geometry that is neither None nor (width, height).

    Raises:
        SaccadeError: such a one.
    """
    if geometry is None:
        return
    if not isinstance(geometry, tuple) or len(geometry) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise SaccadeError(f"geometry {geometry!r}: must be (width, height), such as (640, 480)")
    for side in geometry:  # pyright: ignore[reportUnknownVariableType]
        check_whole("geometry", side)  # pyright: ignore[reportUnknownArgumentType]


def parse_geometry(text: str | None) -> tuple[int, int] | None:
    """(width, height) of `640x480`; None stays None.

    Raises:
        SaccadeError: anything else.
    """
    if text is None:
        return None
    try:
        return size(text)
    except ValueError:
        raise SaccadeError(f"geometry {text!r}: write WIDTHxHEIGHT, such as 640x480") from None


def parse_filters(
    roi: str | None,
    polarity: str | None,
    hot_pixels: str | None,
    refractory: str | None,
    background: str | None,
) -> FilterSpec | None:
    """The event filters of `saccade run`'s options, each as the user wrote it; None without any.

    Raises:
        SaccadeError: one of them is not what it has to be.
    """
    if roi is polarity is hot_pixels is refractory is background is None:
        return None
    return FilterSpec(
        roi=None if roi is None else _parse_roi(roi),
        polarity=cast(Polarity, polarity or "both"),
        hot_pixels=hot_pixels,
        refractory_us=None if refractory is None else parse_duration_us(refractory, "refractory"),
        background_us=None if background is None else parse_duration_us(background, "background"),
    )


def _parse_roi(text: str) -> tuple[int, int, int, int]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isdecimal() for part in parts):
        raise SaccadeError(f"roi {text!r}: write X,Y,WIDTH,HEIGHT in pixels, such as 0,0,320,240")
    x, y, width, height = map(int, parts)
    return x, y, width, height
