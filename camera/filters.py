"""Event filters for live use, and a limit to the rate of events by whole slices.

An event meets the filters in this order, and the first that refuses it counts it:

    roi         it lies outside the region of interest, or outside the sensor
    polarity    it is not of the polarity that was chosen
    hot         its pixel is masked as hot
    refractory  its pixel had an event that this filter kept less than R us before
    background  none of the 8 pixels around its own had an event less than T us before

The background activity filter is that of Delbruck 2008 ("Frame-free dynamic digital vision"), with
the support of the 8 neighbours and not of the pixel itself; events that it removes support later
ones, events that an earlier filter removed do not. Times may fall: both periods are distances on
the clock, in either direction, so neither locks a pixel. Where the clock leaps by more than 17
minutes, what was before may be forgotten.

dv-processing differs in two ways. Its refractory period starts anew with every event that it
removes, so that a pixel firing faster than 1 / R falls silent, where here it keeps a rate of up to
1 / R, as the circuit's own refractory period does. Its pixels begin with an event at time 0.

Hot pixels are learned over the first second of the recording's clock, from all its events whatever
region and polarity are chosen; those events pass. A pixel is hot that had at least 50 events
and more than 10 times those of its second busiest neighbour: a moving edge or a flickering lamp
wakes neighbours too, a broken pixel, or a pair of them, does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.events import MAX_SIDE, Packet
from saccade.camera.slicing import Window

Polarity = Literal["both", "on", "off"]

#: The longest refractory period and background activity time, in us.
MAX_PERIOD_US = 60_000_000
LEARN = "learn"


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """Which events a frame is made of; None leaves a filter out.

    Attributes:
        roi: x, y, width and height of the region of interest, in pixels of the sensor. Frames keep
            the sensor's size.
        polarity: "on" or "off" alone, or "both".
        hot_pixels: "learn", or the path of a mask file (see `read_hot_pixels`).
        refractory_us: R, and
        background_us: T of the module's text, from 1 us to a minute.
    """

    roi: tuple[int, int, int, int] | None = None
    polarity: Polarity = "both"
    hot_pixels: str | PathLike[str] | None = None
    refractory_us: int | None = None
    background_us: int | None = None

    def __post_init__(self) -> None:
        if self.polarity not in get_args(Polarity):
            raise SaccadeError(f"polarity {self.polarity!r}: unknown; use on, off or both")
        for name, period in (
            ("refractory", self.refractory_us),
            ("background", self.background_us),
        ):
            _check_period(name, period)


def _check_period(name: str, period: object) -> None:
    if period is None:
        return
    if isinstance(period, bool) or not isinstance(period, int) or not 1 <= period <= MAX_PERIOD_US:
        raise SaccadeError(f"{name} {period} us: must be whole, from 1 us to a minute")


class EventFilter:
    """Filters the packets of one sensor, in their order; one thread at a time.

    State is carried from packet to packet, so any cutting of a stream gives the same events.

    Attributes:
        spec: the settings.
        width, height: the sensor's, in pixels.
    """

    def __init__(self, width: int, height: int, spec: FilterSpec) -> None:
        """Reads the mask file, where the spec names one.

        Raises:
            SaccadeError: a side is not from 1 to 8192 pixels, the region does not lie inside the
                sensor, or the mask cannot be read or does not fit.
        """
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise SaccadeError(f"sensor {width}x{height}: sides must be from 1 to {MAX_SIDE}")
        self.spec, self.width, self.height = spec, width, height
        learn = spec.hot_pixels == LEARN
        self._native = _native.EventFilter(
            width,
            height,
            *_region(spec.roi, width, height),
            _native.Polarity[spec.polarity],
            learn,
            spec.refractory_us or 0,
            spec.background_us or 0,
        )
        if spec.hot_pixels is not None and not learn:
            self._native.mask(read_hot_pixels(spec.hot_pixels, width, height))

    def apply(self, packet: Packet) -> Packet:
        """The events of the next packet that pass, in new columns.

        Raises:
            TypeError, ValueError: its columns are not what `Packet` says, or not contiguous.
        """
        return self.sift(packet)[0]

    def sift(self, packet: Packet) -> tuple[Packet, NDArray[np.bool_]]:
        """As `apply`, and which events passed: bool [N] of the packet's N events."""
        columns, kept = self._native.apply(packet.t, packet.x, packet.y, packet.on)
        return Packet(*columns), kept

    @property
    def removed(self) -> dict[str, int]:
        """Events removed so far, by the filter: roi, polarity, hot, refractory, background."""
        return self._native.removed

    @property
    def learning(self) -> bool:
        """Whether the second in which hot pixels are learned is still going on."""
        return self._native.learning

    @property
    def hot_pixels(self) -> NDArray[np.bool_]:
        """The pixels masked as hot, bool [height, width]; while learning, as they stand so far."""
        return self._native.hot_pixels()


