"""How good the bundled model is, as `saccade evaluate` finds it on recordings.

`python -m benchmarks.evaluation IMAGES.tar` simulates a recording of 30 ms of each image of
Caltech-101 that training held out (every tenth of a class, with a seed of its own), and judges
saccade-mini by them: `benchmarks/records/evaluation.json` and `docs/evaluation.html`.
It takes `pip install -e '.[train]'` and about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import RECORDS, ROOT
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.stream.evaluation import EvaluateOptions, evaluate
from saccade.training.mini_data import Images, load_images, simulated_events

SEED = 4  # training, its validation and the model card's figures have 1 to 3
PAGE = ROOT / "docs" / "evaluation.html"


def record_images(images: Images, folder: Path) -> None:
    """A recording of each image, as FOLDER/CLASS/NUMBER.aedat4."""
    for name in images.names:
        (folder / name).mkdir(parents=True)
    seeds = np.random.SeedSequence(SEED).generate_state(len(images.pixels), np.uint64)
    paths = [
        folder / images.names[number] / f"{k:04}.aedat4"
        for k, number in enumerate(images.classes.tolist())
    ]
    jobs = zip(images.pixels, (int(seed) >> 1 for seed in seeds), paths, strict=True)
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        pool.starmap(record_image, jobs, chunksize=16)


def record_image(image: NDArray[np.uint8], seed: int, path: Path) -> None:
    """30 ms of events of a gray image under conditions that the seed draws."""
    packets, (width, height) = simulated_events(image, seed)
    events = Packet.joined(packets)
    order = np.argsort(events.t, kind="stable")  # hot pixels come last
    columns = events.t[order], events.x[order], events.y[order], events.on[order]
    with Aedat4Writer(path, width, height, "lz4", "saccade simulator") as writer:
        writer.write(Packet(*columns))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="tar of class/image.jpg (Caltech-101, gray)")
    parser.add_argument("--model", default="saccade-mini")
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--json", type=Path, default=RECORDS / "evaluation.json")
    options = parser.parse_args()
    _, held = load_images(options.images)
    out, record = options.out.resolve(), options.json.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # so that the page names no path of this machine
        data = Path("caltech101-held-out")
        record_images(held, data)
        evaluate(
            EvaluateOptions(
                data,
                options.model,
                few_shot="1,2,5",
                robustness=True,
                out=out,
                record=record,
            )
        )


if __name__ == "__main__":
    main()
