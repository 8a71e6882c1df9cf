"""`saccade convert`: a recording, or a section of it, written in another format."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from saccade.camera.errors import RecordingError, printable
from saccade.camera.seeking import Section
from saccade.camera.video import VideoSpec
from saccade.camera.writers import Writer, choose_format, open_writer
from saccade.stream.durations import parse_section_us
from saccade.stream.files import refuse_overwriting
from saccade.stream.progress import progress
from saccade.stream.settings import parse_geometry
from saccade.stream.signals import Signals
from saccade.stream.video import VideoSettings, parse_video


@dataclass(frozen=True, slots=True)
class ConvertOptions:
    """The arguments and options of `saccade convert`, as the user wrote them."""

    source: str
    out: str
    start: str | None = None
    stop: str | None = None
    format: str | None = None
    compression: str | None = None
    geometry: str | None = None
    video_events: str | None = None
    video_threshold: float | None = None
    sensor: str | None = None


class _Conversion:
    """The events of a section on their way to a writer."""

    def __init__(self, section: Section, writer: Writer) -> None:
        self.section, self.writer = section, writer
        self.events = 0
        self.stopped = False

    def stop(self) -> None:
        """Ends after the packet in hand."""
        self.stopped = True

    def run(self) -> None:
        """Writes to the end, or until stopped; RecordingError where either file fails."""
        with progress(self.section.recording) as show:
            for packet in self.section.packets():
                self.writer.write(packet)
                self.events += len(packet)
                show()
                if self.stopped:
                    return


def convert_file(options: ConvertOptions) -> None:
    """Converts a recording and prints what was written, in one line.

    Raises:
        SaccadeError: a setting is refused, or a file fails. The input's damage: everything before
            it was written, and the output finished.
        KeyboardInterrupt: a signal; the output was finished with what was read.
    """
    section_us = parse_section_us(options.start, options.stop)
    kind = choose_format(options.out, options.format)
    refuse_overwriting(options.source, None, (), Path(options.out))
    started = time.monotonic()
    with Signals() as signals, contextlib.ExitStack() as stack:
        video = VideoSettings(
            parse_video(options.video_events, options.video_threshold, options.sensor, "simulated"),
            default=VideoSpec("simulated"),
        )
        recording = video.open(options.source, parse_geometry(options.geometry))
        stack.enter_context(recording)
        section = Section(recording, *section_us)
        size = recording.width, recording.height
        writer = open_writer(
            options.out, *size, kind, options.compression, recording.sensor or "saccade"
        )
        conversion = _Conversion(section, writer)
        damage = None
        # Stopping covers close() too: an .npz is made there.
        with signals.stopping(conversion.stop):
            try:
                with writer, signals.interrupting():
                    conversion.run()
            except RecordingError as error:
                damage = error
        print(_summary(options.out, kind, conversion, time.monotonic() - started), flush=True)
    if damage is not None:
        raise damage
    if conversion.stopped:
        raise KeyboardInterrupt


def _summary(out: str, kind: str, conversion: _Conversion, seconds: float) -> str:
    lost = {name: n for name, n in conversion.section.dropped.items() if n}
    classes = ", ".join(f"{name} {n:,}" for name, n in lost.items())
    dropped = f"{sum(lost.values()):,} dropped" + (f" ({classes})" if classes else "")
    with contextlib.suppress(OSError):
        written = f"{Path(out).stat().st_size:,} bytes, "
        return printable(
            f"{out}: {kind}, {conversion.events:,} events, {dropped}, {written}{seconds:.2f} s"
        )
    return printable(f"{out}: not finished, {conversion.events:,} events, {dropped}")
