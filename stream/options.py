"""Options of the command line that are long to write, or that several commands take."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Optional

import typer

# Typer reads annotations at run time, on Python 3.10 too, so they cannot be `str | None`.
Text = Optional[str]  # noqa: UP007
Whole = Optional[int]  # noqa: UP007


class Frame(str, Enum):
    """Values of --frame."""

    paper = "paper"
    signed = "signed"
    clamped = "clamped"


class PolarityName(str, Enum):
    """Values of --polarity."""

    both = "both"
    on = "on"
    off = "off"


class Engine(str, Enum):
    """Values of --engine."""

    auto = "auto"
    onnx = "onnx"
    openvino = "openvino"
    tensorrt = "tensorrt"
    torch = "torch"


class PrecisionName(str, Enum):
    """Values of --precision."""

    fp32 = "fp32"
    fp16 = "fp16"
    bf16 = "bf16"
    int8 = "int8"


EngineName = Annotated[
    Engine, typer.Option("--engine", help="What encodes; auto takes the fastest that is here.")
]
Precision = Annotated[
    Optional[PrecisionName],  # noqa: UP007
    typer.Option("--precision", help="Of the encoder. [default: fp16 on a GPU, fp32 on the CPU]"),
]


Batch = Annotated[
    Optional[int],  # noqa: UP007
    typer.Option(
        help="Frames, up to 8, that the engine may take at once where several wait. "
        "[default: 4, with TensorRT 1]"
    ),
]


class FramesName(str, Enum):
    """Values of --frames."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Frames = Annotated[
    FramesName,
    typer.Option(help="Where frames are made; auto is the engine's GPU where that can be."),
]


class ScoresName(str, Enum):
    """Values of --scores."""

    softmax = "softmax"
    cosine = "cosine"


Geometry = Annotated[
    Text,
    typer.Option(help="Sensor size WIDTHxHEIGHT, for recordings that do not say it."),
]
From = Annotated[
    Text,
    typer.Option("--from", help="Begin this long after the first event: 1s, 500ms."),
]
To = Annotated[
    Text,
    typer.Option("--to", help="End this long after the first event."),
]
Window = Annotated[Text, typer.Option(help="Slice by time: 30ms, 500us, 1s. [default: 30ms]")]
Count = Annotated[Whole, typer.Option(help="Slice by number of events instead, such as 30000.")]
Stride = Annotated[Text, typer.Option(help="From slice to slice: a time, or events with --count.")]
ModelName = Annotated[str, typer.Option(help="A name of `saccade models list`, or a folder.")]

Scores = Annotated[
    ScoresName,
    typer.Option(help="Probabilities over the words in use, or raw cosines."),
]
Unknown = Annotated[
    Optional[float],  # noqa: UP007
    typer.Option(
        metavar="THRESHOLD",
        help="Say 'unknown' where the best score is below this, of whichever --scores.",
    ),
]
Smooth = Annotated[
    Text,
    typer.Option(
        help="Label the mean embedding of about this time, 200ms: a change shows up to 0.7 of it "
        "later. [default: off]"
    ),
]
Vote = Annotated[
    Whole,
    typer.Option(
        help="The label that was best most often in so many slices: a change shows half as many "
        "slices later. [default: off]"
    ),
]
Template = Annotated[
    Optional[list[str]],  # noqa: UP007
    typer.Option(
        metavar="NAME|TEXT",
        help="The prompt for words that the model has no embedding of: a set's name, or a text "
        "with {}; repeatable. [default: the model's]",
    ),
]
ControlAddress = Annotated[
    Text,
    typer.Option(
        "--control",
        metavar="URI",
        help="Take commands such as other words while it runs, at zmq://127.0.0.1:5558 or "
        "ipc://PATH. Whoever reaches it can change the run. [default: off]",
    ),
]

KeyFile = Annotated[
    Text,
    typer.Option("--key", metavar="FILE", help="Our key, of `saccade keys make`. [default: none]"),
]
Allow = Annotated[
    Text,
    typer.Option(
        metavar="FILE",
        help="The public keys of who may subscribe and control, one a line. With --key.",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure-no-auth",
        help="Publish without keys to whoever reaches the address, off loopback too.",
    ),
]
ServerKey = Annotated[
    Text,
    typer.Option(
        "--server", metavar="KEY|FILE", help="The public key of who is there. With --key."
    ),
]
Seconds = Annotated[
    Optional[float],  # noqa: UP007
    typer.Option(min=0.001, help="End after so many seconds. [default: with the source]"),
]
Record = Annotated[
    Text,
    typer.Option(
        "--record",
        metavar="FILE",
        help="Record the live source meanwhile, as .aedat4 or .raw; FILE.json lists its gaps.",
    ),
]
RecordFolder = Annotated[
    Text,
    typer.Option(
        metavar="DIR",
        help="With --control: clients may record the live source into new files of this folder, "
        "and nowhere else. [default: they may not]",
    ),
]
Realtime = Annotated[
    bool,
    typer.Option(
        "--realtime",
        help="Capture a live source before all other work (SCHED_FIFO, a core of its own).",
    ),
]


class VideoEventsName(str, Enum):
    """Values of --video-events."""

    rgb = "rgb"
    gray = "gray"
    simulated = "simulated"


VideoEvents = Annotated[
    Optional[VideoEventsName],  # noqa: UP007
    typer.Option(
        "--video-events",
        help="Of a video: differences of its frames, rgb or gray, in chunks of 16; or a simulated "
        "sensor's. [default: rgb; to convert: simulated]",
    ),
]
VideoThreshold = Annotated[
    Optional[float],  # noqa: UP007
    typer.Option(help="Of rgb and gray: a difference above so many of 255 fires. [default: 10]"),
]
SensorText = Annotated[
    Text,
    typer.Option(
        "--sensor",
        metavar="KEY=VALUE,...",
        help="Of a simulated sensor: threshold_on=0.2,noise_hz=1 and so on.",
    ),
]

Roi = Annotated[
    Text,
    typer.Option(metavar="X,Y,W,H", help="Only events of this region, in pixels."),
]
Polarity = Annotated[
    Optional[PolarityName],  # noqa: UP007
    typer.Option(help="Only events of this polarity."),
]
HotPixels = Annotated[
    Text,
    typer.Option(
        metavar="learn|FILE",
        help="No events of hot pixels: learned in the first second, or of a file of lines x,y.",
    ),
]
Refractory = Annotated[
    Text,
    typer.Option(help="No event of a pixel this soon after one that was kept: 1ms."),
]
Background = Annotated[
    Text,
    typer.Option(help="No event without one of the 8 pixels around in this time before: 5ms."),
]
MaxRate = Annotated[
    Text,
    typer.Option(help="Drop whole slices beyond so many events per second: 10M, 500k."),
]
