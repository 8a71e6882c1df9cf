"""JSON Schema of every message: `python -m saccade.stream.schema > docs/schema.json`."""

from __future__ import annotations

import inspect
from typing import Any, get_args

import msgspec

from saccade.stream import control_messages, headers

_TITLE = "saccade/1: headers over ZeroMQ, and the control socket; msgpack maps with these fields"


def schema() -> dict[str, Any]:
    """Where each message is defined, and the definitions.

    `topics` has the header of each topic `<kind>/<stream>/`, `requests` what each command of the
    control socket takes, and `replies` what it may answer.
    """
    topics = {kind().type: kind for kind in get_args(headers.AnyHeader)}
    replies = get_args(control_messages.AnyReply)
    kinds = [*topics.values(), *control_messages.COMMANDS.values(), *replies]
    _, found = msgspec.json.schema_components(
        list(dict.fromkeys(kinds)), ref_template="#/$defs/{name}"
    )

    for definition in found.values():  # whose indentation is another in Python 3.13
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])

    def reference(kind: type) -> dict[str, str]:
        return {"$ref": f"#/$defs/{kind.__name__}"}

    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": _TITLE,
        "topics": {name: reference(kind) for name, kind in topics.items()},
        "requests": {name: reference(kind) for name, kind in control_messages.COMMANDS.items()},
        "replies": [reference(kind) for kind in replies],
        "$defs": found,
    }


def text() -> str:
    """The schema as the committed file has it."""
    plain = msgspec.json.encode(schema(), order="sorted")
    return msgspec.json.format(plain).decode() + "\n"


if __name__ == "__main__":
    print(text(), end="")
