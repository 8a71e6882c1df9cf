"""What `saccade models` does and prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.engines.adding import NOT_STATED, AddOptions
from saccade.engines.adding import add_model as add_to_store
from saccade.engines.labels import LabelBank
from saccade.engines.manifest import PRECISIONS, Precision, encoder_file
from saccade.engines.models import Model, ModelError, bundled_models, read_manifest, stored_models
from saccade.engines.places import models_folder
from saccade.engines.store import clean_store, damages, model_folder
from saccade.engines.store import remove_model as remove_from_store
from saccade.stream.signals import Signals
from saccade.stream.work import shown_work

UNITS = ("B", "kB", "MB", "GB")
_KEY = 26  # columns for the keys of `show`


def list_models(*, as_json: bool) -> None:
    """Prints the bundled models and those of the store, a line each.

    One whose manifest cannot be read is listed with what is wrong.
    """
    rows = list(_rows())
    if as_json:
        print(printable(msgspec.json.encode(rows).decode()))
        return
    table = [("name", "where", "precisions", "size", "space")]
    for row in rows:
        space = row.get("error") or row["space"]
        table.append(
            (row["name"], row["where"], ",".join(row["precisions"]), _size(row["bytes"]), space)
        )
    widths = [max(len(line[i]) for line in table) for i in range(4)]
    for line in table:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=False))
        print(printable("  ".join([*cells, line[4]]).rstrip()))
    if len(table) == 1 + len(bundled_models()):
        print(printable(f"the store, {models_folder()}, is empty; `saccade models add` fills it"))


def _rows() -> Iterator[dict[str, Any]]:
    bundled = bundled_models()
    for name in [*bundled, *(name for name in stored_models() if name not in bundled)]:
        row: dict[str, Any] = {"name": name, "where": "bundled" if name in bundled else "store"}
        folder = model_folder(name)
        row |= {"folder": str(folder), "precisions": [], "bytes": 0, "space": ""}
        try:
            model = Model(folder, read_manifest(folder / "model.toml"))
        except ModelError as error:
            yield row | {"error": str(error)}
            continue
        yield row | {
            "precisions": _precisions(model),
            "bytes": sum(size or 0 for size in _sizes(model).values()),
            "space": model.manifest.embedding.space,
            "dimension": model.manifest.embedding.dimension,
            "licence": model.manifest.licence,
        }


def _precisions(model: Model) -> list[Precision]:
    return [precision for precision in PRECISIONS if encoder_file(precision) in model.sums]


def _sizes(model: Model) -> dict[str, int | None]:
    """Bytes of each file; None where it is missing."""
    paths = {name: model.folder / name for name in model.sums}
    return {name: p.stat().st_size if p.is_file() else None for name, p in paths.items()}


def show_model(name: str, *, as_json: bool) -> None:
    """Prints a model's manifest, its files and their sizes, its words, and where its card is.

    Raises:
        SaccadeError: there is no such model, or its manifest cannot be read.
    """
    folder = model_folder(name)
    model = Model(folder, read_manifest(folder / "model.toml"))
    facts: dict[str, Any] = {"name": name, "folder": str(folder)}
    facts |= {"manifest": msgspec.to_builtins(model.manifest), "files": _sizes(model)}
    facts["words"], facts["any_words"] = _words(model), model.manifest.text is not None
    card = folder / "CARD.md"
    facts["card"] = str(card) if card.is_file() else None
    if as_json:
        print(printable(msgspec.json.encode(facts).decode()))
        return
    print(f"{'folder':{_KEY}} {printable(facts['folder'])}")
    for key, value in _flat(facts["manifest"]):
        if value not in ("", None) and not key.endswith("sha256") and "files." not in key:
            print(printable(f"{key:{_KEY}} {value}"))
    print(f"{'words':{_KEY}} {facts['words']} in its bank", end="")
    print(", and any others through its text tower" if facts["any_words"] else "; no text tower")
    for file, size in facts["files"].items():
        print(
            printable(f"{'file':{_KEY}} {file:22} {'missing' if size is None else _size(size):>8}")
        )
    if model.manifest.licence == NOT_STATED:
        what = "no licence was stated: nobody has said what you may do with it"
        print(f"{'note':{_KEY}} {what}")
    if facts["card"]:
        print(printable(f"{'card':{_KEY}} {facts['card']}"))


def _words(model: Model) -> int:
    """How many words its own bank has."""
    if not model.manifest.labels_sha256:
        return 0
    return len(LabelBank.load(model.folder / "labels.safetensors").names)


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The manifest's values under dotted names, those of its tables last."""
    for key, value in table.items():
        if not isinstance(value, dict):
            yield prefix + key, value
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")  # pyright: ignore[reportUnknownArgumentType]


def verify_models(names: list[str]) -> bool:
    """Checks every file of these models (of all, where none is named); whether all are right.

    Prints a line for each model that is, and one for each damaged file of the others.
    """
    right = True
    for name in names or [row["name"] for row in _rows()]:
        folder = model_folder(name)
        found = damages(folder)
        for damage in found:
            print(printable(f"{name}: damaged: {damage}"), flush=True)
        if not found:
            count = len(Model(folder, read_manifest(folder / "model.toml")).sums)
            print(printable(f"{name}: ok, {count} files"), flush=True)
        right = right and not found
    for name in clean_store():
        print(printable(f"{name}: removed what a killed process had left of it"))
    return right


def remove_model(name: str, *, yes: bool) -> None:
    """Removes a model from the store, after asking where `yes` is not given.

    Raises:
        SaccadeError: it is not there or is bundled, or there is nobody to ask.
    """
    folder = model_folder(name)
    if not yes and name not in bundled_models():
        if not sys.stdin.isatty():
            raise SaccadeError(f"remove {name}: nobody to ask; say --yes to remove {folder}")
        if input(printable(f"remove {folder}? [y/N] ")).strip().lower() not in ("y", "yes"):
            print("kept")
            return
    remove_from_store(name)
    print(printable(f"{name}: removed"))


def parse_precisions(text: str | None) -> tuple[Precision, ...] | None:
    """The precisions of `fp16,int8`, fp32 always among them; None stays None.

    Raises:
        SaccadeError: another word.
    """
    if text is None:
        return None
    words = {word.strip() for word in text.split(",")}
    if words - {*PRECISIONS}:
        raise SaccadeError(f"precision {text!r}: write some of {','.join(PRECISIONS)}")
    return tuple(p for p in PRECISIONS if p in words or p == "fp32")


def add_model(options: AddOptions) -> None:
    """Adds a model, showing how far it is, and says what there is now.

    Raises:
        SaccadeError: nothing was added.
    """
    with Signals() as signals, signals.interrupting(), shown_work() as report:
        added = add_to_store(options, report)
    for warning in added.warnings:
        print(printable(f"warning: {warning}"), file=sys.stderr)
    manifest, folder = added.manifest, models_folder() / added.name
    total = sum(size or 0 for size in _sizes(Model(folder, manifest)).values())
    words = "any words" if manifest.text else "no text tower"
    print(
        printable(
            f"{added.name}: {_size(total)}, space {manifest.embedding.space}, {words}, licence "
            f"{manifest.licence}; in {folder}"
        )
    )


def _size(count: int) -> str:
    """`605.2 MB`."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {UNITS[unit]}"
