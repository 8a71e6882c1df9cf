"""What is set on a camera: plain tables, as a settings file and a URI state them."""

from __future__ import annotations

import dataclasses
import enum
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.toml import to_toml

#: A table of settings: values are bool, int, float, text, lists of these, or tables.
Table = dict[str, Any]


def save_settings(path: str | os.PathLike[str], driver: str, sensor: str, table: Table) -> None:
    """Writes a settings file, or replaces it whole."""
    text = to_toml({"driver": driver, "sensor": sensor, "settings": table})
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def load_settings(path: str, driver: str) -> Table:
    """The settings of a file of `save_settings` for that driver.

    Raises SaccadeError where it is none.
    """
    remedy = "save one with `saccade settings SOURCE FILE`"
    try:
        found: Any = msgspec.toml.decode(Path(path).read_text(), type=dict[str, Any])
    except (OSError, ValueError) as error:
        raise SaccadeError(f"{printable(path)}: {printable(str(error))}; {remedy}") from None
    settings = found.get("settings")
    if found.get("driver") != driver or not isinstance(settings, dict):
        what = f"no settings of a camera of {driver}://"
        raise SaccadeError(f"{printable(path)}: {what}; {remedy}")
    return cast(Table, settings)


def merge(current: Table, wanted: Mapping[str, Any], where: str) -> Table:
    """`current` with what is wanted instead.

    Args:
        wanted: of the same kinds, or texts as in a URI: true, 5, 1,2,3; keys may be like `a.b`.
        where: what says so, for the error.

    Raises SaccadeError for a key that the camera does not have, or a value of another kind.
    """
    merged = dict(current)
    for key, value in wanted.items():
        first, _, rest = key.partition(".")
        if first not in current:
            known = ", ".join(sorted(current)) or "none"
            what = f"{where}: this camera has no setting {printable(first)}"
            raise SaccadeError(f"{what}; it has {known}")
        old = merged[first]
        if isinstance(old, dict):
            table: Mapping[str, Any] = {rest: value} if rest else _table(value, where, first)
            merged[first] = merge(cast(Table, old), table, where)
        else:
            merged[first] = _like(old, value, f"{where}: {printable(key)}")
    return merged


def changes(before: Table, after: Table) -> Table:
    """What of `after` is not so in `before`."""
    changed: Table = {}
    for key, value in after.items():
        old = before.get(key)
        if old != value:
            tables = isinstance(old, dict) and isinstance(value, dict)
            changed[key] = changes(cast(Table, old), cast(Table, value)) if tables else value
    return changed


def to_table(value: Any) -> Any:
    """A driver's configuration as a table: None is left out, wide masks are texts (0x...)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: to_table(field) for name, field in fields if field is not None}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, tuple):  # TOML's numbers have 63 bits, a mask's 64
        return [hex(word) for word in cast("tuple[int, ...]", value)]
    return value


def from_table(kind: Any, table: Table) -> Any:
    """A driver's configuration, the dataclass `kind`, of a table of `to_table`."""
    default = kind()
    values: dict[str, Any] = {}
    for key, value in table.items():
        old = getattr(default, key)
        if dataclasses.is_dataclass(old):
            values[key] = from_table(type(old), value)
        elif isinstance(old, enum.Enum):
            values[key] = choose(value, type(old).__members__)
        elif isinstance(old, tuple):
            values[key] = tuple(map(_word, value))
        else:
            values[key] = value
    return kind(**values)


def choose(name: str, choices: Mapping[str, Any]) -> Any:
    """The choice of that name; SaccadeError where there is none."""
    if name not in choices:
        raise SaccadeError(f"{printable(name)}: no choice here; use {', '.join(choices)}")
    return choices[name]


def _word(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise SaccadeError(f"{text!r}: no number; write it like 0xff") from None


def _table(value: Any, where: str, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SaccadeError(f"{where}: {key} is a table; write {key}.NAME")
    return cast(Mapping[str, Any], value)


def _like(old: Any, value: Any, where: str) -> Any:
    """`value` in the kind of `old`."""
    try:
        if isinstance(old, list):
            parts = value.split(",") if isinstance(value, str) else value
            pairs = zip(cast("list[Any]", old), parts, strict=True)
            return [_like(one, part, where) for one, part in pairs]
        if type(value) is type(old):
            return value
        if isinstance(old, bool):
            return {"true": True, "false": False}[value]
        if isinstance(value, str) and isinstance(old, int | float):
            return type(old)(value)
        if isinstance(old, float) and type(value) is int:
            return float(value)
        raise ValueError
    except (ValueError, TypeError, KeyError):
        raise SaccadeError(f"{where} is {value!r}; it must be like {old!r}") from None
