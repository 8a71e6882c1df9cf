"""Engines on the CPU beside other libraries: latency, CPU time, cosine to fp32; and our overhead.

`python -m benchmarks.engines [--rivals PYTHON] [--model FOLDER] [--readme]` writes
`benchmarks/records/engines.json`. Every figure is of a process of its own, in turns with all
others, so that a minute in which the machine is slow is slow for all. The encoder is a ViT-B/32 of
made weights (engine_models.py) unless a model folder is given; `pip install '.[convert,openvino]'`
for it and for our engines.
The rivals' environment: `pip install openvino nncf open_clip_torch`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, write_readme, write_record
from benchmarks.engine_models import WORDS, add_bank, make_clip
from benchmarks.turns import take_turns
from saccade.engines.models import DEFAULT_MODEL, load_model
from saccade.engines.verify import event_frames

_CALIBRATION, _TEST = 40, 16  # frames
_RIVALS = ROOT / "benchmarks" / "engine_rivals.py"
#: engine, precision: (threads, batch) of each measurement.
OURS = {
    ("onnx", "fp32"): [(1, 1), (2, 1), (2, 2), (2, 4), (2, 8)],
    ("onnx", "int8"): [(1, 1), (2, 1), (2, 2), (2, 4), (2, 8)],
    ("openvino", "fp32"): [(1, 1), (2, 1)],
    ("openvino", "bf16"): [(1, 1), (2, 1)],
    ("openvino", "int8"): [(1, 1), (2, 1), (2, 2), (2, 4), (2, 8)],
    ("torch", "fp32"): [(1, 1), (2, 1)],
    ("torch", "bf16"): [(2, 1)],
}
RIVALS = {
    name: [(1, 1), (2, 1)]
    for name in (
        "openvino-fp32", "openvino-bf16", "openvino-int8", "open_clip-eager", "open_clip-compile",
    )
}  # fmt: skip
MINI = [(1, 1), (2, 1), (2, 2), (2, 4), (2, 8)]


def measure(work: Path, folder: Path, rivals: str | None, rounds: int, runs: int) -> dict[str, Any]:
    """The record: CLIP's engines, saccade-mini's, and the overhead of both."""
    before = os.getloadavg()
    # OpenBLAS's threads spin for 10 ms after numpy's import, and would count as the encoder's.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    frames = event_frames(load_model(folder).frame_spec(), _CALIBRATION + _TEST)
    paths = {"calibration": work / "calibration.npy", "test": work / "test.npy"}
    np.save(paths["calibration"], frames[:_CALIBRATION])
    np.save(paths["test"], frames[_CALIBRATION:])
    commands = {
        f"{engine} {precision} t{threads} b{batch}": _ours(
            engine, folder, precision, threads, batch, runs, paths["test"], work
        )
        for (engine, precision), grid in OURS.items()
        for threads, batch in grid
    }
    if rivals is not None:
        prepare = [rivals, str(_RIVALS), "prepare", str(folder), str(paths["calibration"])]
        subprocess.run([*prepare, str(work)], check=True, stdout=subprocess.DEVNULL)
        for rival, grid in RIVALS.items():
            for threads, batch in grid:
                name = f"{rival} t{threads} b{batch}"
                commands[name] = [
                    *_threads(threads), rivals, str(_RIVALS), rival, str(folder), str(threads),
                    str(batch), str(runs), str(paths["test"]), str(work / f"{name}.npy"), str(work),
                ]  # fmt: skip
    clip = summaries(take_turns(commands, rounds), work, "onnx fp32 t1 b1")
    mini_frames = work / "mini.npy"
    np.save(mini_frames, event_frames(load_model().frame_spec(), _TEST))
    commands = {
        f"mini t{threads} b{batch}": _ours(
            "onnx", DEFAULT_MODEL, "fp32", threads, batch, 8 * runs, mini_frames, work
        )
        for threads, batch in MINI
    }
    mini = summaries(take_turns(commands, rounds), work, "mini t1 b1")
    banked = work / "banked"
    shutil.copytree(folder, banked, copy_function=os.link)
    for name in ("model.toml", "labels.safetensors"):  # no link: the folder stays as it is
        (banked / name).unlink(missing_ok=True)
    shutil.copy(folder / "model.toml", banked)
    add_bank(banked)
    return {
        "model": load_model(folder).manifest.name,
        "load": {"before": before, "after": os.getloadavg()},
        "clip": clip,
        "mini": mini,
        "overhead": {
            "clip": _overhead(str(banked), "fp32"),
            "clip-int8": _overhead(str(banked), "int8"),
            "mini": _overhead(DEFAULT_MODEL, "fp32"),
        },
    }


def _threads(threads: int) -> list[str]:
    """For torch, and for whoever else asks OpenMP."""
    return ["env", f"OMP_NUM_THREADS={threads}"]


def _ours(
    engine: str,
    folder: Path | str,
    precision: str,
    threads: int,
    batch: int,
    runs: int,
    frames: Path,
    work: Path,
) -> list[str]:
    name = "mini" if folder == DEFAULT_MODEL else f"{engine} {precision}"
    return [
        *_threads(threads), sys.executable, "-m", "benchmarks.engine_ours", engine, str(folder),
        precision, str(threads), str(batch), str(runs), str(frames),
        str(work / f"{name} t{threads} b{batch}.npy"),
    ]  # fmt: skip


def summaries(
    turns: dict[str, list[dict[str, Any]]], work: Path, reference: str
) -> dict[str, dict[str, Any]]:
    """Percentiles over all rounds, and the least cosine to the reference's embeddings."""
    wanted = np.load(work / f"{reference}.npy").astype(np.float64)
    found: dict[str, dict[str, Any]] = {}
    for name, runs in turns.items():
        if "failed" in runs[-1]:
            found[name] = runs[-1]
            continue
        wall = np.concatenate([run["wall_ms"] for run in runs])
        embeddings = np.load(work / f"{name}.npy").astype(np.float64)
        norms = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(wanted, axis=1)
        found[name] = {
            **{f"p{p}_ms": round(float(np.percentile(wall, p)), 3) for p in (50, 90, 99)},
            "min_ms": round(float(wall.min()), 3),
            "cpu_ms": round(statistics.median(min(run["cpu_ms"]) for run in runs), 3),
            "cosine": round(float(((embeddings * wanted).sum(axis=1) / norms).min()), 5),
        }
    return found


