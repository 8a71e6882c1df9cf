"""The page of an evaluation: one HTML file that needs no other, and no script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from saccade.engines.evaluation import Share
from saccade.stream.evaluation_pictures import Picture
from saccade.stream.evaluation_record import Record, Unseen
from saccade.stream.evaluation_svg import (
    NBSP,
    class_rows,
    confusion,
    curves,
    percent,
    reliability,
    share_bar,
    span,
    text,
)
from saccade.stream.png import data_uri

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --faint: #6b6b6b; --line: #ddd;
  --right: #2466a8; --wrong: #c2571a; --head2: #2b7d4f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #161616; --faint: #a0a0a0;
  --line: #3a3a3a; --right: #6fb1f0; --wrong: #f0994f; --head2: #6fcf97; } }
@media print { :root { --ink: #000; --paper: #fff; --faint: #555; --line: #ccc; --right: #2466a8;
  --wrong: #c2571a; --head2: #2b7d4f; } body { max-width: none; font-size: 10pt; margin: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } @page { margin: 16mm; } }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; break-after: avoid; }
p.about, figcaption, .legend { color: var(--faint); font-size: 0.9rem; }
p.about { break-after: avoid; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
td:first-child { white-space: normal; overflow-wrap: break-word; max-width: 14rem; }
tr, figure, svg { break-inside: avoid; } .wide { overflow-x: auto; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); font-size: 11px; }
td svg { min-width: 6rem; vertical-align: middle; }
.grid { stroke: var(--line); } .frame { fill: none; stroke: var(--line); }
.ideal { stroke: var(--faint); stroke-dasharray: 4 4; } .track { fill: var(--line); }
.bar { fill: var(--right); } .wrong { fill: var(--wrong); }
.edge { stroke: var(--right); stroke-width: 2; }
.interval { stroke: var(--ink); stroke-width: 1.5; }
.curve { stroke-width: 2; }
.curve.head0 { stroke: var(--right); } .mark.head0 { fill: var(--right); }
.curve.head1 { stroke: var(--wrong); } .mark.head1 { fill: var(--wrong); }
.curve.head2 { stroke: var(--head2); } .mark.head2 { fill: var(--head2); }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
.pictures figure { margin: 0; width: 9rem; }
.pictures img { width: 100%; image-rendering: pixelated; border: 1px solid var(--line); }
figcaption { overflow-wrap: anywhere; line-height: 1.3; }
"""


def page(record: Record, folder: str, pictures: Sequence[Picture]) -> str:
    """The whole HTML page of a record, and of pictures of windows of `folder`."""
    title = f"{record.model['name']} on {folder}"
    body = "\n".join(_sections(record, title, pictures))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _sections(record: Record, title: str, pictures: Sequence[Picture]) -> Iterator[str]:
    yield f"<h1>{text(title)}</h1>"
    yield _about(record)
    yield _figures(record)
    yield _pictures(pictures, right=False)
    yield _pictures(pictures, right=True)
    yield (
        "<h2>By label</h2><p class='about'>The worst first; windows of how many recordings.</p>"
        + _table("label|right|top-1 (95 % interval)|top-5|windows")
        + class_rows(record.classes)
        + "</table>"
    )
    yield (
        "<h2>What was taken for what</h2><p class='about'>Right labels down, what was said across; "
        "the stronger, the greater its share of the row. Mistakes are orange.</p>"
        f"<div class='wide'>{confusion(record.confusion)}</div>"
    )
    yield _calibration(record)
    if record.few_shot:
        yield _few_shot(record)
    if record.robustness:
        yield _robustness(record)
    if record.left_out or record.unknown_folders:
        rows = [text(why) for why in record.left_out.values()]
        rows += [f"{text(name)}: no label in use" for name in record.unknown_folders]
        yield _listed("Left out", rows)
    if record.damaged:
        yield _listed("Looked at up to their damage", map(text, record.damaged.values()))


def _table(heads: str) -> str:
    return "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads.split("|")) + "</tr>"


