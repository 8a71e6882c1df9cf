"""Splits: which classes are seen in training, and which are kept for the test.

A split file is TOML. Each `[parts.NAME]` has either `classes`, a list, or a run of class folders in
their alphabetical order: from `first` on, up to and with `last`, or up to but without `before`.
`count` is how many that must give, so that a copy of the data that lacks some is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from saccade.camera.errors import printable
from saccade.training.datasets.classes import ClassError

FOLDER = Path(__file__).resolve().parent / "splits"


class Part(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of a split, as its file has it."""

    classes: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    before: str = ""
    count: int = 0

    def of(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Those of the class folders `ids` that are in it, in alphabetical order.

        Raises:
            ValueError: they are not as many as they must be, or a class is not there.
        """
        if self.classes:
            missing = [name for name in self.classes if name not in ids]
            if missing:
                raise ValueError(
                    f"{len(missing)} of its classes are not there, such as {missing[0]}"
                )
            found = sorted(self.classes)
        else:
            found = [name for name in sorted(ids) if self._has(name)]
        if not found or (self.count and len(found) != self.count):
            raise ValueError(f"{len(found)} classes where it must have {self.count or 'some'}")
        return tuple(found)

    def _has(self, name: str) -> bool:
        return (
            name >= self.first
            and (not self.last or name <= self.last)
            and (not self.before or name < self.before)
        )


class _File(msgspec.Struct, forbid_unknown_fields=True):
    parts: dict[str, Part]
    source: str = ""


@dataclass(frozen=True)
class Split:
    """Class folders by part, and all of them in alphabetical order."""

    parts: dict[str, tuple[str, ...]]

    @property
    def all(self) -> tuple[str, ...]:
        """Of all parts: prompts are made of all of them, whatever part is trained or tested."""
        return tuple(sorted(name for part in self.parts.values() for name in part))


def read_split(file: str, ids: Sequence[str]) -> Split:
    """The split of a file, or of one that comes with saccade by its name, among class folders.

    Args:
        file: see the module's text.
        ids: the class folders that there are.

    Raises:
        ClassError: it cannot be read, or does not fit these folders.
    """
    path = FOLDER / f"{file}.toml" if (FOLDER / f"{file}.toml").is_file() else Path(file)
    where = f"split {path}"
    try:
        made = msgspec.toml.decode(path.read_bytes(), type=_File)
        parts: dict[str, tuple[str, ...]] = {}
        for name, part in made.parts.items():
            where = f"split {path}, part {name!r}"
            parts[name] = part.of(ids)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ClassError(printable(f"{where}: {reason}; complete the data or the file")) from None
    names = [name for part in parts.values() for name in part]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ClassError(printable(f"split {path}: {twice[0]} is in two parts; a class has one"))
    return Split(parts)
