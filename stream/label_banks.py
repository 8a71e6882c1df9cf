"""What `saccade labels` does: banks are made, shown as label files, and tested."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError, printable
from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.images import ImageTower
from saccade.engines.models import load_model
from saccade.engines.separability import Pair, accuracy, near_pairs, nearest
from saccade.engines.templates import read_templates
from saccade.engines.vocabulary import Vocabulary
from saccade.engines.words import read_labels

SHOWN = 10  # pairs that are listed


@dataclass(frozen=True, slots=True)
class TestOptions:
    """The options of `saccade labels test`, as the user wrote them."""

    bank: Path | None
    model: str
    near: float
    embeddings: tuple[Path, str] | None
    names: str | None
    images: Path | None
    as_json: bool


def make_bank(out: Path, labels: str, model_name: str, templates: Sequence[str]) -> None:
    """Writes the bank of these words and says what is in it.

    Raises:
        SaccadeError: words, templates or model are refused, or the file cannot be written.
    """
    if os.path.exists(labels) and out.exists() and out.samefile(labels):  # noqa: PTH110
        raise SaccadeError(f"output {out}: this is the label file; name another")
    words = read_labels(labels)
    chosen = read_templates(templates) if templates else None
    model = load_model(model_name)
    vocabulary = Vocabulary(model, templates=chosen, threads=None, progress=_progress)
    bank = vocabulary.bank(words)
    bank.save(out)
    print(printable(f"{out}: {_summary(bank)}"))


def _progress(done: int, of: int) -> None:
    if sys.stderr.isatty():
        end = "\r\033[K" if done == of else ""
        print(f"\r{done} of {of} words{end}", end="", file=sys.stderr, flush=True)


def _summary(bank: LabelBank) -> str:
    made = sorted({each.label if each else "unknown" for each in bank.templates})
    words = "" if len(bank.rows) == len(bank.names) else f" of {len(bank.rows)} words"
    return f"{len(bank.names)} labels{words}, space {bank.space}, templates {', '.join(made)}"


def show_bank(path: Path | None, model_name: str, *, as_json: bool) -> None:
    """Prints the bank of a file or a model, as a label file or as JSON.

    Raises:
        SaccadeError: it cannot be read, or the model has none.
    """
    bank = LabelBank.load(path) if path else load_model(model_name).labels()
    texts: dict[str, list[str]] = {name: [] for name in bank.names}
    for row, text in zip(bank.rows, bank.texts, strict=True):
        texts[bank.names[row]].append(text)
    if as_json:
        _print_json(
            {
                "space": bank.space,
                "dimension": bank.embeddings.shape[1],
                "labels": [{"name": name, "texts": texts[name]} for name in bank.names],
                "aliases": bank.aliases,
                "groups": bank.groups,
                "templates": {each.label: each for each in bank.templates if each},
            }
        )
        return
    grouped = {name for members in bank.groups.values() for name in members}
    lone = tuple(name for name in bank.names if name not in grouped)
    for group, members in {"": lone, **bank.groups}.items():
        lines = [f"[{group}]"] if group else []
        lines += [n if texts[n] == [n] else f"{n} = {' | '.join(texts[n])}" for n in members]
        for line in lines:
            print(printable(line))


def test_bank(options: TestOptions) -> None:
    """Prints which labels are near each other, and how often the right one is the best.

    Raises:
        SaccadeError: the bank, the embeddings or the images cannot be read, or do not fit.
    """
    if options.embeddings and options.images:
        raise SaccadeError("embeddings and images: give one of them")
    bank = LabelBank.load(options.bank) if options.bank else load_model(options.model).labels()
    others, near = nearest(bank), near_pairs(bank, options.near)
    measured = None
    if options.embeddings:
        measured = accuracy(bank, *_embeddings(bank, *options.embeddings, options.names))
    elif options.images:
        measured = accuracy(bank, *_photos(bank, options.images, options.model))
    if options.as_json:
        cosines = {"nearest": others, "near": near, "accuracy": measured}
        _print_json({"labels": len(bank.names), "space": bank.space, **cosines})
        return
    lines = [_summary(bank)]
    if others:
        middle, most = float(np.median([each.cosine for each in others])), others[0].cosine
        lines.append(f"nearest other label: cosine {middle:.3f} at the median, {most:.3f} at most")
    lines += _listed(f"nearer than {options.near:g}", [_pair(each) for each in near])
    if measured:
        lines.append(
            f"top-1 {measured.top1:.1%}, top-5 {measured.top5:.1%} of {measured.embeddings} "
            f"embeddings of {measured.labels} labels"
        )
        mistakes = [f"{n} x {right} for {taken}" for right, taken, n in measured.confused]
        lines += _listed("taken for another", mistakes)
    for line in lines:
        print(printable(line))


def _pair(pair: Pair) -> str:
    return f"{pair.cosine:.4f} {pair.first} / {pair.second}" + " (the same)" * pair.same


def _listed(title: str, lines: list[str]) -> list[str]:
    """The first lines, indented, and how many more there are; nothing for none."""
    if not lines:
        return []
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return [f"{title}:", *(f"  {line}" for line in lines[:SHOWN]), *more]


def _embeddings(
    bank: LabelBank, path: Path, key: str, names_key: str | None
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Embeddings [N, dimension] of labels of the bank, and which of them each is of."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: NDArray[Any] = arrays[key]
            names = bank.names if names_key is None else tuple(map(str, arrays[names_key]))
    except KeyError as error:
        raise LabelError(f"{path}: {error.args[0]}") from None
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise LabelError(f"{path}: not an .npz of arrays ({error})") from None
    if found.dtype.kind != "f" or found.ndim not in (2, 3) or len(found) != len(names):
        raise LabelError(
            f"{path}: {key} is {found.dtype} {list(found.shape)}; must be floats, one or n of "
            f"them for each of {len(names)} labels (or name these with --names KEY)"
        )
    rows, truth = _known(bank, names, str(path))
    kept = found[rows].astype(np.float32)
    each = kept.shape[1] if kept.ndim == 3 else 1
    return np.reshape(kept, (-1, kept.shape[-1])), np.repeat(np.array(truth, np.intp), each)


def _known(bank: LabelBank, names: Sequence[str], where: str) -> tuple[list[int], list[int]]:
    """Which of the names are labels, and which labels these are; says how many are none."""
    rows = [i for i, name in enumerate(names) if bank.find(name)]
    if not rows:
        raise LabelError(f"{where}: none of its {len(names)} names is a label of the bank")
    if len(rows) < len(names):
        lost = next(name for name in names if not bank.find(name))
        said = f"{len(names) - len(rows)} of {len(names)} names are no labels ({lost}, ...)"
        print(printable(f"{where}: {said}; left out"), file=sys.stderr)
    truth = [bank.rows[bank.find(names[i])[0]] for i in rows]
    return rows, truth


def _photos(
    bank: LabelBank, folder: Path, model_name: str
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Embeddings of the photos in FOLDER/LABEL/, and which label each is of."""
    model = load_model(model_name)
    wanted = model.manifest.embedding
    bank.check_space(wanted.space, wanted.dimension, f"model {model.manifest.name!r}")
    tower = ImageTower(model)
    try:
        names = sorted(each.name for each in folder.iterdir() if each.is_dir())
        rows, truth = _known(bank, names, str(folder))
        found = [sorted(p for p in (folder / names[i]).iterdir() if p.is_file()) for i in rows]
        embeddings = tower.embed([path for paths in found for path in paths])
    except OSError as error:
        what = f"{error.filename}: {error.strerror}; give a folder of a folder for each label"
        raise LabelError(what) from None
    finally:
        tower.close()
    return embeddings, np.repeat(np.array(truth, np.intp), [len(paths) for paths in found])


def _print_json(value: object) -> None:
    for line in msgspec.json.format(msgspec.json.encode(value)).decode().splitlines():
        print(printable(line))
