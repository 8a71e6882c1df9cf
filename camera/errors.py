"""What goes wrong with a recording or a setting, as one line: what, where, the remedy."""

from __future__ import annotations

import re

# C0 and C1 controls, line and paragraph separators, marks that turn the direction of writing, and
# lone surrogates (bytes of a path that are not UTF-8).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` on one line, in which every control character is written out, like `\\u001b`.

    A label may come from a stranger's network and a sensor's name from a file's header: a raw
    escape sequence there could forge what a terminal shows. JSON stays the same JSON.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class SaccadeError(ValueError):
    """A mistake in what the user gave: one line with what is wrong, where, and the remedy."""


class RecordingError(SaccadeError):
    """A recording that cannot be read, or not further.

    Every event before the damage was delivered before this is raised.

    Attributes:
        path: the file, as the user named it.
        offset: byte offset of the damage in the file; None when the whole file is refused.
    """

    def __init__(self, path: str, what: str, remedy: str, offset: int | None = None) -> None:
        self.path = path
        self.offset = offset
        where = printable(path) or "''"
        if offset is not None:
            where += f", byte {offset}"
        super().__init__(f"{where}: {what}; {remedy}")
