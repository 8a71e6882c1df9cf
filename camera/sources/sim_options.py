"""What `sim://` understands: the camera's process and its driver read the same URI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from saccade.camera.sources.uri import SourceUri, duration_us

Encoding = Literal["evt3", "dv"]

SCENES = ("scene", "image", "noise", "sample")
MOTIONS = ("circle", "saccades", "walk", "zoom", "rotate")
_EVT3_SIDE = 2048
_FASTEST = 2e9  # events per second


@dataclass(frozen=True, slots=True)
class Burst:
    """Times of a higher rate: events per second, how long and how often, in microseconds."""

    rate: float
    length_us: int
    every_us: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong at a time of the camera's life.

    Attributes:
        kind: "stall" (nothing is sent), "unplug" (the device is gone) or "jump" (of its clock).
        at_us: when, after the camera was first opened.
        for_us: how long it lasts, or how far the clock jumps; 0 is for ever.
    """

    kind: Literal["stall", "unplug", "jump"]
    at_us: int
    for_us: int


@dataclass(frozen=True, slots=True)
class SimOptions:
    """A virtual camera.

    Attributes:
        scene: "scene" (a picture that moves), "image" (one of a file), "noise", or "sample" (the
            bundled recording).
        motion: of the picture or the image, one of `MOTIONS`.
        path: the image's file.
        width, height: pixels.
        rate: events per second; 0 for none; None for those of the recording.
        burst: when it is faster.
        seconds: the camera ends after these; None: never.
        encoding: of its bytes.
        fifo_us: how far sending may lie behind before the oldest bytes are lost, as in a camera.
        drop, garbage: shares of the transfers that are lost, or whose bytes are random.
        faults: what goes wrong once, or in each period of `every_us` (0: once).
        seed: of all that is random.
        serial: by which the same camera is known again.
    """

    scene: str
    motion: str
    path: str
    width: int
    height: int
    rate: float | None
    burst: Burst | None
    seconds: float | None
    encoding: Encoding
    fifo_us: int
    drop: float
    garbage: float
    faults: tuple[Fault, ...]
    every_us: int
    seed: int
    serial: str


def read_options(uri: SourceUri) -> SimOptions:
    """The options of a URI such as `sim://scene?rate=50M&size=1280x720&unplug=2s&replug=500ms`.

    Raises SaccadeError where a key or a value cannot be.
    """
    scene = uri.place or "scene"
    if scene not in SCENES:
        raise uri.fault(f"no scene is called {scene!r}", f"scenes are {', '.join(SCENES)}")
    motion = uri.choice("motion", MOTIONS) if scene in ("scene", "image") else ""
    path = uri.take("path") if scene == "image" else ""
    if scene == "image" and not path:
        raise uri.fault("no image is named", "write sim://image?path=cup.png")
    stated = uri.take("rate")
    rate = uri.number("rate", 1e6, 0, _FASTEST) if stated or scene != "sample" else None
    seconds = uri.number("seconds", 0, 0, 1e9)
    seed = uri.whole("seed", 1, 0, (1 << 31) - 1)
    encoding = cast(Encoding, uri.choice("encoding", ("evt3", "dv")))
    width, height = (128, 128) if scene == "sample" else uri.size("size", (346, 260))
    if encoding == "evt3" and max(width, height) > _EVT3_SIDE:
        raise uri.fault(f"size={width}x{height}", "EVT3 has sides of at most 2048; encoding=dv")
    options = SimOptions(
        scene=scene,
        motion=motion,
        path=path,
        width=width,
        height=height,
        rate=rate,
        burst=_read_burst(uri),
        seconds=seconds or None,
        encoding=encoding,
        fifo_us=uri.duration_us("fifo", 100_000),
        drop=uri.number("drop", 0, 0, 1),
        garbage=uri.number("garbage", 0, 0, 1),
        faults=_read_faults(uri),
        every_us=uri.duration_us("every", 0),
        seed=seed,
        serial=uri.take("serial", f"SIM{seed:08d}"),
    )
    uri.finish()
    return options


def _read_burst(uri: SourceUri) -> Burst | None:
    rate = uri.number("burst", 0, 1, _FASTEST)
    length = uri.duration_us("burst_for", 100_000)
    every = uri.duration_us("burst_every", 1_000_000)
    if length >= every:
        raise uri.fault("burst_for is not below burst_every", "make the bursts shorter")
    return Burst(rate, length, every) if rate else None


def _read_faults(uri: SourceUri) -> tuple[Fault, ...]:
    """Those of `stall=2s:500ms` (at, for), `unplug=2s` with `replug=500ms`, `jump=2s:1h`."""
    faults: list[Fault] = []
    replug = uri.duration_us("replug", 0)
    if at := uri.duration_us("unplug", 0):
        faults.append(Fault("unplug", at, replug))
    for kind in ("stall", "jump"):
        text = uri.take(kind)
        if not text:
            continue
        try:
            first, length = map(duration_us, text.split(":"))
        except ValueError:
            raise uri.fault(f"{kind}={text}", f"write when and how far, {kind}=2s:500ms") from None
        if first <= 0 or (kind == "stall" and length <= 0):
            raise uri.fault(f"{kind}={text}", "times must be above 0")
        faults.append(Fault(kind, first, length))
    return tuple(sorted(faults, key=lambda fault: fault.at_us))
