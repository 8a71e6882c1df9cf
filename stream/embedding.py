"""Embeds recordings one by one: what every worker of `saccade embed` does, wherever it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

import saccade
from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.frames import FrameMaker
from saccade.camera.slicing import Window
from saccade.engines.choose import Choice, choose, open_engine, precision_of, present
from saccade.engines.engine import Engine
from saccade.engines.models import Model, load_model
from saccade.stream.embed_files import TRIES, Job, Outcome, SliceFile, parquet_path, parts_of
from saccade.stream.labelling import Labelling
from saccade.stream.live_words import LiveWords, is_bank_file
from saccade.stream.opening import Opened, Plan, make_plan, open_source
from saccade.stream.prediction import Framed
from saccade.stream.settings import DEFAULT_WINDOW, make_scoring, parse_geometry
from saccade.stream.stages import make_frames


@dataclass(frozen=True, slots=True)
class EmbedSettings:
    """What results depend on, beside the recordings, as the user wrote it; travels to workers.

    Attributes:
        model: a name or a folder.
        labels: words or a bank, as `saccade run --labels` takes them.
        engine: "auto" is replaced where the command runs, so that all workers use one.
        batch: frames a run of the engine; None is what suits it.
        half: embeddings are rounded to float16.
    """

    model: str
    labels: str | None = None
    window: str | None = None
    count: int | None = None
    stride: str | None = None
    geometry: str | None = None
    top: int = 5
    scores: str = "softmax"
    unknown: float | None = None
    template: tuple[str, ...] = ()
    engine: str = "auto"
    precision: str | None = None
    batch: int | None = None
    half: bool = False

    def plan(self) -> Plan:
        """The plan of one recording: its slicer has a state."""
        geometry = parse_geometry(self.geometry)
        return make_plan(
            self.window, self.count, self.stride, "max", False, geometry, None, None, None, None,
            "cpu", False,
        )  # fmt: skip

    @property
    def slicing(self) -> str:
        """How recordings are cut, for people."""
        size = f"{self.count} events" if self.count else self.window or DEFAULT_WINDOW
        return size + (f" every {self.stride}" if self.stride else "")


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is given: settings, where things are, and the key of all that matters."""

    folder: Path
    out: Path
    settings: EmbedSettings
    key: str = ""


class Prepared:
    """The model and the words of some settings, checked; no engine is open yet."""

    def __init__(self, settings: EmbedSettings) -> None:
        """Raises SaccadeError where a setting, the model, the words or the engine are refused."""
        settings.plan()
        scoring = make_scoring(
            settings.top, settings.scores, settings.unknown, None, None, settings.template
        )
        self.model: Model = load_model(settings.model)
        self.words = LiveWords(self.model, settings.labels, scoring)
        self.choice: Choice = choose(settings.engine, present(self.model, settings.engine))
        precision = precision_of(settings.precision, self.model, self.choice)
        # As other processes find them, wherever these run.
        model, labels = settings.model, settings.labels
        if self.model.folder == Path(model):
            model = os.fspath(self.model.folder.resolve())
        if labels is not None and os.path.isfile(labels):  # noqa: PTH113 (words may be too long)
            labels = os.path.abspath(labels)  # noqa: PTH100 (a bank keeps its name's end)
        self.settings = replace(
            settings, model=model, labels=labels, engine=self.choice.engine, precision=precision
        )

    @property
    def key(self) -> str:
        """Equal where results are equal: settings, model and words, not where they lie."""
        settings = asdict(self.settings)
        labels, bank = settings.pop("labels"), self.words.now.bank
        settings["model"] = sorted(self.model.sums.items())
        settings["labels"] = [bank.names, bank.texts, bank.space, repr(bank.templates)]
        if is_bank_file(labels):
            settings["labels"] = hashlib.sha256(Path(labels).read_bytes()).hexdigest()
        return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()


