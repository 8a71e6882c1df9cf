"""`saccade inspect`: what is in a recording, for a person or as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.inspection import inspect
from saccade.stream.settings import parse_geometry


def inspect_file(path: str, *, as_json: bool, geometry: str | None) -> None:
    """Prints the inspection of a recording; of a damaged one, what came before the damage.

    Raises:
        SaccadeError: it cannot be read at all, or not to its end.
    """
    found = inspect(path, parse_geometry(geometry))
    facts: dict[str, Any] = msgspec.to_builtins(found)
    if not found.error:
        del facts["error"], facts["error_offset"]
    facts["size"] = f"{found.width}x{found.height}"
    if as_json:
        print(printable(msgspec.json.encode(facts).decode()))
    else:
        _print_facts(facts)
    print(end="", flush=True)
    if found.error:
        raise SaccadeError(found.error)


def _print_facts(facts: dict[str, Any]) -> None:
    shown = {key: f"{value:,}" for key, value in facts.items() if isinstance(value, int)}
    shown["dropped"], shown["skipped"] = _by_class(facts["dropped"]), _by_class(facts["skipped"])
    shown["streams"] = ", ".join(_stream(stream) for stream in facts["streams"])
    shown["rate"] = f"{facts['rate']:,.0f} events/s"
    for key in ("format", "sensor", "size", *_KEYS):
        print(printable(f"{key:14} {shown.get(key) or facts[key] or '-'}"))


def _by_class(counts: dict[str, int]) -> str:
    return ", ".join(f"{kind} {n:,}" for kind, n in counts.items() if n) or "0"


def _stream(stream: dict[str, Any]) -> str:
    name = f" ({stream['name']})" if stream["name"] not in ("", stream["kind"]) else ""
    count = "not read" if stream["count"] is None else f"{stream['count']:,}"
    return f"{stream['kind']}{name} {count}"


_KEYS = (
    "streams", "n", "n_on", "t_first", "t_last", "duration_us", "backward_steps",
    "sum_x", "sum_y", "sum_t", "dropped", "skipped", "rate",
)  # fmt: skip
