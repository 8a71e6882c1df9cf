"""Text of events, line by line with exact fractions: slow, and written without the native one."""

import re
from collections import Counter
from fractions import Fraction
from math import floor

from tests.reference.evt2 import Event

_POLARITY = {b"0": False, b"-1": False, b"false": False, b"False": False}
_POLARITY |= {b"1": True, b"true": True, b"True": True}
_FIELDS = {
    "t": rb"(?P<t>\d{1,19})",
    "x": rb"(?P<x>-?\d{1,9})",
    "y": rb"(?P<y>-?\d{1,9})",
    "p": rb"(?P<p>0|-?1|[tT]rue|[fF]alse)",
}
_SECONDS = rb"(?P<t>\d{1,12}(\.\d*)?)"
_SEPARATOR = rb"(?:[ \t]*,[ \t]*|[ \t]+)"


def decode(
    data: bytes, width: int, height: int, columns: str = "txyp", seconds: bool = False
) -> tuple[list[Event], Counter[str], int | None]:
    """The events of whole lines, what else was there, and the offset of the first bad line."""
    events: list[Event] = []
    seen: Counter[str] = Counter()
    fields = [_SECONDS if c == "t" and seconds else _FIELDS[c] for c in columns]
    pattern = re.compile(rb"[ \t]*" + _SEPARATOR.join(fields) + rb"[ \t]*\r?\n")
    nothing = re.compile(rb"[ \t]*(#.*|\r?)\n", re.DOTALL)
    offset = last = 0
    for line in re.findall(rb"[^\n]*\n", data):
        match = pattern.fullmatch(line)
        if match:
            exact = Fraction(match["t"].decode().rstrip(".")) * (10**6 if seconds else 1)
            t = floor(exact + Fraction(1, 2))
            if t >= 1 << 63:
                return events, seen, offset
            x, y = int(match["x"]), int(match["y"])
            seen["time_backwards"] += t < last
            last = t
            if 0 <= x < width and 0 <= y < height:
                events.append((t, x, y, _POLARITY[match["p"]]))
            else:
                seen["out_of_bounds"] += 1
        elif not nothing.fullmatch(line):
            return events, seen, offset
        offset += len(line)
    return events, seen, None
