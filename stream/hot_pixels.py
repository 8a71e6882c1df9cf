"""`saccade hot-pixels`: the mask of a sensor's hot pixels, from a second of a recording."""

from __future__ import annotations

from pathlib import Path

from saccade.camera.errors import printable
from saccade.camera.filters import LEARN, EventFilter, FilterSpec, write_hot_pixels
from saccade.camera.recordings import open_recording
from saccade.camera.seeking import Section
from saccade.stream.durations import parse_section_us
from saccade.stream.files import refuse_overwriting
from saccade.stream.settings import parse_geometry


def learn_hot_pixels(source: str, out: Path, *, start: str | None, geometry: str | None) -> None:
    """Writes the pixels that are hot over a second of a recording, or to its end.

    Args:
        source: the recording's path.
        out: the mask file to write; one that exists is replaced.
        start: how long after the first event the second begins; at the first event when None.
        geometry: the sensor's size, as `--geometry` takes it.

    Raises:
        SaccadeError: a setting is refused, or the recording is damaged; then nothing is written.
        OSError: the mask cannot be written.
    """
    start_us, _ = parse_section_us(start, None)
    refuse_overwriting(source, None, (), out)
    with open_recording(source, parse_geometry(geometry)) as recording:
        filters = EventFilter(recording.width, recording.height, FilterSpec(hot_pixels=LEARN))
        for packet in Section(recording, start_us).packets():
            filters.apply(packet)
            if not filters.learning:
                break
    hot = filters.hot_pixels
    write_hot_pixels(out, hot)
    ended = ", of less than a second" if filters.learning else ""
    print(
        printable(f"{out}: {hot.sum():,} hot pixels of {filters.width}x{filters.height}{ended}"),
        flush=True,
    )
