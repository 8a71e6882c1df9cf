"""The pipeline: source -> slices -> frames -> embeddings -> labels, a thread for each stage."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from saccade.camera.capture import Capture
from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.filters import FilterSpec
from saccade.camera.frames import FrameKind
from saccade.camera.recordings import Recording
from saccade.camera.sources import SourceError
from saccade.camera.video import VideoSpec
from saccade.engines.choose import engine_for
from saccade.engines.engine import Engine
from saccade.engines.labels import LabelBank
from saccade.engines.models import DEFAULT_MODEL, Model, load_model
from saccade.engines.reporting import Report, silent
from saccade.engines.scoring import Scores
from saccade.stream.accounts import Accounts
from saccade.stream.chain import BUDGET_US, Chain
from saccade.stream.live_words import LiveWords
from saccade.stream.opening import frames_at_once, is_live, make_plan, open_source
from saccade.stream.prediction import Prediction
from saccade.stream.settings import make_scoring
from saccade.stream.statistics import Summary

DRAIN_S = 1.0  # that a run which was told to stop may take to label what it has read


class Pipeline:
    """Labels a recording or a live source. Iterate it once for `Prediction`s; then read `summary`.

        with saccade.Pipeline("cup.aedat4", labels=["cup", "chair"]) as pipeline:
            for prediction in pipeline:
                print(prediction.t_end_us, prediction.labels[0], prediction.scores[0])

    At speed `max` nothing is dropped: a slow stage makes the ones before it wait. At a set speed
    slices leave by the recording's clock, and where a stage falls behind (a slice has waited for
    50 ms and a newer one is there) the oldest whole slice is dropped and counted. A live source,
    such as `sim://scene`, is read as it comes: `stop` ends it. Capture, decoding, framing and
    encoding run on threads of their own, mostly without the GIL.
    """

    def __init__(
        self,
        source: str | Path | Recording | Capture,
        *,
        model: str | Path | Model = DEFAULT_MODEL,
        labels: str | Sequence[str] | LabelBank | None = None,
        window: str | int | None = None,
        count: int | None = None,
        stride: str | int | None = None,
        frame: FrameKind | None = None,
        speed: float | str = "max",
        loop: bool = False,
        top: int = 5,
        scores: Scores = "softmax",
        unknown: float | None = None,
        smooth: str | int | None = None,
        vote: int | None = None,
        template: str | Sequence[str] = (),
        engine: Engine | str = "onnx",
        precision: str | None = None,
        batch: int | None = None,
        frames: str = "auto",
        geometry: tuple[int, int] | None = None,
        start: str | int | None = None,
        stop: str | int | None = None,
        filters: FilterSpec | None = None,
        max_rate: float | None = None,
        realtime: bool = False,
        video: VideoSpec | None = None,
        report: Report = silent,
    ) -> None:
        """Opens the source and loads the model.

        Args:
            source: a recording's path, a live source's URI, or an open recording or the capture of
                a source (then closing it is the caller's).
            model: a bundled model's name, a model folder, or a loaded model.
            labels: words, a sequence or as `--labels` takes them, or a bank; None is all of the
                model's own.
            window: length of a slice, "30ms" or microseconds; 30 ms when `count` is None too.
            count: events per slice, instead of a window.
            stride: from one slice to the next, a duration with `window`, events with `count`; by
                default slices follow each other without gap or overlap.
            frame: another normalisation than the model was trained with.
            speed: 1.0 replays in real time, "max" as fast as the stages go.
            loop: begins again at the end, its clock going on.
            top: labels per prediction.
            scores: "softmax", probabilities over the words in use, or "cosine".
            unknown: a best score below this puts "unknown" first.
            smooth: labels are those of the mean embedding with this time constant, "200ms" or
                microseconds: a change is seen up to 0.7 of it later.
            vote: labels are those that were best most often in so many slices: a change is seen
                half as many slices later.
            template: what words are put into that the model has no embedding of: a set's name,
                a text with `{}`, or several of these.
            engine: "onnx", "openvino", "tensorrt", "torch", "auto", or an open engine (then closing
                it is the caller's).
            precision: "fp32", "fp16", "bf16" or "int8"; by default what suits the engine.
            batch: frames that the engine may take at once where several wait and none may be late
                (`BatchSizes`); by default 4, with TensorRT 1.
            frames: where frames are made: "cpu", or "cuda" at the engine's input on its GPU; "auto"
                is there where it can be. `frames_note` says which and why.
            geometry: (width, height) for recordings that do not say it.
            start, stop: labels only from the first event at or after `start` up to the first at or
                after `stop`: "1s" or microseconds after the recording's first event.
            filters: which events frames are made of; windows of time stay where all put them.
            max_rate: events per second beyond which whole slices are dropped (`RateLimit`).
            realtime: of a live source, the capture goes before all threads without priority.
            video: how a video becomes events; by default the differences of its frames, in chunks
                of 16 where neither window, count nor stride is given (`camera.video`).
            report: told how far an engine's build is, which takes minutes with TensorRT.

        Raises:
            SaccadeError: a setting, the source, the model or the labels are refused, in one line.
        """
        plan = make_plan(
            window,
            count,
            stride,
            speed,
            loop,
            geometry,
            start,
            stop,
            filters,
            max_rate,
            frames,
            realtime,
            video,
            frame,
        )
        scoring = make_scoring(top, scores, unknown, smooth, vote, template)
        self.model = model if isinstance(model, Model) else load_model(model)
        self.words = LiveWords(self.model, labels, scoring)
        self.accounts = Accounts()
        spec = self.model.frame_spec(frame)
        self._owns_engine = isinstance(engine, str)
        self._drops = is_live(source) or not math.isinf(plan.speed)
        batch = frames_at_once(batch, self._drops)
        made = engine_for(engine, self.model, precision, batch, report)
        self._engine, self.engine_note = made
        # The last thing to be opened, so that nothing refused above leaves it open.
        try:
            self._source = open_source(
                source, plan, spec, self._engine, self.accounts.over_rate, self.accounts.behind
            )
        except SaccadeError:
            self._close_engine()
            raise
        self.recording = self._source.recording
        self.frames_note = self._source.frames_note
        self._replay = self._source.replay
        self.capture = self._source.capture  # None of a recording
        self._chain: Chain | None = None
        self._exhausted = self._broken_off = False
        self._closing = threading.Lock()
        self._drain: threading.Timer | None = None

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Prediction]:
        """Predictions in the order of their slices.

        Raises:
            RecordingError: the recording is damaged; every slice of the events before was yielded.
            SaccadeError: it was iterated before.
        """
        if self.accounts.started or self.accounts.ended:
            raise SaccadeError(
                "pipeline: already iterated or closed; make another for another pass"
            )
        self.accounts.started = time.monotonic()
        try:
            self._chain = Chain(
                self._replay,
                self._source.frame_maker,
                self._engine,
                self.words,
                self.accounts.behind if self._drops else None,
            )
            for seq, encoded in enumerate(self._chain):
                yield self.accounts.predict(seq, encoded)
            self._exhausted = not self._broken_off
        except (RecordingError, SourceError):
            self._exhausted = True  # it comes after the last slice before the damage
            raise
        finally:
            self.close()

    def set_labels(self, labels: str | Sequence[str]) -> int:
        """Sets other words while it runs, from any thread; gives their revision.

        They are made in the calling thread, then taken up as a whole: slices scored from now on
        carry this `vocabulary_rev`, those before are not touched, and none is lost or waits.

        Raises:
            SaccadeError: the words are refused, or the run has ended: nothing was changed.
        """
        return self.words.change(labels).rev

    def stop(self) -> None:
        """Ends in good order: slices that have left the source are labelled, then it is over.

        What is not labelled in `DRAIN_S` is dropped and counted. From any thread.
        """
        self._replay.stop()
        if self._drain is None and not self.accounts.ended:
            self._drain = threading.Timer(DRAIN_S, self.close)
            self._drain.daemon = True
            self._drain.start()

    def lose_latest(self) -> None:
        """Says that nobody took the prediction yielded last: it counts as dropped by `publish`."""
        self.accounts.lose_latest()

    def close(self) -> None:
        """Ends at once: slices on their way are dropped and counted.

        Safe to call again and from another thread.
        """
        self._broken_off = True
        with self._closing:
            if not self.accounts.ended:
                self._end()
        if self._drain not in (None, threading.current_thread()):
            self._drain.join()

    def _end(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
        self._replay.end()
        ended = self._chain is None or self._chain.close()
        self.accounts.close(self._replay, self._exhausted)
        self.words.end()
        if ended:  # else its thread is still in it
            self._close_engine()
        if self._source.owned:
            self.recording.close()

    def _close_engine(self) -> None:
        if self._owns_engine:
            self._engine.close()

    @property
    def bank(self) -> LabelBank:
        """The words in use."""
        return self.words.now.bank

    @property
    def backlog(self) -> int:
        """Slices that wait between two stages now."""
        return 0 if self._chain is None else self._chain.backlog

    @property
    def backlog_bytes(self) -> int:
        """Bytes of the slices that wait for a frame, and of what waits in a live source's ring."""
        return 0 if self._chain is None else self._chain.nbytes

    @property
    def stuck(self) -> str:
        """The stage that has worked on one item for more than 2 s; "" where none has."""
        return "" if self._chain is None else self._chain.stuck

    @property
    def budget_us(self) -> int:
        """A slice older than this is dropped where a newer one waits; 0 where all are kept."""
        return BUDGET_US if self._drops else 0

    @property
    def summary(self) -> Summary:
        """The accounts so far: events_in = events_published + sum of dropped + those on their way.

        None is on its way once the iteration has ended or `close` was called.
        """
        return self.accounts.summary(self._replay, self._source.frame_maker.saturated)
