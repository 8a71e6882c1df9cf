"""Classes: their folders, the words for them, and the prompts that these are put into.

A class file is TOML (`source`, `templates`, and `[words]` with a word for each folder), or text
with a folder and its word on each line, as ImageNet's LOC_synset_mapping.txt has them:
`n01440764 tench, Tinca tinca`. Zero-shot figures depend on every letter of both: `sha256` says
which they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.engines.templates import TemplateSet, read_templates

FOLDER = Path(__file__).resolve().parent / "classes"


class ClassError(SaccadeError):
    """A file of classes, or a folder of them, that cannot serve."""


@dataclass(frozen=True)
class Classes:
    """Classes in the order of their numbers.

    Attributes:
        ids: names of their folders.
        words: what each is called.
        templates: what a word is put into.
    """

    ids: tuple[str, ...]
    words: tuple[str, ...]
    templates: TemplateSet

    @property
    def sha256(self) -> str:
        """Of folders, words and templates: 64 hexadecimal digits."""
        lines = [f"{name}\t{word}" for name, word in zip(self.ids, self.words, strict=True)]
        return hashlib.sha256("\n".join([*lines, *self.templates.templates]).encode()).hexdigest()

    @property
    def prompts(self) -> list[list[str]]:
        """By class: its prompts, one for each template."""
        return [self.templates.prompts(word) for word in self.words]

    def select(self, ids: Sequence[str]) -> Classes:
        """Those of `ids`, numbered in that order.

        Raises:
            ClassError: there is none of them.
        """
        known = dict(zip(self.ids, self.words, strict=True))
        missing = [name for name in ids if name not in known]
        if missing:
            what = f"{_some(missing)}: no word for it among the {len(known)} classes; add a line"
            raise ClassError(printable(what))
        return replace(self, ids=tuple(ids), words=tuple(known[name] for name in ids))


class _File(msgspec.Struct, forbid_unknown_fields=True):
    words: dict[str, str]
    templates: str = "paper-n-imagenet"
    source: str = ""


def read_classes(file: str, templates: Sequence[str] = ()) -> Classes:
    """The classes of a file, or of one that comes with saccade by its name, sorted by folder.

    Args:
        file: see the module's text.
        templates: as `--template` takes them; by default the file's.

    Raises:
        ClassError: it cannot be read, or names no class, or one twice.
        LabelError: a template is none.
    """
    path = FOLDER / f"{file}.toml" if (FOLDER / f"{file}.toml").is_file() else Path(file)
    try:
        data = path.read_bytes()
        made = msgspec.toml.decode(data, type=_File) if path.suffix == ".toml" else _lines(data)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ClassError(printable(f"class file {path}: cannot be read ({reason})")) from None
    if not made.words:
        raise ClassError(
            printable(f"class file {path}: names no class; give a folder and its word")
        )
    ids = tuple(sorted(made.words))
    words = tuple(made.words[name] for name in ids)
    return Classes(ids, words, read_templates([*templates] or [made.templates]))


def _lines(data: bytes) -> _File:
    words: dict[str, str] = {}
    for line in data.decode("utf-8-sig").splitlines():
        name, _, word = line.strip().partition(" ")
        if not name or name.startswith("#"):
            continue
        if not word or name in words:
            raise ValueError(f"{name}: {'named twice' if word else 'a folder without a word'}")
        words[name] = word.strip()
    return _File(words)


def folder_classes(names: Sequence[str], templates: Sequence[str] = ()) -> Classes:
    """Classes that nobody has described: each is called as its folder, with blanks for `_`."""
    ids = tuple(sorted(names))
    chosen = read_templates([*templates] or ["paper-n-imagenet"])
    return Classes(ids, tuple(name.replace("_", " ") for name in ids), chosen)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
