"""What `saccade teach` does: windows of recordings or cameras become labels."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.fused import FramedSlice
from saccade.camera.recordings import open_recording
from saccade.camera.sources import is_source
from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.choose import engine_for
from saccade.engines.engine import Engine
from saccade.engines.examples import Examples, Head, cache_head, expected, linear_head, prototypes
from saccade.engines.models import Model, load_model
from saccade.engines.separability import near_pairs
from saccade.engines.vocabulary import Vocabulary
from saccade.engines.words import read_labels, word_key
from saccade.stream.files import refuse_overwriting
from saccade.stream.pipeline import Pipeline
from saccade.stream.settings import parse_geometry
from saccade.stream.signals import Signals
from saccade.stream.windows import FrameBatch, chosen_frames, framer_of, until_damage

HEADS = ("prototypes", "linear", "cache")
NEAR = 0.95  # cosine of two labels that are hard to tell apart
_LIVE_EVERY = 5  # windows of a camera from one example to the next: 150 ms of 30 ms windows


@dataclass(frozen=True, slots=True)
class TeachOptions:
    """The arguments and options of `saccade teach`, as the user wrote them."""

    out: Path
    labels: Sequence[str]
    sources: Sequence[str]  # a recording or a URI for each label; labels may come again
    model: str
    shots: int
    head: str | None = None
    words: str | None = None
    window: str | None = None
    count: int | None = None
    geometry: str | None = None
    engine: str = "auto"
    precision: str | None = None
    as_json: bool = False


def teach(options: TeachOptions) -> None:
    """Writes the bank of the labels that the examples show, and says what to expect of it.

    Raises:
        SaccadeError: an option, a recording, a source or the model is refused, or nothing was seen.
        KeyboardInterrupt: a signal; nothing was written.
    """
    _check(options)
    model = load_model(options.model)
    words = Vocabulary(model, threads=None)
    head = _head(options, model, words)
    with Signals() as signals, signals.interrupting():
        seen = _look(options, model)
    examples = _examples(seen, model)
    bank = head(examples)
    if options.words:
        bank = bank.join(words.bank(read_labels(options.words)))
    bank.save(options.out)
    share = expected(examples, head, model.manifest.embedding.scale)
    _report(options, examples, bank, share)


def _check(options: TeachOptions) -> None:
    if len(options.labels) != len(options.sources):
        raise SaccadeError(
            f"teach: {len(options.labels)} labels for {len(options.sources)} sources; give --label "
            "NAME before each SOURCE"
        )
    if not all(label.strip() for label in options.labels):
        raise SaccadeError("teach: a label is empty; give --label NAME before each SOURCE")
    if not options.out.parent.is_dir():  # before a camera's examples are seen, and lost
        raise SaccadeError(
            f"{printable(str(options.out))}: no folder to write it in; make it first"
        )
    if options.shots < 1:
        raise SaccadeError(f"shots {options.shots}: must be at least 1")
    if options.head is not None and options.head not in HEADS:
        raise SaccadeError(f"head {options.head!r}: unknown; use one of {', '.join(HEADS)}")
    for source in options.sources:
        if not is_source(source):
            refuse_overwriting(source, options.words, (), options.out)


def _head(options: TeachOptions, model: Model, words: Vocabulary) -> Head:
    """What makes a bank of examples: as asked for, or what suits the words that join them."""
    has_text = model.manifest.text is not None
    name = options.head or ("cache" if options.words and has_text else "prototypes")
    if name == "cache":
        return partial(_remembering, words, has_text)
    if options.words and has_text:
        # Embeddings of a CLIP's two towers lie in two cones, apart (Liang et al. 2022).
        raise LabelError(
            f"head {name}: embeddings of what a camera sees are always nearer to each other than "
            "to any word; with --labels use --head cache"
        )
    if name == "linear":
        return partial(linear_head, scale=model.manifest.embedding.scale)
    return prototypes


def _remembering(words: Vocabulary, has_text: bool, examples: Examples) -> LabelBank:
    """The cache over what a text tower says of the labels; over prototypes where there is none."""
    return cache_head(examples, words.bank(list(examples.names)) if has_text else None)


def _look(options: TeachOptions, model: Model) -> dict[str, NDArray[np.float32]]:
    """The embeddings of each label's windows, float32 [n, dimension], in the order of the labels.

    Of several recordings of a label, each gives its share of the shots.
    """
    of: dict[str, tuple[str, list[str]]] = {}
    for label, source in zip(options.labels, options.sources, strict=True):
        of.setdefault(word_key(label), (label.strip(), []))[1].append(source)
    engine, _ = engine_for(options.engine, model, options.precision)
    try:
        return {
            label: np.concatenate(
                [
                    _embed(source, _share(options.shots, len(sources), i), options, model, engine)
                    for i, source in enumerate(sources)
                ]
            )
            for label, sources in of.values()
        }
    finally:
        engine.close()


def _share(shots: int, sources: int, index: int) -> int:
    return max(1, shots // sources + (index < shots % sources))


def _embed(
    source: str, shots: int, options: TeachOptions, model: Model, engine: Engine
) -> NDArray[np.float32]:
    if is_source(source):
        return _of_camera(source, shots, options, model, engine)
    batch = FrameBatch(engine)
    with open_recording(source, parse_geometry(options.geometry)) as recording:
        size, spec = (recording.width, recording.height), model.frame_spec(None)
        frame = np.empty((spec.size, spec.size), np.float32)

        def cuts() -> Iterator[FramedSlice]:
            framer = framer_of(*size, spec, options.window, options.count)
            return until_damage(framer.pass_over(recording, frame), _tell_damage)

        for _, shown in chosen_frames(cuts, shots):
            batch.add(shown)
    found = batch.finish()
    if not len(found):
        raise SaccadeError(f"{printable(source)}: no window has events; nothing to learn from")
    return found


def _tell_damage(error: RecordingError) -> None:
    print(printable(f"{error}; learnt from what is before"), file=sys.stderr)


def _of_camera(
    uri: str, shots: int, options: TeachOptions, model: Model, engine: Engine
) -> NDArray[np.float32]:
    """Windows of a camera as they come, every `_LIVE_EVERY`th of those with events."""
    manifest = model.manifest.embedding
    anything = np.zeros((1, manifest.dimension), np.float32)
    anything[0, 0] = 1  # a run wants words; what they say is not looked at
    bank = LabelBank(("anything",), anything, manifest.space)
    found: list[NDArray[np.float32]] = []
    with Pipeline(
        uri, model=model, labels=bank, window=options.window, count=options.count, engine=engine
    ) as pipeline:
        shown = (each for each in pipeline if each.n_events > 0)
        for prediction in itertools.islice(shown, _LIVE_EVERY, None, _LIVE_EVERY):
            found.append(prediction.embedding)
            if len(found) == shots:
                return np.stack(found)
    raise SaccadeError(f"{uri}: {len(found)} of {shots} windows with events, then it ended")


def _examples(seen: dict[str, NDArray[np.float32]], model: Model) -> Examples:
    owners = np.repeat(np.arange(len(seen)), [len(each) for each in seen.values()])
    space = model.manifest.embedding.space
    return Examples(tuple(seen), np.concatenate([*seen.values()]), owners, space)


def _report(
    options: TeachOptions, examples: Examples, bank: LabelBank, share: float | None
) -> None:
    near = near_pairs(bank, NEAR) if bank.cache is None else []
    shots = np.bincount(examples.owners).tolist()
    if options.as_json:
        about = {
            "out": os.fspath(options.out),
            "space": bank.space,
            "labels": dict(zip(examples.names, shots, strict=True)),
            "words": len(bank.names) - len(examples.names),
            "expected": share,
            "near": near,
        }
        print(printable(msgspec.json.encode(about).decode()))
        return
    for line in _lines(options, examples, shots, len(bank.names) - len(examples.names), share):
        print(printable(line))
    for pair in near:
        what = f"{pair.first} and {pair.second} look alike (cosine {pair.cosine:.3f})"
        print(printable(f"{what}: show more of each"), file=sys.stderr)


def _lines(
    options: TeachOptions, examples: Examples, shots: list[int], words: int, share: float | None
) -> Iterator[str]:
    for name, n in zip(examples.names, shots, strict=True):
        few = f", {options.shots} were wanted" if n < options.shots else ""
        yield f"{name}: {n} window{'s' * (n != 1)}{few}"
    if words:
        yield f"and {words} word{'s' * (words != 1)}"
    if share is not None and len(shots) > 1:
        yield f"right on {share:.0%} of the windows that were left out in turns"
    yield f"{options.out}: use it with `saccade run SOURCE --labels {options.out}`"
