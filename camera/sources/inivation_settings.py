"""What can be set on a camera of iniVation: each pair of a getter and a setter of its driver.

`setContrastThresholdOn` is `contrast_threshold_on`; durations are microseconds, choices their
names, an area is [x, y, width, height]. A DAVIS has its biases besides: [coarse, fine], or a
voltage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

from saccade.camera.sources.settings import Table, choose

#: Setters that take more than a value, or set what is none of the camera's.
_NOT_SETTINGS = re.compile(r"set(.*Bias.*|AreaBlock|LogLevel|Transfers.*|ExternalAERControl)")
_ONE_MICROSECOND = timedelta(microseconds=1)


def read_settings(camera: Any) -> Table:
    """All that this camera can tell and be told."""
    found: Table = {}
    for setter, getter in _pairs(camera):
        try:
            value = getattr(camera, getter)()
        except RuntimeError:  # of another model of its family
            continue
        key = _key(setter)
        found[f"{key}_us" if isinstance(value, timedelta) else key] = _plain(value)
    if biases := _read_biases(camera):
        found["biases"] = biases
    return found


def apply_settings(camera: Any, wanted: Table) -> None:
    """Sets what `merge` made of `read_settings`; raises what the driver raises."""
    for setter, getter in _pairs(camera):
        key = _key(setter)
        if key in wanted or f"{key}_us" in wanted:
            old = getattr(camera, getter)()
            value = wanted.get(key, wanted.get(f"{key}_us"))
            getattr(camera, setter)(_driver_value(old, value))
    for name, value in wanted.get("biases", {}).items():
        _set_bias(camera, name, value)


def _pairs(camera: Any) -> Iterator[tuple[str, str]]:
    names = set(dir(camera))
    for setter in sorted(names):
        if setter.startswith("set") and not _NOT_SETTINGS.fullmatch(setter):
            for start in ("get", "is"):
                if (getter := start + setter[3:]) in names:
                    yield setter, getter


def _key(setter: str) -> str:
    """contrast_threshold_on of setContrastThresholdOn, imu_flip_x of setIMUFlipX."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[0-9]+", setter[3:])
    return "_".join(part.lower() for part in parts)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value // _ONE_MICROSECOND
    if isinstance(value, tuple):
        return [int(part) for part in cast("tuple[int, ...]", value)]
    if isinstance(value, bool | int | float):
        return value
    return str(value.name)


def _driver_value(old: Any, value: Any) -> Any:
    """A setting as the driver takes it, which gave `old` for it."""
    if isinstance(old, timedelta):
        return timedelta(microseconds=value)
    if isinstance(old, tuple):
        return tuple(cast("list[int]", value))
    if isinstance(old, bool | int | float):
        return value
    return choose(value, cast(Any, type(old)).__members__)


def _bias_kinds(camera: Any) -> list[tuple[str, Any]]:
    """Of a camera with biases: the end of its getter's and setter's names, and their names."""
    if hasattr(camera, "Bias"):  # a DVS128
        return [("Bias", camera.Bias)]
    if not hasattr(camera, "getSensorModel"):
        return []
    model = str(camera.getSensorModel().name)
    family = "Davis346" if model == "DAVIS346" else "Davis240" if "240" in model else "CDavis"
    kinds = [("BiasCoarseFine", "BiasCF"), ("BiasVoltage", "BiasVDAC")]
    return [
        (family + method, getattr(camera, family + names))
        for method, names in kinds
        if hasattr(camera, family + names)
    ]


def _read_biases(camera: Any) -> Table:
    return {
        name: _plain(getattr(camera, f"get{method}")(bias))
        for method, names in _bias_kinds(camera)
        for name, bias in names.__members__.items()
    }


def _set_bias(camera: Any, name: str, value: Any) -> None:
    for method, names in _bias_kinds(camera):
        if name in names.__members__:
            values = cast("list[int]", value) if isinstance(value, list) else [value]
            getattr(camera, f"set{method}")(names.__members__[name], *values)
