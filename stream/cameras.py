"""Several sources in one process: a pipeline for each, their predictions in one stream."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from saccade.camera.errors import SaccadeError
from saccade.engines.models import DEFAULT_MODEL, Model, load_model
from saccade.stream.pipeline import Pipeline
from saccade.stream.prediction import Prediction
from saccade.stream.statistics import Summary
from saccade.stream.wire import check_stream

_LONGEST = 48  # of a name that is made from a serial number
_END_S = 2.0
_LOOK_S = 0.1  # how often a thread looks whether nobody takes what it made


@dataclass
class _Handed:
    """A prediction on its way from its pipeline's thread."""

    name: str
    prediction: Prediction
    seen: bool = False
    taken: threading.Event = field(default_factory=threading.Event)


class Cameras:
    """Labels several cameras or recordings at once. Iterate it once; then read `summaries`.

        with saccade.Cameras(["prophesee://", "inivation://"], labels="cup, chair") as cameras:
            for name, prediction in cameras:
                print(name, prediction.labels[0])

    Each has a thread, an engine and accounts of its own; the model is loaded once, but every
    engine holds its weights. What ends one of them ends none of the others.

    Attributes:
        pipelines: by the name of their stream.
        failures: what ended a pipeline before its time, by name.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        *,
        streams: Sequence[str] = (),
        model: str | Path | Model = DEFAULT_MODEL,
        on_failure: Callable[[str, Exception], None] | None = None,
        **settings: Any,
    ) -> None:
        """Opens all of them, or none.

        Args:
            sources: what each pipeline reads.
            streams: a name for each, of those that topics have; by default the camera's serial
                number, or the recording's name.
            model: of all of them.
            on_failure: is told at once, by the failed pipeline's thread.
            settings: of each `Pipeline`.

        Raises:
            SaccadeError: as `Pipeline`; names that are not one for each source, or not different.
        """
        if not sources:
            raise SaccadeError("cameras: no source; name one or more")
        check_streams(streams, len(sources))
        loaded = model if isinstance(model, Model) else load_model(model)
        self.pipelines: dict[str, Pipeline] = {}
        self.failures: dict[str, Exception] = {}
        self._on_failure = on_failure
        self._made: queue.Queue[_Handed | str] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        opened, error = _open_all(sources, loaded, settings)
        for k, pipeline in enumerate(opened):
            name = streams[k] if streams else _name(pipeline, self.pipelines)
            self.pipelines[name] = pipeline
        if error is not None:
            self.close()
            raise error

    def __enter__(self) -> Cameras:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[str, Prediction]]:
        """The name and the prediction, each camera's in the order of its slices, as they come.

        A camera that fails ends, and `failures` says why, while the others go on.

        Raises:
            SaccadeError: it was iterated before.
        """
        if self._threads:
            raise SaccadeError("cameras: already iterated; make another for another pass")
        for name, pipeline in self.pipelines.items():
            run = threading.Thread(
                target=self._run, args=(name, pipeline), name=f"saccade-{name}", daemon=True
            )
            self._threads.append(run)
        try:
            for thread in self._threads:
                thread.start()
            left = len(self._threads)
            while left:
                item = self._made.get()
                if isinstance(item, str):
                    left -= 1
                    continue
                item.seen = True
                yield item.name, item.prediction
                item.taken.set()
        finally:
            self.close()

    def stop(self) -> None:
        """Ends all in good order, as `Pipeline.stop`; from any thread."""
        for pipeline in self.pipelines.values():
            pipeline.stop()

    def close(self) -> None:
        """Ends all at once; twice is once."""
        self._closed.set()
        for pipeline in self.pipelines.values():
            pipeline.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_END_S)

    @property
    def summaries(self) -> dict[str, Summary]:
        """The accounts so far, by name."""
        return {name: pipeline.summary for name, pipeline in self.pipelines.items()}

    def _run(self, name: str, pipeline: Pipeline) -> None:
        """Hands over one prediction after the other; each when the one before was taken."""
        try:
            for prediction in pipeline:
                handed = _Handed(name, prediction)
                self._made.put(handed)
                while not handed.taken.wait(_LOOK_S):
                    if self._closed.is_set():
                        if not handed.seen:
                            pipeline.lose_latest()
                        return
        except Exception as error:  # of whichever kind, the others go on
            self.failures[name] = error
            if self._on_failure is not None:
                self._on_failure(name, error)
        finally:
            pipeline.close()
            self._made.put(name)


def _open_all(
    sources: Sequence[str | Path], model: Model, settings: dict[str, Any]
) -> tuple[list[Pipeline], BaseException | None]:
    """Those that could be opened, in their order, and why the first of the others could not.

    At the same time: a camera sends from when it is open, and would lose what comes while the
    next one is opened.
    """
    with ThreadPoolExecutor(len(sources), "saccade-open") as pool:
        opening = [pool.submit(Pipeline, source, model=model, **settings) for source in sources]
    errors = [each.exception() for each in opening]
    opened = [each.result() for each, error in zip(opening, errors, strict=True) if error is None]
    return opened, next((error for error in errors if error is not None), None)


def check_streams(streams: Sequence[str], count: int) -> None:
    """Raises SaccadeError for names that are neither none nor a different one for each source."""
    for name in streams:
        check_stream(name)
    if streams and (len(streams) != count or len(set(streams)) != count):
        what = f"{len(set(streams))} different names for {count} sources"
        raise SaccadeError(f"stream: {what}; give one for each, or none")


def _name(pipeline: Pipeline, taken: dict[str, Pipeline]) -> str:
    """That of a camera's serial number or a recording's file; a number behind it where needed."""
    capture, path = pipeline.capture, pipeline.recording.path
    text = capture.source.serial or path if capture is not None else Path(path).stem
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "-", text)[:_LONGEST].strip("-") or "cam"
    names = (name, *(f"{name}-{k}" for k in range(2, len(taken) + 2)))
    return next(each for each in names if each not in taken)
