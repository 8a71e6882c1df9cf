"""`saccade inspect`: what is in a recording, for a person or as JSON."""

from __future__ import annotations

import sys

import msgspec

from saccade.camera.inspection import inspect
from saccade.stream.run import parse_geometry


def inspect_file(path: str, *, as_json: bool, geometry: str | None) -> None:
    """Prints the inspection of a recording.

    Raises:
        SaccadeError: it cannot be read at all.
    """
    found = inspect(path, parse_geometry(geometry))
    facts = msgspec.to_builtins(found)
    if as_json:
        sys.stdout.write(msgspec.json.encode(facts).decode() + "\n")
        return
    for key, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        print(f"{key:12} {shown}")
