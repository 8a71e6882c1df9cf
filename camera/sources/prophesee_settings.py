"""What can be set on Prophesee's cameras: the configuration of their driver, as a table.

`roi` and `erc` stand for what it has for them: masks of columns and rows, and a rate limiter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saccade.camera.errors import SaccadeError
from saccade.camera.sources.settings import Table, from_table, merge, to_table

#: By the driver's name of a model: the module of its configuration.
CAMERAS = {"PROPHESEE_EVK4": "prophesee_evk4", "PROPHESEE_EVK3_HD": "prophesee_evk3_hd"}
_PERIOD_US = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants.

    Attributes:
        roi: "X,Y,WIDTH,HEIGHT" from the upper left, or "".
        rate: events per second at most (the sensor drops the others), 0 for all.
        table: of a settings file.
        stated: single settings as in a URI, such as `biases.diff_on`.
    """

    roi: str
    rate: float
    table: Table
    stated: Mapping[str, str]


def make_configuration(driver: Any, model: str, wanted: Wanted, where: str) -> Any:
    """The driver's configuration object.

    Raises SaccadeError for a setting that the camera does not have.
    """
    module = getattr(driver, CAMERAS[model])
    kind = module.Configuration
    table: Table = to_table(kind())
    limiter = to_table(module.RateLimiter(_PERIOD_US, 0))
    limited = any(key.startswith("rate_limiter") for key in (*wanted.table, *wanted.stated))
    if limited or wanted.rate:
        table["rate_limiter"] = limiter
    table = merge(merge(table, wanted.table, where), wanted.stated, where)
    if wanted.rate:
        most = max(1, round(wanted.rate * _PERIOD_US / 1e6))
        table["rate_limiter"] = to_table(module.RateLimiter(_PERIOD_US, most))
    if wanted.roi:
        mask = _mask(driver, module.Properties(), wanted.roi, where)
        table["x_mask"], table["y_mask"] = to_table(mask.x_mask()), to_table(mask.y_mask())
    rates = table.pop("rate_limiter", None)
    configuration = from_table(kind, table)
    if rates is not None:
        configuration.rate_limiter = module.RateLimiter(**rates)
    _check(configuration, where)
    return configuration


def _mask(driver: Any, sensor: Any, roi: str, where: str) -> Any:
    match = re.fullmatch(r"([0-9]{1,5}),([0-9]{1,5}),([0-9]{1,5}),([0-9]{1,5})", roi, re.ASCII)
    x, y, width, height = map(int, match.groups()) if match else (0, 0, 0, 0)
    if not (width and height and x + width <= sensor.width and y + height <= sensor.height):
        what = f"{where}: roi={roi}: not an area of {sensor.width}x{sensor.height}"
        raise SaccadeError(f"{what}; write X,Y,WIDTH,HEIGHT, such as 0,0,640,360")
    mask = driver.RowColumnMask(width=sensor.width, height=sensor.height, set=True)
    mask.clear_rectangle(x, sensor.height - y - height, width, height)  # its rows count from below
    return mask


def _check(configuration: Any, where: str) -> None:
    """What the driver would write wrong: its numbers have bits."""
    try:
        configuration.serialize()
    except Exception as error:
        raise SaccadeError(f"{where}: a setting is too large or too small ({error})") from None
