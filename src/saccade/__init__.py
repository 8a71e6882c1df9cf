"""saccade: live zero-shot labels for event cameras.

    import saccade

    with saccade.Pipeline("recording.aedat4", labels="cup,motorbike") as pipeline:
        for prediction in pipeline:
            print(prediction.t_end_us, prediction.labels[0], prediction.scores[0])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saccade.camera.errors import RecordingError, SaccadeError
    from saccade.camera.events import EVENT_DTYPE, Packet
    from saccade.camera.filters import EventFilter, FilterSpec
    from saccade.camera.frames import FrameMaker, FrameSpec
    from saccade.camera.inspection import inspect
    from saccade.camera.recordings import open_recording as open  # noqa: A004
    from saccade.engines.labels import LabelBank
    from saccade.engines.models import load_model
    from saccade.stream.cameras import Cameras
    from saccade.stream.control_client import Control, ControlError
    from saccade.stream.keys import ClientKeys, ServerKeys
    from saccade.stream.pipeline import Pipeline
    from saccade.stream.prediction import Prediction, Timing
    from saccade.stream.publisher import Publisher
    from saccade.stream.statistics import Summary
    from saccade.stream.subscriber import Subscriber

__version__ = "0.1.0"

# Names load on first use: `saccade --help` and a subscriber need neither numpy's nor the model's time.
_HOMES = {
    "Cameras": "saccade.stream.cameras",
    "ClientKeys": "saccade.stream.keys",
    "Control": "saccade.stream.control_client",
    "ControlError": "saccade.stream.control_client",
    "EVENT_DTYPE": "saccade.camera.events",
    "EventFilter": "saccade.camera.filters",
    "FilterSpec": "saccade.camera.filters",
    "FrameMaker": "saccade.camera.frames",
    "FrameSpec": "saccade.camera.frames",
    "LabelBank": "saccade.engines.labels",
    "Packet": "saccade.camera.events",
    "Pipeline": "saccade.stream.pipeline",
    "Prediction": "saccade.stream.prediction",
    "Publisher": "saccade.stream.publisher",
    "RecordingError": "saccade.camera.errors",
    "SaccadeError": "saccade.camera.errors",
    "ServerKeys": "saccade.stream.keys",
    "Subscriber": "saccade.stream.subscriber",
    "Summary": "saccade.stream.statistics",
    "Timing": "saccade.stream.prediction",
    "inspect": "saccade.camera.inspection",
    "load_model": "saccade.engines.models",
    "open": "saccade.camera.recordings",
}

__all__ = [
    "EVENT_DTYPE",
    "Cameras",
    "ClientKeys",
    "Control",
    "ControlError",
    "EventFilter",
    "FilterSpec",
    "FrameMaker",
    "FrameSpec",
    "LabelBank",
    "Packet",
    "Pipeline",
    "Prediction",
    "Publisher",
    "RecordingError",
    "SaccadeError",
    "ServerKeys",
    "Subscriber",
    "Summary",
    "Timing",
    "__version__",
    "inspect",
    "load_model",
    "open",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'saccade' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    return getattr(home, "open_recording" if name == "open" else name)


def __dir__() -> list[str]:
    return __all__
