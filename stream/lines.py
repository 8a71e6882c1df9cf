"""Labels and scores as one line of text."""

from __future__ import annotations

from collections.abc import Sequence

from saccade.camera.errors import printable
from saccade.stream.headers import StatusHeader

#: In place of the labels of an empty slice, which are those of an empty frame: a guess at nothing.
NO_EVENTS = "no events"


def score_text(score: float, kind: str, digits: int = 0) -> str:
    """A probability ("softmax") as per cent with `digits` decimals; a cosine as a number."""
    return f"{score:.3f}" if kind == "cosine" else f"{score:.{digits}%}"


def best_text(
    labels: Sequence[str],
    scores: Sequence[float],
    groups: Sequence[str],
    group_scores: Sequence[float],
    kind: str,
    n_events: int,
) -> str:
    """The three best labels and the best group, `car 45%  cup 12%  [vehicle 80%]`.

    Of a slice without events it says so instead.
    """
    if not n_events:
        return NO_EVENTS

    def text(names: Sequence[str], values: Sequence[float], most: int) -> str:
        pairs = list(zip(names, values, strict=True))[:most]
        return "  ".join(f"{printable(name)} {score_text(value, kind)}" for name, value in pairs)

    best = text(labels, scores, 3)
    return f"{best}  [{text(groups, group_scores, 1)}]" if groups else best


def status_text(status: StatusHeader) -> str:
    """A status as one line: `12.00 Mev/s, backlog 0 (0.0 MB), delay 3.1 ms, ...`."""
    dropped = {name: getattr(status.dropped, name) for name in status.dropped.__struct_fields__}
    lost = ", ".join(f"{name} {n:,}" for name, n in dropped.items() if n)
    facts = [
        f"{status.rate_eps / 1e6:.2f} Mev/s",
        f"backlog {status.backlog} ({status.backlog_bytes / 1e6:.1f} MB)",
        f"delay {status.delay_us / 1000:.1f} ms",
        f"jitter {status.jitter_us / 1000:.1f} ms",
        f"dropped {lost or 0}",
        *([] if status.on_share is None else [f"ON {status.on_share:.0%}"]),
        f"CPU {status.cpu:.0%}",
        *([status.recording] if status.recording else []),
        *status.notes,
    ]
    return printable(", ".join(facts))
