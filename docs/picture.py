"""Makes docs/demo.svg: the live table of `saccade run` in the middle of the bundled recording.

`python docs/picture.py`, from the repository's root.
"""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

import saccade
from saccade.stream.display import Display

SAMPLE = "camera/samples/three_objects.aedat4"
WORDS = "cup,motorbike,face,chair,umbrella"


def main() -> None:
    """The command."""
    console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
    with saccade.Pipeline(SAMPLE, labels=WORDS, speed=1.0) as pipeline:
        display = Display(pipeline, console=console)
        console.print(f'$ saccade run {SAMPLE} \\\n    --labels "{WORDS}"', style="bold cyan")
        for prediction in pipeline:
            display.update(prediction)
            if prediction.t_end_us > 1_800_000:
                console.print(display.panel(prediction))
                break
    Path("docs/demo.svg").write_text(console.export_svg(title="saccade"))


if __name__ == "__main__":
    main()