class Embedder:
    """One process's model and engine, opened once; one recording at a time."""

    def __init__(self, work: Work) -> None:
        """Opens the engine on one thread of the CPU, or on the GPU.

        Raises:
            SaccadeError: it is refused here, or the model and the words are others than where the
                command runs.
        """
        self._work = work
        made = Prepared(work.settings)
        if made.key != work.key:
            raise SaccadeError(
                f"model {work.settings.model!r} or its words differ between this worker and the "
                "command; give all machines the same files"
            )
        self._model, self._words, settings = made.model, made.words, made.settings
        self._settings = settings
        self._engine: Engine = open_engine(
            made.model, made.choice, settings.batch, settings.precision, threads=1
        )

    def __call__(self, job: Job) -> Outcome:
        """Writes the Parquet file of a recording, whole, or nothing.

        What comes before a recording's damage is kept; every other failure leaves no file.
        """
        try:
            return self._embed(job)
        except RecordingError as error:
            return Outcome(job.recording, error=printable(str(error)))
        except (SaccadeError, OSError) as error:  # which do not name it
            return Outcome(job.recording, error=printable(f"{job.recording}: {error}"))

    def _embed(self, job: Job) -> Outcome:
        path, place = self._work.folder / job.recording, parquet_path(self._work.out, job.recording)
        if len(died := parts_of(place)) >= TRIES:
            raise SaccadeError(f"its worker died {len(died)} times")
        file = SliceFile(place, self._model.manifest.embedding.dimension, self._settings.half)
        try:
            spec, plan = self._model.frame_spec(), self._settings.plan()
            opened = open_source(path, plan, spec, self._engine, _ignore, _ignore)
            with contextlib.closing(opened.recording):
                damage = self._write(opened, file)
                _check_unchanged(path, job)
                file.finish(self._about(job, opened, damage))
            return Outcome(job.recording, file.slices, opened.replay.events, damage)
        finally:
            file.drop()

    def _write(self, opened: Opened, file: SliceFile) -> str:
        """Writes the slices; the damage that ended them, or ""."""
        label = Labelling(self._engine, self._words)
        assert isinstance(opened.frame_maker, FrameMaker), "the plan says so"
        frames = make_frames(opened.frame_maker, opened.replay)
        try:
            for batch in _batches(frames, len(self._engine.input)):
                label.prepare()
                for row, framed in enumerate(batch):
                    self._engine.input[row] = framed.frame
                self._engine.run(len(batch))
                for row, framed in enumerate(batch):
                    cut, embedding = framed.timed.cut, self._engine.output[row].copy()
                    ranked = label(embedding, cut, row)
                    window = cut.t_begin_us, cut.t_end_us, cut.n_events
                    file.add(window, embedding, ranked.labels, ranked.scores)
        except RecordingError as damage:
            return printable(str(damage))
        return ""

    def _about(self, job: Job, opened: Opened, damage: str) -> dict[str, str]:
        """What stands beside the slices; the first four are what a result is known by."""
        recording, manifest = opened.recording, self._model.manifest
        return {
            "recording": job.recording,
            "size": str(job.size),
            "mtime_ns": str(job.mtime_ns),
            "key": self._work.key,
            "sensor": printable(recording.sensor),
            "geometry": f"{recording.width}x{recording.height}",
            "format": recording.format,
            "space": manifest.embedding.space,
            "model": manifest.name,
            "model_sha256": manifest.sha256,
            "window": self._settings.slicing,
            "labels": msgspec.json.encode(self._words.now.bank.names).decode(),
            "settings": msgspec.json.encode(asdict(self._settings)).decode(),
            "saccade": saccade.__version__,
            "events": str(opened.replay.events),
            "damage": damage,
        }


def _batches(frames: Iterator[Framed], size: int) -> Iterator[list[Framed]]:
    """Frames as the engine takes them: how they fall together depends on the recording alone.

    Raises RecordingError where it is damaged, after all frames before that.
    """
    batch: list[Framed] = []
    damage: RecordingError | None = None
    try:
        for framed in frames:
            batch.append(framed)
            if len(batch) == size:
                yield batch
                batch = []
    except RecordingError as error:
        damage = error
    if batch:
        yield batch
    if damage is not None:
        raise damage


def _ignore(cut: Window) -> None:
    """No slice is dropped: there is neither a limit nor a ring."""


def _check_unchanged(path: Path, job: Job) -> None:
    about = path.stat()
    if (about.st_size, about.st_mtime_ns) != (job.size, job.mtime_ns):
        raise SaccadeError("it changed meanwhile; embed it when it is whole")
