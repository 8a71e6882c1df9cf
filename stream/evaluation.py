"""What `saccade evaluate` does: recordings of known labels tell how good a model is."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from saccade import __version__
from saccade.camera.disturbances import Disturbance
from saccade.camera.errors import SaccadeError, printable
from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.choose import engine_for
from saccade.engines.engine import MAX_BATCH
from saccade.engines.models import Model, load_model
from saccade.engines.vocabulary import Vocabulary
from saccade.engines.words import Words, read_labels
from saccade.stream.evaluation_lines import figures_in_lines
from saccade.stream.evaluation_page import page
from saccade.stream.evaluation_pictures import pictures
from saccade.stream.evaluation_record import (
    Judged,
    Record,
    Robustness,
    class_figures,
    confused,
    curves,
    judge,
    overall,
    robustness,
    unseen_figures,
)
from saccade.stream.evaluation_windows import (
    Faults,
    Looker,
    Sample,
    Windows,
    find_recordings,
    known_samples,
)
from saccade.stream.files import WholeFile, refuse_overwriting
from saccade.stream.live_words import is_bank_file
from saccade.stream.settings import DEFAULT_WINDOW
from saccade.stream.signals import Signals

#: What `--robustness` does to the events, by name.
CONDITIONS = {
    "noise of 2 Hz a pixel added": Disturbance(noise_hz=2.0),
    "half of the events dropped": Disturbance(kept=0.5),
    "twice the speed": Disturbance(speed=2.0),
    "half the speed": Disturbance(speed=0.5),
    "scaled to 240x180": Disturbance(sensor=(240, 180)),
    "scaled to 1280x720": Disturbance(sensor=(1280, 720)),
}


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """The arguments and options of `saccade evaluate`, as the user wrote them."""

    folder: Path
    model: str
    labels: str | None = None
    windows: int = 1
    window: str | None = None
    count: int | None = None
    unseen: str | None = None
    few_shot: str = "1,2,5,10,20"
    robustness: bool = False
    out: Path | None = None
    record: Path | None = None
    geometry: str | None = None
    engine: str = "auto"
    precision: str | None = None


def evaluate(options: EvaluateOptions) -> None:
    """Writes the record and the page, and prints the figures in a few lines.

    Raises:
        SaccadeError: an option, the folder or the model is refused, or no recording can be read.
        KeyboardInterrupt: a signal; nothing was written.
    """
    shots = _shots(options)
    found = find_recordings(options.folder)
    _check_outputs(options)
    with (
        WholeFile(options.out, "page") as html,
        WholeFile(options.record, "record") as json,
        Signals() as signals,
    ):
        model = load_model(options.model)
        bank = _bank(options, model, [*found])
        samples, unknown = known_samples(found, bank, options.folder)
        unseen = _unseen(options, bank, samples)
        engine, title = engine_for(options.engine, model, options.precision, MAX_BATCH)
        try:
            with signals.interrupting():
                looker = Looker(
                    *(model, engine, options.window, options.count),
                    *(options.geometry, options.windows),
                )
                work = _Evaluation(options, model, bank, looker, samples)
                record = work.record(shots, unseen, unknown, title)
                if options.out is not None:
                    shown = pictures(work.judged, work.windows, work.samples, bank, looker)
                    html.write_bytes(page(record, str(options.folder), shown).encode())
        finally:
            engine.close()
        json.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    for line in figures_in_lines(record):
        print(printable(line))
    for path in (options.out, options.record):
        if path is not None:
            print(printable(f"wrote {path}"))


def _shots(options: EvaluateOptions) -> list[int]:
    """The numbers of `--few-shot`, rising."""
    if options.windows < 1:
        raise SaccadeError(f"windows {options.windows}: must be at least 1 of each recording")
    if options.few_shot == "none":
        return []
    parts = [part.strip() for part in options.few_shot.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise SaccadeError(
            f"few-shot {options.few_shot!r}: write numbers of recordings, such as 1,2,5, or none"
        )
    return sorted({*map(int, parts)})


def _check_outputs(options: EvaluateOptions) -> None:
    outs = [path for path in (options.out, options.record) if path is not None]
    refuse_overwriting(str(options.folder), options.labels, [f"jsonl:{p}" for p in outs], None)
    for path in outs:
        if path.resolve().parent.parent == options.folder.resolve():
            raise SaccadeError(f"output {path}: lies among the recordings; name a file elsewhere")


def _bank(options: EvaluateOptions, model: Model, folders: Sequence[str]) -> LabelBank:
    """The labels in use; those of the folders where there are no others to take."""
    labels = options.labels
    if is_bank_file(labels):
        return Vocabulary(model, LabelBank.load(Path(labels))).bank()
    words = None if labels is None else read_labels(labels)
    if words is None and not model.manifest.labels_sha256 and model.manifest.text is not None:
        words = Words.of([name.replace("_", " ") for name in folders])
    vocabulary = Vocabulary(model, threads=None)
    try:
        return vocabulary.bank(words)
    finally:
        vocabulary.close()


def _unseen(options: EvaluateOptions, bank: LabelBank, samples: Sequence[Sample]) -> list[int]:
    """The labels of `--unseen`, by index; each must have a recording."""
    if options.unseen is None:
        return []
    there, found = {sample.label for sample in samples}, list[int]()
    for name in read_labels(options.unseen).names:
        label = next((bank.rows[row] for row in bank.find(name)), None)
        if label not in there:
            what = "has no recordings" if label is not None else "is no label in use"
            raise LabelError(f"unseen {name!r}: {what}; name labels that the folder shows")
        found.append(label)
    return found


class _Evaluation:
    """The windows of the recordings as they are, and what is found out about them."""

    def __init__(
        self,
        options: EvaluateOptions,
        model: Model,
        bank: LabelBank,
        looker: Looker,
        samples: Sequence[Sample],
    ) -> None:
        self._options, self._model, self._bank = options, model, bank
        self._looker, self._scale = looker, model.manifest.embedding.scale
        self._faults = Faults()
        with _counted("recordings") as report:
            windows = looker.look(samples, None, self._faults, report)
        if not len(windows.owners):
            raise SaccadeError(f"{options.folder}: none of its recordings can be used")
        used, owners = np.unique(windows.owners, return_inverse=True)
        kept: list[int] = used.tolist()
        self.samples = [samples[i] for i in kept]
        self.windows = Windows(windows.embeddings, np.reshape(owners, -1), windows.places)
        self.judged = self._judge(self.windows)

    def _judge(self, windows: Windows) -> Judged:
        truth = np.array([sample.label for sample in self.samples], np.intp)[windows.owners]
        return judge(self._bank, self._scale, windows.embeddings, truth, windows.owners)

    def record(
        self, shots: Sequence[int], unseen: Sequence[int], unknown: list[str], engine: str
    ) -> Record:
        """All figures."""
        options, judged, names = self._options, self.judged, self._bank.names
        there = {*judged.truth.tolist()}
        new = [label for label in unseen if label in there]
        robust = self._robustness()
        with _counted("draws") as report:
            has_text = self._model.manifest.text is not None
            found = self.windows.embeddings
            shot = curves(self._bank, found, judged, shots, self._scale, has_text, report)
        return Record(
            __version__,
            _about(self._model),
            engine,
            len(names),
            f"{options.count} events" if options.count else options.window or DEFAULT_WINDOW,
            len(self.samples),
            len(judged.truth),
            self._faults.left_out,
            self._faults.damaged,
            unknown,
            *overall(judged)[:3],
            class_figures(judged, names),
            confused(judged, names),
            overall(judged)[3],
            unseen_figures(judged, names, new) if new else None,
            shot,
            robust,
        )

    def _robustness(self) -> list[Robustness]:
        if not self._options.robustness:
            return []
        found = [robustness("as recorded", self.judged)]
        for name, disturbance in CONDITIONS.items():
            if self._options.count is not None and disturbance.speed != 1:
                continue  # slices by count are the same at any speed
            with _counted(f"recordings, {name}") as report:
                windows = self._looker.look(self.samples, disturbance, self._faults, report)
            if len(windows.owners):
                found.append(robustness(name, self._judge(windows)))
        return found


def _about(model: Model) -> dict[str, str | int]:
    about = model.manifest
    space = about.embedding.space
    return {
        "name": about.name,
        "version": about.version,
        "sha256": about.sha256,
        "space": space,
        "frame": about.frame.kind,
    }


@contextlib.contextmanager
def _counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """What to call with how many are done; on a terminal its last line says so meanwhile."""
    drawn = False

    def report(done: int, of: int) -> None:
        nonlocal drawn
        if sys.stderr.isatty():
            drawn = True
            print(f"\r\033[K{done} of {of} {what}", end="", file=sys.stderr, flush=True)

    yield report
    if drawn:
        print("\r\033[K", end="", file=sys.stderr, flush=True)
