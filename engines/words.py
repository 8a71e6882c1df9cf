"""Words as users write them: labels, their synonyms, and the groups that they are of.

    cup, car side                    two labels
    cup | mug | coffee cup           one label, called by its first word, with two synonyms
    hook = a crane's hook | hook     one label, and the texts that stand for it
    vehicle: car, truck; cup         a group of two labels, and a label in no group

A file has one label a line, in which a comma is part of the word; a line `vehicle: car, truck` is a
group, as are all lines after a heading `[vehicle]` up to the next one, or up to `[]`. `#` begins a
comment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from saccade.camera.errors import SaccadeError, printable


class LabelError(SaccadeError):
    """Words that cannot serve as labels."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label's name, and the texts that stand for it: often the name alone."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Labels, and the names of those in each group.

    Raises:
        LabelError: there is no label, one is named twice however spelled, or a group is called as a
            label that is not in it.
    """

    labels: tuple[Label, ...]
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def __post_init__(self) -> None:
        if not self.labels:
            raise LabelError("labels: none given; name at least one, such as --labels cup,chair")
        check_groups(self.names, self.groups)
        seen: dict[str, str] = {}
        for label in self.labels:
            for word in dict.fromkeys(map(word_key, (label.name, *label.texts))):
                if word in seen:
                    raise LabelError(
                        f"label {label.name!r}: given twice, as {seen[word]!r} before; name each "
                        "label once"
                    )
                seen[word] = label.name

    @property
    def names(self) -> tuple[str, ...]:
        """The labels' names."""
        return tuple(label.name for label in self.labels)

    @staticmethod
    def of(words: str | Sequence[str] | Words) -> Words:
        """These words: as `--labels` takes them, or a sequence of labels, each a text.

        Raises:
            LabelError: as `Words` and `read_labels`.
        """
        if isinstance(words, Words):
            return words
        if isinstance(words, str):
            return read_labels(words)
        for word in cast(Sequence[object], words):
            if not isinstance(word, str):
                raise LabelError(f"label {word!r}: not a word; give texts, such as 'cup'")
        return Words(tuple(map(_label, words)))


def word_key(word: str) -> str:
    """Equal for two spellings of one word: case, spaces, underscores and hyphens do not matter."""
    return "".join(c for c in word.casefold() if c not in " _-")


def check_groups(names: Sequence[str], groups: dict[str, tuple[str, ...]]) -> None:
    """Raises LabelError where a group has no or unknown labels, or one that is in two groups."""
    known, group_of = {*names}, dict[str, str]()
    for group, members in groups.items():
        for name in members:
            if name not in known:
                raise LabelError(f"group {group!r}: {name!r} is no label; name it among them too")
            if name in group_of:
                raise LabelError(f"label {name!r}: in two groups, {group_of[name]!r} and {group!r}")
            group_of[name] = group
        if not members or (group in known and group not in members):
            what = "is called as a label outside it" if members else "has no labels"
            raise LabelError(f"group {group!r}: {what}; a group's form is 'vehicle: car, truck'")


def read_labels(text: str) -> Words:
    """The words of `--labels`: a file's path, or words as they stand.

    Text with a comma is words, unless there is a file of that very name.

    Raises:
        LabelError: the file cannot be read, there is no word, or the words cannot be labels.
    """
    looks_like_a_path = not {*",;|="} & {*text} and (
        "/" in text or text.endswith((".txt", ".labels"))
    )
    # Path.is_file raises where a list of words is too long for a file's name.
    if os.path.isfile(text) or looks_like_a_path:  # noqa: PTH113
        statements = _file_statements(text)
    else:
        parts = [part.partition(":") for part in text.split(";")]
        statements = [
            (head.strip() if colon else "", rest if colon else head) for head, colon, rest in parts
        ]
        statements = [(head, word) for head, rest in statements for word in rest.split(",")]
    statements = [(head, word) for head, word in statements if word.strip()]
    if not statements:
        raise LabelError(f"labels {text!r}: empty; name at least one, such as --labels cup,chair")
    return _words(statements)


def _words(statements: Iterable[tuple[str, str]]) -> Words:
    """Words of pairs (group or "", label)."""
    labels: list[Label] = []
    groups: dict[str, tuple[str, ...]] = {}
    for group, text in statements:
        if "," in group:
            raise LabelError(
                f"group {group!r}: a comma in its name; set labels and groups apart by ';', such "
                "as 'cup; vehicle: car, truck'"
            )
        labels.append(_label(text))
        if group:
            groups[group] = (*groups.get(group, ()), labels[-1].name)
    return Words(tuple(labels), groups)


def _label(text: str) -> Label:
    """`cup`, `cup | mug`, or `cup = coffee cup | mug`."""
    head, equals, rest = text.partition("=")
    texts: dict[str, str] = {}
    for part in (rest if equals else head).split("|"):
        if part.strip():
            texts.setdefault(word_key(part), " ".join(part.split()))
    name = " ".join(head.split()) if equals else next(iter(texts.values()), "")
    if not (texts and name):
        raise LabelError(
            f"label {text.strip()!r}: no word; its form is 'cup', or 'cup = mug | cup'"
        )
    return Label(name, tuple(texts.values()))


def _file_statements(path: str) -> list[tuple[str, str]]:
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LabelError(
            f"label file {printable(path)}: cannot be read ({reason}); give a file of UTF-8 "
            "text, one label a line"
        ) from None
    found: list[tuple[str, str]] = []
    heading = ""
    for line in lines:
        words = line.split("#")[0].strip()
        if words.startswith("[") and words.endswith("]"):
            heading = words[1:-1].strip()
            continue
        group, colon, members = words.partition(":")
        if colon:
            found += [(group.strip(), word) for word in members.split(",")]
        else:
            found.append((heading, words))
    return found
