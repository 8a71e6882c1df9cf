"""Text from files and networks, made harmless before it reaches a terminal."""

from __future__ import annotations

import re

# C0 and C1 controls, line and paragraph separators, marks that turn the direction of writing, and
# lone surrogates (bytes of a path that are not UTF-8).
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """One line in which every control character is written out, like `\\u001b`.

    A label may come from a stranger's network and a sensor's name from a file's header: a raw
    escape sequence there could forge what the terminal shows. JSON stays the same JSON.
    """
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
