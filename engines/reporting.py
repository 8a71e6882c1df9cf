"""How long work says what it is doing, to whoever shows it."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Called with what is being done now, and which share of it is done where that is known."""

    def __call__(self, what: str, share: float | None = None) -> None:
        """`share` goes from 0 to 1."""
        ...


def silent(what: str, share: float | None = None) -> None:
    """Reports to nobody."""