def _overhead(folder: str, precision: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engine_ours", "overhead", folder, precision]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {
        name: {f"p{p}": round(float(np.percentile(values, p)), 1) for p in (10, 50, 90)}
        for name, values in json.loads(done.stdout).items()
        if values
    }


_TITLES = {
    "onnx": "ONNX Runtime", "torch": "torch", "openvino": "OpenVINO", "open_clip": "open_clip",
}  # fmt: skip


def readme_table(record: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    clip = record["clip"]
    rows = ["| ViT-B/32, batch 1 | 1 thread, ms (p50 / p90 / p99) | 2 threads | CPU ms | cosine |"]
    rows.append("|---|---|---|---|---|")
    names = dict.fromkeys(name.rpartition(" t")[0] for name in clip)
    for name in names:
        cells = [clip.get(f"{name} t{threads} b1", {}) for threads in (1, 2)]
        some = next((cell for cell in cells if "cosine" in cell), None)
        if some is None:
            continue
        library, _, form = name.replace(" ", "-").partition("-")
        times = [
            f"{c['p50_ms']:.1f} / {c['p90_ms']:.1f} / {c['p99_ms']:.1f}" if "p50_ms" in c else ""
            for c in cells
        ]
        ours = "saccade, " if " " in name else ""
        title = f"{ours}{_TITLES[library]} {form}"
        rows.append(
            f"| {title} | {times[0]} | {times[1]} | {some['cpu_ms']:.1f} | {some['cosine']:.4f} |"
        )
    batches, openvino = (
        [clip[f"{engine} int8 t2 b{n}"]["p50_ms"] / n for n in (1, 2, 4, 8)]
        for engine in ("onnx", "openvino")
    )
    mini = [record["mini"][f"mini t2 b{n}"]["p50_ms"] / n for n in (1, 2, 4, 8)]
    over = {name: found["overhead_us"]["p50"] for name, found in record["overhead"].items()}
    machine = record["machine"]
    rows.append("")
    rows.append(
        f"int8 in batches of 1, 2, 4, 8 on 2 threads: {_list(batches)} ms a frame, by "
        f"OpenVINO {_list(openvino)}; saccade-mini: {_list(mini)} ms. From a frame to its {WORDS} "
        "labels, beside the network's run: "
        f"{over['mini']:.0f} us (saccade-mini), {over['clip-int8']:.0f} us (ViT-B/32 int8), "
        f"{over['clip']:.0f} us (fp32, which falls behind windows of 30 ms). CPU ms are those "
        f"of one thread; the cosine is the least to fp32 over {_TEST} frames, of weights that are "
        f"made with outliers, not trained. {machine['cores']} cores ({machine['cpu']}), ONNX "
        f"Runtime {machine['onnxruntime']}. Made by `python -m benchmarks.engines --rivals PYTHON "
        "--readme`."
    )
    return "\n".join(rows)


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rivals", help="the interpreter of the rivals' environment")
    parser.add_argument("--model", type=Path, help="a folder of a CLIP with fp32 and int8 files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=60, help="of the encoder, in each round")
    parser.add_argument("--readme", action="store_true", help="write the table in README.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = options.model or make_clip(Path(work) / "clip")
        content = measure(
            Path(work), folder.resolve(), options.rivals, options.rounds, options.runs
        )
    path = write_record("engines", content)
    if options.readme:
        write_readme("engines", readme_table(json.loads(path.read_text())))
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
