"""An evaluation in a few lines, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from saccade.engines.evaluation import Share
from saccade.engines.few_shot import Shot
from saccade.stream.evaluation_record import Record


def figures_in_lines(record: Record) -> Iterator[str]:
    """The figures of a record, a few to a line."""
    left = f", {len(record.left_out)} left out" if record.left_out else ""
    left += f", {len(record.damaged)} damaged" if record.damaged else ""
    yield (
        f"{record.model['name']}: {record.recordings} recordings of {len(record.classes)} labels, "
        f"{record.windows} windows of {record.slices}, among {record.labels} labels{left}"
    )
    yield (
        f"top-1 {_percent(record.top1)}, top-5 {_percent(record.top5)}, "
        f"mean over classes {_percent(record.mean_over_classes)}"
    )
    yield f"calibration error {record.calibration.error:.1%} of {len(record.calibration.bins)} bins"
    if record.unseen is not None:
        rest = ""
        if record.unseen.seen is not None and record.unseen.harmonic_mean is not None:
            mean = record.unseen.harmonic_mean
            rest = f", seen {_percent(record.unseen.seen)}, harmonic mean {mean:.1%}"
        yield f"unseen {_percent(record.unseen.unseen)}{rest}"
    for head in dict.fromkeys(shot.head for shot in record.few_shot):
        points = [shot for shot in record.few_shot if shot.head == head]
        yield f"{head}: " + ", ".join(map(_point, points))
    for each in record.robustness[1:]:
        yield f"{each.condition}: top-1 {_percent(each.top1)}"


def _point(shot: Shot) -> str:
    return f"{shot.shots}-shot {shot.top1.value:.1%} of {shot.classes} labels"


def _percent(share: Share) -> str:
    """A share and its interval in percent."""
    return f"{share.value:.1%} ({share.low * 100:.1f} to {share.high * 100:.1f})"
