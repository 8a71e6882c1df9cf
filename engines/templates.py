"""Prompt templates: what a word is put into before the text tower reads it."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from saccade.camera.errors import printable
from saccade.engines.words import LabelError

DATA = Path(__file__).resolve().with_suffix(".toml")


class TemplateSet(msgspec.Struct, frozen=True):
    """Templates whose embeddings are averaged: their name, texts with one `{}` each, and source."""

    name: str
    templates: tuple[str, ...]
    source: str = ""

    @property
    def sha256(self) -> str:
        """Of the templates, one a line: 64 hexadecimal digits."""
        return hashlib.sha256("\n".join(self.templates).encode()).hexdigest()

    @property
    def label(self) -> str:
        """The name, and the sum's first 12 digits."""
        return f"{self.name}/{self.sha256[:12]}"

    def prompts(self, word: str) -> list[str]:
        """The templates with `word` in them, in their order."""
        return [template.replace("{}", word) for template in self.templates]


class _Set(msgspec.Struct):
    source: str
    templates: tuple[str, ...] = ()
    order: str = ""


class _Data(msgspec.Struct):
    forms: dict[str, tuple[str, ...]]
    sets: dict[str, _Set]


@functools.cache
def known_templates() -> dict[str, TemplateSet]:
    """The sets that come with saccade, by name."""
    data = msgspec.toml.decode(DATA.read_bytes(), type=_Data)
    forms = {
        word.replace(" ", "-"): form.replace("*", word)
        for form, words in data.forms.items()
        for word in words
    }
    found: dict[str, TemplateSet] = {}
    for name, each in data.sets.items():
        entries = [entry.split("/") for entry in each.order.split()]
        made = tuple(forms[word].replace("@", article) for word, article in entries)
        found[name] = TemplateSet(name, each.templates + made, each.source)
    return found


def read_templates(values: Sequence[str]) -> TemplateSet:
    """The templates of `--template`: each a set's name, a text with `{}`, or a file of such.

    Several are joined into one set, called "own", as is any that is no known set.

    Raises:
        LabelError: there is none, or one is none of these.
    """
    if len(values) == 1 and values[0] in known_templates():
        return known_templates()[values[0]]
    found: list[str] = []
    for value in values:
        if value in known_templates():
            found += known_templates()[value].templates
        elif "{" in value:
            found.append(value)
        else:
            found += _file_lines(value)
    templates = tuple(dict.fromkeys(found))
    for template in templates:
        if template.count("{}") != 1:
            raise LabelError(
                f"template {template!r}: must have one {{}} where the word goes, such as 'a {{}} "
                "seen by an event camera'"
            )
    if not templates:
        raise LabelError("template: none given; give one, such as 'a photo of a {}'")
    return TemplateSet("own", templates, "the user's")


def _file_lines(path: str) -> list[str]:
    try:
        if not os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises for a name too long)
            raise LabelError(
                f"template {printable(path)}: no text with {{}}, no file, and none of "
                f"{', '.join(known_templates())}"
            )
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LabelError(
            f"template file {printable(path)}: cannot be read ({reason}); give a file of UTF-8 "
            "text, one template a line"
        ) from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