def _region(
    roi: tuple[int, int, int, int] | None, width: int, height: int
) -> tuple[int, int, int, int]:
    if roi is None:
        return 0, 0, width, height
    x, y, columns, rows = roi
    inside = 0 <= x <= width - columns and 0 <= y <= height - rows
    if not (inside and columns > 0 and rows > 0):
        raise SaccadeError(
            f"roi {x},{y},{columns},{rows}: must lie inside the sensor ({width}x{height}); "
            "it is x,y,width,height"
        )
    return roi


def write_hot_pixels(path: str | PathLike[str], hot: NDArray[np.bool_]) -> None:
    """Writes a mask, bool [height, width], as text: a line `x,y` for each hot pixel.

    The first line, a comment, says the sensor's size.
    """
    rows, columns = np.nonzero(hot)
    height, width = hot.shape
    lines = [f"# hot pixels of {width}x{height}: x,y"]
    lines += [f"{x},{y}" for x, y in zip(columns.tolist(), rows.tolist(), strict=True)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_hot_pixels(path: str | PathLike[str], width: int, height: int) -> NDArray[np.bool_]:
    """The mask in a file of lines `x,y`, bool [height, width]; lines from # on are comments.

    Raises:
        SaccadeError: it cannot be read, or a line is no pixel of the sensor.
    """
    hot = np.zeros((height, width), np.bool_)
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        why = cast(str, getattr(error, "strerror", None)) or "not a text file"
        raise SaccadeError(
            f"hot pixels {fspath(path)}: {why}; name a file of lines x,y, or learn"
        ) from None
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        x, _, y = (part.strip() for part in text.partition(","))
        if not (x.isdecimal() and y.isdecimal() and int(x) < width and int(y) < height):
            raise SaccadeError(
                f"hot pixels {fspath(path)}, line {number}: {text[:40]!r} is no pixel x,y of a "
                f"sensor of {width}x{height}"
            )
        hot[int(y), int(x)] = True
    return hot


class RateLimit:
    """Lets whole slices through, at most so many events a second of the sensor's clock.

    A leaky bucket: each slice takes the time that its events need at the limit, and one passes
    where the slices before it have had theirs by its end. Nothing within a slice is thinned out.
    A slice alone always passes, however large; the ones after it then wait.
    """

    def __init__(self, max_rate: float) -> None:
        """Raises SaccadeError where `max_rate`, events per second, is not positive and finite."""
        if not 0 < max_rate < float("inf"):
            raise SaccadeError(f"max rate {max_rate} events/s: must be positive and finite")
        self.max_rate = max_rate
        self._begin_us = 0
        self._free_us = 0.0  # when the slices that passed have had their time

    def allows(self, cut: Window) -> bool:
        """Whether the next slice passes; slices come in order, and a fallen clock starts anew."""
        if cut.t_begin_us < self._begin_us:
            self._free_us = 0.0
        self._begin_us = cut.t_begin_us
        if self._free_us > cut.t_end_us:
            return False
        needed_us = cut.n_events * 1e6 / self.max_rate
        self._free_us = max(self._free_us, cut.t_begin_us) + needed_us
        return True
