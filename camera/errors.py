"""What goes wrong with a recording or a setting, as one line: what, where, the remedy."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line: what cannot be printed (newlines, lone surrogates) as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


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
