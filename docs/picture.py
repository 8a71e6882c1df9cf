"""Draws docs/demo.svg from a real run: three slices of the bundled recording and their labels.

`python docs/picture.py`, from the repository's root (extra `simulate`, for Pillow).
"""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import saccade

SAMPLE = "camera/samples/three_objects.aedat4"
WORDS = "cup,motorbike,face,chair,umbrella"
TIMES_US = (500_000, 1_200_000, 2_200_000)
PANEL, GAP, SIDE, TOP = 280, 20, 192, 92
STYLE = """text { font: 14px ui-monospace, Menlo, Consolas, monospace; fill: #c9d1d9 }
.dim { fill: #8b949e } .first { fill: #3fb950; font-weight: bold } .prompt { fill: #58a6ff }
image { image-rendering: pixelated }"""


def png(frame: NDArray[np.float32]) -> str:
    """A frame, float32 [h, w] in [0, 1], as a data URI."""
    out = io.BytesIO()
    Image.fromarray(np.rint(frame * 255).astype(np.uint8)).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def text(x: int, y: int, content: str, kind: str = "") -> str:
    """One line of text at its baseline."""
    return f'<text x="{x}" y="{y}" class="{kind}" xml:space="preserve">{escape(content)}</text>'


def panel(prediction: saccade.Prediction, left: int) -> list[str]:
    """What the encoder saw, and the labels that it gave."""
    place = f'x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}"'
    parts = [f'<image {place} href="{png(prediction.frame)}"/>']
    facts = f"{prediction.n_events:,} events  {prediction.timing.latency_us / 1000:.1f} ms"
    parts.append(
        text(left, TOP + SIDE + 24, f"t {prediction.t_end_us / 1e6:.2f} s  {facts}", "dim")
    )
    for rank, (label, score) in enumerate(zip(prediction.labels, prediction.scores, strict=True)):
        y = TOP + SIDE + 54 + 24 * rank
        kind = "" if rank else "first"
        colour = "#8b949e" if rank else "#3fb950"
        parts.append(text(left, y, f"{label:<10}", kind))
        parts.append(
            f'<rect x="{left + 90}" y="{y - 8}" width="{round(110 * score) + 1}" height="6" '
            f'rx="3" fill="{colour}"/>'
        )
        parts.append(text(left + 210, y, f"{score:>6.1%}", kind))
    return parts


def main() -> None:
    """The command."""
    chosen: list[saccade.Prediction] = []
    with saccade.Pipeline(SAMPLE, labels=WORDS, speed=1.0) as pipeline:
        for prediction in pipeline:
            if len(chosen) < len(TIMES_US) and prediction.t_end_us > TIMES_US[len(chosen)]:
                chosen.append(prediction)
    total = pipeline.summary
    width, height = 3 * PANEL + 4 * GAP, TOP + SIDE + 210
    body = [text(GAP, 38, f"$ saccade run {SAMPLE} --labels {WORDS}", "prompt")]
    body.append(text(GAP, 66, "AEDAT4 128x128, slices of 30 ms, model saccade-mini", "dim"))
    for k, prediction in enumerate(chosen):
        body += panel(prediction, GAP + k * (PANEL + GAP))
    lost, p50 = sum(total.dropped.values()), total.latency_us.p50 / 1000
    end = f"{total.events_in:,} events, {total.labels} labels, {lost} dropped"
    body.append(text(GAP, height - 20, f"{end}, event to label {p50:.1f} ms (p50)", "dim"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    back = f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>'
    svg = "\n".join([head, f"<style>{STYLE}</style>", back, *body, "</svg>"])
    Path("docs/demo.svg").write_text(svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
