"""Live sources: cameras, and what stands for them, opened from a URI."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import cast

from saccade.camera.sources.base import LivePacket, LiveSource, SourceError, SourceLostError
from saccade.camera.sources.reopening import Reopening
from saccade.camera.sources.uri import SourceUri

__all__ = [
    "LivePacket",
    "LiveSource",
    "Reopening",
    "SourceError",
    "SourceLostError",
    "is_source",
    "open_live",
    "open_source",
]

#: By scheme: the module and the function SourceUri -> LiveSource that opens it, imported when
#: needed; and what to write.
_SOURCES = {
    "sim": ("saccade.camera.sources.sim", "open_sim", "sim://scene?rate=1M"),
    "dv-tcp": ("saccade.camera.sources.dv_tcp", "open_dv_tcp", "dv-tcp://HOST:PORT"),
    "inivation": ("saccade.camera.sources.inivation", "open_inivation", "inivation://[SERIAL]"),
    "prophesee": ("saccade.camera.sources.prophesee", "open_prophesee", "prophesee://[SERIAL]"),
}


def is_source(text: str) -> bool:
    """Whether this is a source's URI, known or not, rather than a file's path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def open_live(uri: str, tell: Callable[[str], None] | None = None) -> Reopening:
    """As `open_source`, and goes on when the source is lost and comes back; see `Reopening`.

    `tell` is called with a line when it is lost, and when it is back.
    """
    return Reopening(open_source(uri), tell)


def open_source(uri: str) -> LiveSource:
    """Opens a live source, such as `prophesee://` or `sim://scene?rate=50M`.

    One that is lost stays lost: see `open_live`.

    Raises:
        SaccadeError: no URI, an unknown scheme or key, or a value that cannot be.
        SourceError: it cannot be opened: no such camera, its driver is missing, no permission.
    """
    parsed = SourceUri(uri)
    if parsed.scheme not in _SOURCES:
        known = ", ".join(example for _, _, example in _SOURCES.values())
        raise parsed.fault(f"no source is called {parsed.scheme}://", f"write {known}")
    module, function, _ = _SOURCES[parsed.scheme]
    opener = getattr(importlib.import_module(module), function)
    return cast(LiveSource, opener(parsed))
