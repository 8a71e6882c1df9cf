"""A CLIP's event tower in other libraries, timed: run by engines.py in the rivals' environment.

    python engine_rivals.py prepare FOLDER FRAMES WORK
    python engine_rivals.py RIVAL FOLDER THREADS BATCH RUNS FRAMES OUT WORK

`prepare` makes OpenVINO's int8 model by NNCF, calibrated on the frames. The others print one JSON
object: wall and CPU milliseconds of each run; embeddings of all frames go to OUT. It imports
nothing of saccade. FOLDER is a model folder: OpenVINO reads its model.onnx, open_clip its weights.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CALIBRATION = 20  # frames, every second one; the cosine is over all of them


def to_input(frames, channels: int, batch: int):
    return np.repeat(frames[:batch, None], channels, axis=1)  # OpenVINO wants to own it


def prepare(folder: Path, frames, work: Path) -> None:
    import nncf
    import openvino

    model = openvino.Core().read_model(folder / "model.onnx")
    channels = model.inputs[0].get_partial_shape()[1].get_length()
    model.reshape([1, channels, 224, 224])
    some = [to_input(frames[i : i + 1], channels, 1) for i in range(0, 2 * CALIBRATION, 2)]
    quantised = nncf.quantize(
        model,
        nncf.Dataset(some),
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    openvino.save_model(quantised, work / "openvino.int8.xml", compress_to_fp16=False)


def openvino_run(rival: str, folder: Path, threads: int, batch: int, work: Path) -> Callable:
    import openvino

    core = openvino.Core()
    precision = rival.removeprefix("openvino-")
    path = work / "openvino.int8.xml" if precision == "int8" else folder / "model.onnx"
    model = core.read_model(path)
    channels = model.inputs[0].get_partial_shape()[1].get_length()

    def compiled(n: int):
        model.reshape([n, channels, 224, 224])
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        return core.compile_model(model, "CPU", settings).create_infer_request()

    requests = {n: compiled(n) for n in {1, batch}}

    def run(frames):
        data = to_input(frames, channels, len(frames))
        request = requests[len(frames)]
        request.set_input_tensor(openvino.Tensor(data, shared_memory=True))

        def go():
            request.infer()
            return request.get_output_tensor().data

        return go

    return run


def torch_run(rival: str, folder: Path, threads: int, batch: int, work: Path) -> Callable:
    import open_clip
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(threads)
    model = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).eval()
    weights = load_file(folder / "weights.safetensors")
    model.visual.load_state_dict(
        {n.removeprefix("visual."): t for n, t in weights.items() if n.startswith("visual.")}
    )
    visual = model.visual
    if rival == "open_clip-compile":
        visual = torch.compile(visual)
    if rival == "open_clip-bf16":
        visual = visual.to(torch.bfloat16)
    kind = torch.bfloat16 if rival == "open_clip-bf16" else torch.float32

    def run(frames):
        data = torch.from_numpy(to_input(frames, 3, len(frames))).to(kind)

        def go():
            with torch.inference_mode():
                found = visual(data).float()
                return torch.nn.functional.normalize(found, dim=-1).numpy()

        return go

    return run


def timed(run: Callable, runs: int) -> dict:
    for _ in range(10):
        run()
    wall, cpu = [], []
    for _ in range(runs):
        begun = time.process_time(), time.perf_counter()
        run()
        wall.append((time.perf_counter() - begun[1]) * 1e3)
        cpu.append((time.process_time() - begun[0]) * 1e3)
    return {"wall_ms": wall, "cpu_ms": cpu}


def main() -> None:
    rival, folder = sys.argv[1], Path(sys.argv[2])
    if rival == "prepare":
        prepare(folder, np.load(sys.argv[3]), Path(sys.argv[4]))
        print("{}")
        return
    threads, batch, runs = map(int, sys.argv[3:6])
    frames, out, work = np.load(sys.argv[6]), sys.argv[7], Path(sys.argv[8])
    make = openvino_run if rival.startswith("openvino") else torch_run
    run = make(rival, folder, threads, batch, work)
    np.save(out, np.concatenate([np.array(run(frames[i : i + 1])()) for i in range(len(frames))]))
    print(json.dumps(timed(run(np.repeat(frames[:1], batch, 0)), runs)))


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
