"""What a command or a pipeline says of a video: how it becomes events, slices and frames."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.formats.video import VideoRecording
from saccade.camera.frames import FrameSpec
from saccade.camera.recordings import Recording, open_recording
from saccade.camera.simulate import Sensor
from saccade.camera.video import CLAMPS, ChunkSlicer, VideoEvents, VideoSpec


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """Settings that only a video has a use for.

    Attributes:
        spec: how its events are made; None where nobody said.
        chunks: whether slices are its chunks, where its events are differences.
        clamped: whether their frames are normalised as such chunks are, not as the model's are.
        default: the spec where nobody said one.
    """

    spec: VideoSpec | None = None
    chunks: bool = True
    clamped: bool = True
    default: VideoSpec = VideoSpec()  # noqa: RUF009 (frozen)

    def open(self, source: str | Path | Recording, geometry: tuple[int, int] | None) -> Recording:
        """Opens a recording, where it is not open yet.

        Raises SaccadeError where it is refused, or is no video while a spec was said.
        """
        owned = isinstance(source, str | Path)
        opened = open_recording(source, geometry, self.spec or self.default) if owned else source
        if self.spec is not None and not (owned and isinstance(opened, VideoRecording)):
            if owned:
                opened.close()
            what = "this is no video" if owned else "this recording is open already"
            raise SaccadeError(f"{printable(opened.path)}: {what}; leave its video settings out")
        return opened

    def slicer(self, video: VideoRecording, from_start: bool) -> ChunkSlicer | None:
        """What cuts it into chunks; None where it is cut like any recording."""
        if not self.chunks or video.spec.events == "simulated":
            return None
        return ChunkSlicer(video.clock, from_start)

    def frame_spec(self, video: VideoRecording, spec: FrameSpec) -> FrameSpec:
        """What frames of its chunks are: as their formula has it, unless another one was asked for.

        They are counted at the video's size: the formula is about its pixels.
        """
        if not self.clamped:
            return spec
        clamp = CLAMPS[video.spec.events]
        return replace(spec, kind="clamped", clamp=clamp, counting="sensor")


def parse_video(
    events: str | None,
    threshold: float | None,
    sensor: str | None,
    default: VideoEvents = "rgb",
) -> VideoSpec | None:
    """The spec of `--video-events`, `--video-threshold` and `--sensor`; None without any.

    Raises:
        SaccadeError: one is not what it has to be, or belongs to another kind of events.
    """
    if events is threshold is sensor is None:
        return None
    kind = cast(VideoEvents, events or ("simulated" if sensor else default))
    if kind == "simulated" and threshold is not None:
        raise SaccadeError(
            "video-threshold: of rgb and gray; a simulated sensor has --sensor threshold_on=0.2"
        )
    if kind != "simulated" and sensor is not None:
        raise SaccadeError(f"sensor: {kind} events have none; use --video-events simulated")
    spec = VideoSpec(kind, sensor=_parse_sensor(sensor or ""))
    return spec if threshold is None else replace(spec, threshold=threshold)


def _parse_sensor(text: str) -> Sensor:
    known = [f.name for f in fields(Sensor) if f.name not in ("width", "height")]
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (side.strip() for side in part.partition("="))
        if name not in known or name in values:
            what = "is given twice" if name in values else "is none of its settings"
            raise SaccadeError(f"sensor {part!r}: {name} {what}; it has {', '.join(known)}")
        try:
            values[name] = int(value) if name == "refractory_us" else float(value)
        except ValueError:
            raise SaccadeError(f"sensor {part!r}: {value!r} is no number") from None
    return Sensor(**values)
