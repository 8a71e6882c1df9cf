"""The display: labels and scores at every width, and text that cannot harm the terminal."""

from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tests.models import make_model
from tests.recordings import write_quarters

import saccade
from saccade.camera.errors import printable
from saccade.engines.labels import LabelBank
from saccade.stream.display import Display
from saccade.stream.prediction import Prediction, Timing

LONG = "a musical instrument with very many strings and keys"
LABELS = ("cup", LONG, "motorbike", "smile", "left")
SCORES = (0.5, 0.25, 0.125, 0.0625, 0.03)
ODD = "[red]x[/]:smile:\x1b]0;pwned\x07\n"


def prediction(labels: tuple[str, ...] = LABELS, groups: tuple[str, ...] = ()) -> Prediction:
    return Prediction(
        seq=0,
        t_begin_us=1_000_000,
        t_end_us=1_030_000,
        t_last_us=1_029_000,
        n_events=1_234_567,
        labels=labels,
        scores=SCORES[: len(labels)],
        groups=groups,
        group_scores=(0.75,) * len(groups),
        vocabulary_rev=0,
        bank=None,  # type: ignore[arg-type]
        embedding=None,  # type: ignore[arg-type]
        frame=None,  # type: ignore[arg-type]
        dropped={"source": 1, "queue": 2_345_678},
        timing=Timing(0, 0, 12_345.6, {}),
    )


def empty() -> Prediction:
    """A prediction for a slice without events."""
    return dataclasses.replace(prediction(groups=("vehicle",)), n_events=0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "halves")


def record(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)  # "a[/]b" is a folder "a[" and a file "]b"
    return write_quarters(path)


def rendered(model: Path, recording: Path, width: int, shown: Prediction) -> list[str]:
    """The lines of the live panel on a terminal of `width` columns."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with saccade.Pipeline(recording, model=model) as pipeline:
        display = Display(pipeline, console=console)
        with console.capture() as captured:
            console.print(display.panel(shown))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [40, 44, 45, 60, 92, 200])
def test_every_label_score_and_fact_is_visible(model: Path, tmp_path: Path, width: int) -> None:
    recording = record(tmp_path / "quarters.aedat4")
    lines = rendered(model, recording, width, prediction())
    assert max(map(len, lines)) <= width
    for line, label, score in zip(lines, LABELS, SCORES, strict=False):
        assert label[:16] in line
        assert f"{score:.1%}" in line
    assert ("━" in lines[0]) == (width >= 45)
    assert (LONG in lines[1]) == (width == 200)
    facts = " ".join(" ".join(lines[len(LABELS) : -1]).split())
    assert facts == (
        "t 1.030 s 1,234,567 events in 30 ms latency 12.3 ms backlog 0 dropped 2,345,679"
    )
    assert "read" in lines[-1]


def test_brackets_smileys_and_escapes_are_shown_as_they_are(model: Path, tmp_path: Path) -> None:
    recording = record(tmp_path / "a[/]b:smile:\x1b[2J\n.aedat4")
    out = io.StringIO()
    console = Console(file=out, width=200)  # markup is on, as in a caller's console
    with saccade.Pipeline(recording, model=model) as pipeline:
        with Display(pipeline, console=console) as display:
            display.update(prediction((ODD,)))
        console.print(display.panel(prediction((ODD,))))
        display.summary()
    shown = out.getvalue()
    assert "a[/]b:smile:\\u001b[2J\\u000a.aedat4  AEDAT4 64x48" in shown
    assert shown.count("[red]x[/]:smile:\\u001b]0;pwned\\u0007\\u000a") == 2
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_the_own_console_reads_no_markup(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = record(tmp_path / "a[/]b.aedat4")
    with (
        saccade.Pipeline(recording, model=model) as pipeline,
        Display(pipeline, to_stderr=True) as display,
    ):
        display.update(prediction((ODD,)))
    captured = capsys.readouterr()
    assert "a[/]b.aedat4" in captured.err
    assert "[red]x[/]:smile:" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("une tasse à café ☕ 👩‍🔬", "une tasse à café ☕ 👩‍🔬"),
        ("a\tb\r\n", "a\\u0009b\\u000d\\u000a"),
        ("\x9b2J\x7f", "\\u009b2J\\u007f"),
        ("abc\u202ecba\u2066\u2028", "abc\\u202ecba\\u2066\\u2028"),
        ("bad\udce9path", "bad\\udce9path"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_nothing_that_ends_a_line_is_left() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert len(printable(everything).splitlines()) == 1
    printable(everything).encode()


def test_groups_and_changed_words_are_shown(model: Path, tmp_path: Path) -> None:
    recording = record(tmp_path / "quarters.aedat4")
    bank = LabelBank(("cup", "left"), np.eye(4, dtype=np.float32)[:2], "halves/1")
    shown = dataclasses.replace(
        prediction(("cup", "left"), ("tableware",)), vocabulary_rev=2, bank=bank
    )
    facts = " ".join(" ".join(rendered(model, recording, 200, shown)).split())
    assert "group tableware 75% words changed 2x" in facts
    out = io.StringIO()
    with (
        saccade.Pipeline(recording, model=model) as pipeline,
        Display(pipeline, console=Console(file=out, width=200)) as display,
    ):
        display.update(shown)
    assert "words changed, 2: cup, left\n" in out.getvalue()
    assert "cup 50%  left 25%  [tableware 75%]  |" in out.getvalue()


def test_a_slice_without_events_shows_no_guess(model: Path, tmp_path: Path) -> None:
    recording = record(tmp_path / "quarters.aedat4")
    lines = rendered(model, recording, 200, empty())
    assert lines[0].strip() == "no events"
    assert not any(label in line for label in (*LABELS[:4], "vehicle") for line in lines)
    out = io.StringIO()
    with (
        saccade.Pipeline(recording, model=model) as pipeline,
        Display(pipeline, console=Console(file=out, width=200)) as display,
    ):
        display.update(empty())
    assert "0.030 s  no events  |  0 events" in " ".join(out.getvalue().splitlines())


def test_cosines_are_numbers_and_below_zero_without_a_bar(model: Path, tmp_path: Path) -> None:
    recording = record(tmp_path / "quarters.aedat4")
    console = Console(file=io.StringIO(), width=92, force_terminal=True, color_system=None)
    shown = dataclasses.replace(prediction(("cup", "left")), scores=(0.31, -0.25))
    with saccade.Pipeline(recording, model=model, scores="cosine") as pipeline:
        display = Display(pipeline, console=console)
        with console.capture() as captured:
            console.print(display.panel(shown))
    first, second = captured.get().splitlines()[:2]
    assert ("0.310" in first, "%" in first, "-0.250" in second) == (True, False, True)
