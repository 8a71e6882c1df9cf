"""A source's URI: `scheme://place?key=value&...`, read key by key so that none goes unnoticed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import MAX_SIDE
from saccade.camera.units import microseconds, number, size

_T = TypeVar("_T", int, float)


class SourceUri:
    """A parsed URI.

    Attributes:
        text: as the user gave it, on one line.
        scheme: in lower case.
        place: what stands between `://` and `?`, percent signs resolved.

    Raises:
        SaccadeError: it is none, or a key comes twice.
    """

    def __init__(self, text: str) -> None:
        self.text = printable(text)
        try:
            parts = urlsplit(text)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError as error:
            raise self.fault(f"{error}", "write it like sim://scene?rate=1M") from None
        if "://" not in text or not parts.scheme or parts.fragment:
            raise self.fault("not scheme://place?key=value", "write it like sim://scene?rate=1M")
        self.scheme = parts.scheme
        self.place = unquote(parts.netloc + parts.path).rstrip("/")
        self._values: dict[str, str] = {}
        for key, value in pairs:
            if key in self._values:
                raise self.fault(f"{key} is given twice", "give it once")
            self._values[key] = value
        self._known: list[str] = []

    def fault(self, what: str, remedy: str) -> SaccadeError:
        """What is wrong with this URI."""
        return SaccadeError(f"source {self.text!r}: {printable(what)}; {remedy}")

    def take(self, key: str, default: str = "") -> str:
        """The value of a key that the source knows; `default` without it."""
        self._known.append(key)
        return self._values.get(key, default)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number such as 0.5, 50M or 200k; raises SaccadeError outside of [low, high]."""
        return self._read(key, default, number, low, high, "a number, such as 0.5, 200k or 50M")

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number; raises SaccadeError outside of [low, high]."""
        return self._read(key, default, int, low, high, "a whole number")

    def duration_us(self, key: str, default: int, low: int = 1, high: int = 1 << 52) -> int:
        """Microseconds of 500us, 30ms, 2s or 1h (plain numbers are seconds)."""
        return self._read(key, default, duration_us, low, high, "a duration, such as 30ms or 2s")

    def size(self, key: str, default: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of 1280x720."""
        text = self.take(key)
        if not text:
            return default
        try:
            sides = size(text)
        except ValueError:
            sides = (0, 0)
        if not all(1 <= side <= MAX_SIDE for side in sides):
            raise self.fault(f"{key}={text}", f"write WxH of 1 to {MAX_SIDE}, such as 1280x720")
        return sides

    def choice(self, key: str, choices: tuple[str, ...]) -> str:
        """One of a few words; the first is the default."""
        text = self.take(key, choices[0])
        if text not in choices:
            raise self.fault(f"{key}={text}", f"{key} is {' or '.join(choices)}")
        return text

    def host_and_port(self, example: str) -> tuple[str, int]:
        """Of a place such as 127.0.0.1:7777 or [::1]:7777."""
        match = re.fullmatch(r"(\[[^\[\]/]+\]|[^\[\]:/]+):([0-9]{1,5})", self.place, re.ASCII)
        if match is None or not 0 < int(match[2]) < 65536:
            raise self.fault("not HOST:PORT", f"write it like {example}")
        return match[1].strip("[]"), int(match[2])

    def rest(self) -> dict[str, str]:
        """All keys that were not asked for: settings, which the camera itself knows."""
        return {key: value for key, value in self._values.items() if key not in self._known}

    def finish(self) -> None:
        """All keys were asked for; raises SaccadeError where the URI has another one."""
        unknown = [key for key in self._values if key not in self._known]
        if unknown:
            known = ", ".join(sorted(self._known)) or "no key"
            raise self.fault(f"unknown key {unknown[0]}", f"{self.scheme}:// knows {known}")

    def _read(
        self, key: str, default: _T, parse: Callable[[str], _T], low: _T, high: _T, kind: str
    ) -> _T:
        text = self.take(key)
        if not text:
            if key in self._values:
                raise self.fault(f"{key} has no value", f"give {kind}")
            return default
        try:
            value = parse(text)
        except ValueError:
            raise self.fault(f"{key}={text}", f"{key} must be {kind}") from None
        if not low <= value <= high:
            raise self.fault(f"{key}={text}", f"{key} must be from {low} to {high}")
        return value


def duration_us(text: str) -> int:
    """Microseconds of 500us, 30ms, 2s, 1h or plain seconds, after a minus sign perhaps.

    Raises ValueError where it is none.
    """
    return round(microseconds(text, "s"))