def _about(record: Record) -> str:
    return (
        f"<p class='about'>{record.windows} windows of {text(record.slices)} in "
        f"{record.recordings} recordings of {len(record.classes)} labels, among {record.labels} "
        f"labels in use. Model {text(str(record.model['name']))} version "
        f"{record.model['version']}, sha256 {text(str(record.model['sha256']))[:12]}; engine "
        f"{text(record.engine)}; saccade {text(record.saccade)}. Intervals are of 95 %: Wilson's "
        "for shares, counting recordings and not windows; of means over classes a bootstrap over "
        "recordings.</p>"
    )


def _figures(record: Record) -> str:
    rows = [
        ("top-1", record.top1),
        ("top-5", record.top5),
        ("mean over classes", record.mean_over_classes),
    ]
    if record.unseen is not None:
        rows += _unseen(record.unseen)
    body = "".join(
        f"<tr><td>{name}</td><td>{share_bar(share)}</td><td>{span(share)}</td></tr>"
        for name, share in rows
    )
    if record.unseen is not None and record.unseen.harmonic_mean is not None:
        body += f"<tr><td>harmonic mean</td><td></td><td>{percent(record.unseen.harmonic_mean)}"
        body += "</td></tr>"
    error = percent(record.calibration.error)
    body += f"<tr><td>calibration error</td><td></td><td>{error}</td></tr>"
    return _table("figure|right|share (95 % interval)") + body + "</table>"


def _unseen(found: Unseen) -> list[tuple[str, Share]]:
    rows = [(f"unseen classes ({len(found.names)}), mean", found.unseen)]
    return rows if found.seen is None else [*rows, ("seen classes, mean", found.seen)]


def _pictures(pictures: Sequence[Picture], right: bool) -> str:
    chosen = [each for each in pictures if (each.label == each.taken) == right]
    if not chosen:
        return ""
    title = "Right" if right else "Wrong: of a label the mistake that it was surest of"
    figures = "".join(_figure(each) for each in chosen)
    return f"<h2>{title}</h2><div class='pictures'>{figures}</div>"


def _figure(each: Picture) -> str:
    said = f"{text(each.taken)} {each.confidence * 100:.0f}{NBSP}%"
    what = said if each.label == each.taken else f"{text(each.label)}, taken for {said}"
    return (
        f'<figure><img src="{data_uri(each.png)}" alt="{what}">'
        f"<figcaption>{what}<br>{text(each.recording)}</figcaption></figure>"
    )


def _calibration(record: Record) -> str:
    return (
        "<h2>Calibration</h2><p class='about'>Windows by the probability of their best label; a "
        "bar is how many of them are right, strong where there are many. Below the dashed line the "
        f"model is too sure. Expected calibration error over {len(record.calibration.bins)} bins: "
        f"{percent(record.calibration.error)}.</p>{reliability(record.calibration)}"
    )


def _few_shot(record: Record) -> str:
    rows = "".join(
        f"<tr><td>{text(each.head)}</td><td>{each.shots}</td><td>{span(each.top1)}</td>"
        f"<td>{each.classes} of {len(record.classes)}</td></tr>"
        for each in record.few_shot
    )
    return (
        "<h2>Few examples</h2><p class='about'>Recordings drawn at random as examples of each "
        "label, as <code>saccade teach</code> takes them, and tried on all others: the mean of 20 "
        "draws. The interval is of that mean (1.96 standard errors), not of other recordings. "
        "Labels without more recordings than examples sit out, and the curve is broken there.</p>"
        f"{curves(record.few_shot)}{_table('head|examples|top-1 (95 % interval)|labels')}{rows}"
        "</table>"
    )


def _robustness(record: Record) -> str:
    rows = "".join(
        f"<tr><td>{text(each.condition)}</td><td>{share_bar(each.top1)}</td>"
        f"<td>{span(each.top1)}</td><td>{percent(each.mean_over_classes.value)}</td></tr>"
        for each in record.robustness
    )
    heads = "condition|right|top-1 (95 % interval)|mean over classes"
    return f"<h2>Robustness</h2>{_table(heads)}{rows}</table>"


def _listed(head: str, rows: Iterable[str]) -> str:
    return f"<h2>{head}</h2><ul>{''.join(f'<li>{row}</li>' for row in rows)}</ul>"
