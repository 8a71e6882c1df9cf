"""The drawings of an evaluation's page, as SVG that takes its colours from the page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

from saccade.camera.errors import printable
from saccade.engines.evaluation import Calibration, Share
from saccade.engines.few_shot import Shot
from saccade.stream.evaluation_record import ClassFigures, Confusion

_WIDTH, _HEIGHT = 360, 300
_LEFT, _TOP, _SIDE, _PLOT = 46, 12, 300, 240  # of the axes: corner, width, height
_NAMED = 40  # labels that fit beside the confusion's rows and columns
NBSP = "\N{NO-BREAK SPACE}"
_SHAPES = ("circle", "square", "diamond")
_BLUE, _ORANGE, _GREEN = "#2466a8", "#c2571a", "#2b7d4f"
#: What a drawing looks like where the page's style does not reach it, as in another document.
_PAINT = {
    "grid": 'stroke="#ddd"',
    "frame": 'fill="none" stroke="#ddd"',
    "ideal": 'stroke="#6b6b6b" stroke-dasharray="4 4"',
    "track": 'fill="#ddd"',
    "bar": f'fill="{_BLUE}"',
    "wrong": f'fill="{_ORANGE}"',
    "edge": f'stroke="{_BLUE}" stroke-width="2"',
    "interval": 'stroke="#1c1c1c" stroke-width="1.5"',
}
for _i, _colour in enumerate((_BLUE, _ORANGE, _GREEN)):
    _PAINT[f"curve head{_i}"] = f'stroke-width="2" stroke="{_colour}"'
    _PAINT[f"mark head{_i}"] = f'fill="{_colour}"'


def text(value: str) -> str:
    """A text that may stand in HTML, control characters written out."""
    return escape(printable(value))


def percent(value: float) -> str:
    """A share in percent."""
    return f"{value * 100:.1f}{NBSP}%"


def span(share: Share) -> str:
    """A share and its interval in percent."""
    return f"{percent(share.value)} ({share.low * 100:.1f} to {share.high * 100:.1f})"


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img" font-size="11"'
    return f'{head} aria-label="{text(title)}"><title>{text(title)}</title>{"".join(parts)}</svg>'


def _as(kind: str) -> str:
    return f'class="{kind}" {_PAINT[kind]}'


def _x(share: float) -> float:
    return _LEFT + _SIDE * share


def _y(share: float) -> float:
    return _TOP + _PLOT * (1 - share)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line {_as(kind)} x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _label(x: float, y: float, anchor: str, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(words)}</text>'


def _axes(below: str, beside: str) -> list[str]:
    """Lines at quarters of the height, in percent, and what the axes are."""
    parts: list[str] = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(_LEFT, _y(share), _LEFT + _SIDE, _y(share), "grid"))
        parts.append(_label(_LEFT - 6, _y(share) + 4, "end", f"{share * 100:.0f}"))
    parts.append(_label(_LEFT + _SIDE / 2, _HEIGHT - 8, "middle", below))
    middle = _TOP + _PLOT / 2
    turned = f'transform="rotate(-90 12 {middle:g})" text-anchor="middle"'
    return [*parts, f'<text x="12" y="{middle:g}" {turned}>{text(beside)}</text>']


def reliability(found: Calibration) -> str:
    """How often windows are right (bars) beside how sure the model was (the diagonal)."""
    parts = _axes("probability of the best label, %", "right, %")
    most = max((each.n for each in found.bins), default=1)
    for share in (0.0, 0.5, 1.0):
        parts.append(_label(_x(share), _y(0) + 18, "middle", f"{share * 100:.0f}"))
    for each in found.bins:
        if not each.n:
            continue
        x, width = _x(each.low) + 1, _SIDE * (each.high - each.low) - 2
        top, depth = _y(each.right), _PLOT * each.right
        shade = 0.25 + 0.75 * each.n / most
        about = (
            f"{each.n} windows: right {percent(each.right)}, probability {percent(each.confidence)}"
        )
        parts.append(
            f'<rect {_as("bar")} x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{depth:.1f}" fill-opacity="{shade:.2f}"><title>{about}</title></rect>'
        )
        parts.append(_line(x, top, x + width, top, "edge"))
    parts.append(_line(_x(0), _y(0), _x(1), _y(1), "ideal"))
    return _svg(_WIDTH, _HEIGHT, "Reliability diagram", parts)


def curves(shots: Sequence[Shot]) -> str:
    """The few-shot curve of each head, with intervals."""
    at = sorted({shot.shots for shot in shots})
    heads = list(dict.fromkeys(shot.head for shot in shots))
    step, most = _SIDE / len(at), max(shot.classes for shot in shots)
    parts = _axes("recordings of each label", "right of those left out, %")
    for i, k in enumerate(at):
        few = {shot.classes for shot in shots if shot.shots == k} - {most}
        what = f"{k} ({few.pop()} labels)" if few else str(k)
        parts.append(_label(_LEFT + step * (i + 0.5), _y(0) + 18, "middle", what))
    for h, head in enumerate(heads):
        points: list[tuple[float, Shot]] = []
        for shot in shots:
            if shot.head == head:  # beside those of other heads, so that all can be seen
                place = at.index(shot.shots) + 0.5
                points.append((_LEFT + step * place + 7 * (h - (len(heads) - 1) / 2), shot))
        for (x1, one), (x2, next_one) in itertools.pairwise(points):
            if one.classes == next_one.classes:  # else they do not compare
                y1, y2 = _y(one.top1.value), _y(next_one.top1.value)
                parts.append(_line(x1, y1, x2, y2, f"curve head{h}"))
        for x, shot in points:
            parts.append(_line(x, _y(shot.top1.low), x, _y(shot.top1.high), f"curve head{h}"))
            parts.append(_mark(x, _y(shot.top1.value), h, f"{head}: {span(shot.top1)}"))
    legend = "".join(
        f'<span><svg width="16" height="12">{_mark(8, 6, h, head)}</svg> {text(head)}</span> '
        for h, head in enumerate(heads)
    )
    drawn = _svg(_WIDTH, _HEIGHT, "Few-shot curves", parts)
    return f'{drawn}<p class="legend">{legend}</p>'


def _mark(x: float, y: float, head: int, about: str) -> str:
    kind, title = _as(f"mark head{head}"), f"<title>{text(about)}</title>"
    shape = _SHAPES[head % len(_SHAPES)]
    if shape == "circle":
        return f'<circle {kind} cx="{x:.1f}" cy="{y:.1f}" r="4">{title}</circle>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if shape == "diamond" else ""
    place = f'x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"'
    return f"<rect {kind} {place}{turn}>{title}</rect>"


def confusion(found: Confusion) -> str:
    """Right labels down, what they were taken for across; the stronger, the more of the row."""
    rows = [(i, row) for i, row in enumerate(found.windows) if sum(row)]
    n = len(found.names)
    named = n <= _NAMED
    cell = max(4.0, min(30.0, 480 / n))
    edge = min(150.0, 8 + 6.4 * max(len(_short(name)) for name in found.names)) if named else 2.0
    parts: list[str] = []
    for j, name in enumerate(found.names if named else ()):
        x, y = edge + cell * (j + 0.5) + 4, edge - 5
        turned = f'transform="rotate(-90 {x:.1f} {y:.1f})"'
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {turned}>{text(_short(name))}</text>')
    for place, (i, row) in enumerate(rows):
        name, y = found.names[i], edge + cell * place
        if named:
            parts.append(_label(edge - 5, y + cell / 2 + 4, "end", _short(name)))
        parts += [
            _cell(edge + cell * j, y, cell, i == j, count / sum(row))
            + f"<title>{count} of {sum(row)} {text(name)}: {text(found.names[j])}</title></rect>"
            for j, count in enumerate(row)
            if count
        ]
    width, height = cell * n, cell * len(rows)
    frame = f'x="{edge:.1f}" y="{edge:.1f}" width="{width:.1f}" height="{height:.1f}"'
    parts.append(f"<rect {_as('frame')} {frame}/>")
    title = "Confusion: right labels down, those said across"
    return _svg(edge + width + 2, edge + height + 2, title, parts)


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"


def _cell(x: float, y: float, side: float, right: bool, share: float) -> str:
    kind = _as("bar" if right else "wrong")
    return (
        f'<rect {kind} x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{side - 1:.1f}" '
        f'height="{side - 1:.1f}" fill-opacity="{0.15 + 0.85 * share:.2f}">'
    )


def share_bar(share: Share) -> str:
    """A share as a bar with its interval as a line."""
    parts = [
        f'<rect {_as("track")} x="0" y="3" width="200" height="8"/>',
        f'<rect {_as("bar")} x="0" y="3" width="{200 * share.value:.1f}" height="8"/>',
        _line(200 * share.low, 7, 200 * share.high, 7, "interval"),
    ]
    return _svg(200, 14, span(share), parts)


def class_rows(classes: Sequence[ClassFigures]) -> str:
    """A row of a table for each class, the worst first."""
    return "".join(
        f"<tr><td>{text(each.name)}</td><td>{share_bar(each.top1)}</td>"
        f"<td>{span(each.top1)}</td><td>{percent(each.top5)}</td>"
        f"<td>{each.windows} of {each.recordings}</td></tr>"
        for each in sorted(classes, key=lambda each: each.top1.value)
    )
