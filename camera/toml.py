"""Writes TOML: the tables, texts, numbers and lists that manifests and settings are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(table: Mapping[str, Any]) -> str:
    """The text of a table: its values first, then its tables; None is left out.

    Raises:
        TypeError: a value is none of text, bool, int, float, list of such, or table.
    """
    return "\n".join(_lines(table, "")).strip() + "\n"


def _lines(table: Mapping[str, Any], path: str) -> list[str]:
    tables: dict[str, Mapping[str, Any]] = {
        key: value for key, value in table.items() if isinstance(value, Mapping)
    }
    lines = [
        f"{_key(key)} = {_value(value)}"
        for key, value in table.items()
        if value is not None and key not in tables
    ]
    for key, value in tables.items():
        name = f"{path}{_key(key)}"
        lines += ["", f"[{name}]", *_lines(value, f"{name}.")]
    return lines


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's, and DEL is the one control character that JSON leaves alone.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, cast('list[Any]', value)))}]"
    raise TypeError(f"{type(value).__name__}: not written to TOML")
