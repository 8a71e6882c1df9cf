"""What `benchmarks.gpu_engines` runs in the package that it built: encoders, engines, figures.

Latencies are the host's, of one call: frames in pinned memory, a copy to the device, the network,
labels of 80 words, a copy back, and the wait for it. 200 ms of warm-up, then 3 s, closed loop.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_frames import BUILD
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.errors import SaccadeError
from saccade.engines.engine import Engine
from saccade.engines.labels import LabelBank, LabelScorer
from saccade.engines.manifest import FrameInfo
from saccade.engines.models import Model, load_model
from saccade.engines.onnx import OnnxEngine
from saccade.engines.tensorrt.build import Settings
from saccade.engines.tensorrt.open import Plans
from saccade.engines.tensorrt.platform import open_platform
from saccade.engines.tensorrt.runtime import TensorRtEngine, batch_sizes
from saccade.engines.verify import agreement, embed, event_frames

WARM_S, TIMED_S = 0.2, 3.0
WORDS, TOP = 80, 5
#: Patch, width, layers, dimension of the embedding.
TOWERS = {"b32": (32, 768, 12, 512), "l14": (14, 1024, 24, 768)}
#: Least time of batch 1 in fp16, us: weights read once, or the tensor cores' peak where it is more.
FLOORS = {
    "H200": {"b32": 41, "l14": 205},
    "AGX Orin": {"b32": 858, "l14": 3812},
    "Orin Nano": {"b32": 1716, "l14": 9587},
    "Thor": {"b32": 644, "l14": 2227},
}
Figure = dict[str, Any]


def make_model(name: str) -> Model:
    """A CLIP of the real shapes with random weights, but for its text tower, which nothing runs."""
    import torch

    from saccade.engines.clip.checkpoints import Weights
    from saccade.engines.clip.config import Architecture, Transformer
    from saccade.engines.clip.convert import convert

    folder = BUILD / "engines" / name
    if (folder / "model.toml").is_file():
        return load_model(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    patch, width, layers, dimension = TOWERS[name]
    vision = Transformer(width, layers, width // 64, 4 * width)
    text = Transformer(64, 1, 1, 256)
    arch = Architecture(224, patch, vision, 77, 512, text, dimension, "quick_gelu")
    source = torch.Generator().manual_seed(0)

    def tensor(key: str, shape: tuple[int, ...]) -> Any:
        if key.endswith(".weight") and len(shape) == 1:
            return torch.ones(shape)
        return torch.randn(shape, generator=source) * 0.02

    event = {key: tensor(key, shape) for key, shape in arch.vision_shapes().items()}
    words = {key: tensor(key, shape) for key, shape in arch.text_shapes().items()}
    convert(
        Weights(event, None, words, arch, 100.0),
        folder,
        name=name,
        source="random weights",
        revision="",
        licence="none",
        frame=FrameInfo("paper", "sensor"),
        precisions=("fp16",),
    )
    return load_model(folder)


def latency(work: Callable[[], object]) -> Figure:
    """Of many calls, us."""
    end = time.perf_counter() + WARM_S
    while time.perf_counter() < end:
        work()
    times: list[float] = []
    end = time.perf_counter() + TIMED_S
    while time.perf_counter() < end or len(times) < 300:
        begun = time.perf_counter_ns()
        work()
        times.append((time.perf_counter_ns() - begun) / 1000)
    found = np.percentile(times, [0, 50, 90, 95, 99, 100]).round(1).tolist()
    names = ("min_us", "p50_us", "p90_us", "p95_us", "p99_us", "max_us")
    figure: Figure = dict(zip(names, found, strict=True))
    ratio = round(figure["p99_us"] / figure["p50_us"], 3)
    return figure | {"calls": len(times), "p99_over_p50": ratio}


def engine_figure(engine: Engine, n: int, frames: np.ndarray, wanted: np.ndarray) -> Figure:
    """An engine's agreement with the reference, and its latency at batch `n`."""
    agreed = agreement(embed(engine, frames), wanted)
    engine.input[:n] = frames[:n, None]
    cosine = {"cosine_worst": round(agreed.worst, 6), "cosine_mean": round(agreed.mean, 6)}
    return cosine | latency(lambda: engine.run(n))


def random_bank(dimension: int) -> LabelBank:
    """Words of no meaning."""
    rows = np.random.default_rng(1).normal(size=(WORDS, dimension))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return LabelBank(tuple(f"word {i}" for i in range(WORDS)), rows, "none")


def label_parity(engine: TensorRtEngine, bank: LabelBank, frames: np.ndarray) -> Figure:
    """The device's labels beside the host's, of the same embeddings."""
    scorer, same, worst = LabelScorer(bank, 100.0, TOP), 0, 0.0
    for frame in frames:
        engine.input[0] = frame
        engine.run(1)
        names, scores = scorer(engine.output[0])
        rows, given = engine.best
        same += tuple(bank.names[i] for i in rows[0]) == names
        worst = max(worst, float(np.abs(given[0] - scores).max()))
    return {"frames": len(frames), "same_labels": same, "largest_difference": worst}


def from_events(engine: TensorRtEngine, model: Model) -> Figure:
    """Latency from 100,000 events on the host to labels: no frame is ever there."""
    from benchmarks.gpu_parity import random_packet

    maker = CudaFrameMaker(640, 480, model.frame_spec())
    packet = random_packet(100_000, 640, 480, np.random.default_rng(2))
    half = engine.input_dtype == np.float16

    def work() -> None:
        maker.add([packet])
        maker.finish_into(engine.input_address, channels=3, half=half)
        engine.run_on_device(1, maker.stream)

    return latency(work)


def tensorrt_figures(
    model: Model, batches: list[int], level: int, frames: np.ndarray, wanted: np.ndarray
) -> Figure:
    """TensorRT at each batch; what it refuses is a figure too."""
    found: Figure = {}
    bank = random_bank(model.manifest.embedding.dimension)
    try:
        platform = open_platform()
    except SaccadeError as error:
        return {"refused": str(error)}
    plans = Plans(platform, model, "fp16", Settings(level))
    for n in batches:
        try:
            stored = plans.obtain(batch_sizes(n)[-1])
            engine = TensorRtEngine(platform, model, {batch_sizes(n)[-1]: stored.plan})
        except SaccadeError as error:
            found[f"batch {n}"] = {"refused": str(error)}
            continue
        engine.set_bank(bank.embeddings, 100.0, TOP)
        figure = engine_figure(engine, n, frames, wanted)
        figure |= {"build_s": stored.entry.seconds, "plan_mb": round(stored.entry.size / 1e6, 1)}
        if n == 1:
            figure["labels"] = label_parity(engine, bank, frames)
            figure["from 100,000 events"] = from_events(engine, model)
        found[f"batch {n}"] = figure
        engine.close()
    return found | {"version": str(platform.trt.__version__)}


def torch_figures(
    model: Model, batches: list[int], frames: np.ndarray, wanted: np.ndarray
) -> Figure:
    """Our torch engine, layer by layer and as a CUDA graph, and torch.compile of the same tower."""
    import torch

    engines: Any = importlib.import_module("saccade.engines.torch")
    found: Figure = {"version": torch.__version__}
    for n in batches:
        for name, graph in (("eager", False), ("graph", True)):
            engine = engines.TorchEngine(model, n, precision="fp16", cuda_graph=graph)
            found[f"{name}, batch {n}"] = engine_figure(engine, n, frames, wanted)
            engine.close()
        load: Any = importlib.import_module("saccade.engines.clip.load")
        tower = load.event_tower(model).cuda().half()
        for module in tower.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.float()
        size = model.manifest.input.size
        on_device = torch.rand(n, 3, size, size, device="cuda", dtype=torch.float16)
        try:
            compiled = torch.compile(tower, mode="max-autotune")

            def work(compiled: Any = compiled, on_device: Any = on_device) -> None:
                with torch.inference_mode():
                    compiled(on_device).cpu()

            found[f"compile, batch {n}"] = latency(work)
        except Exception as error:  # it needs a compiler, and has errors of every kind
            found[f"compile, batch {n}"] = {"refused": str(error).splitlines()[0][:300]}
    return found


def reference(model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Frames and the reference engine's embeddings."""
    frames = event_frames(model.frame_spec())
    engine = OnnxEngine(model)
    wanted = embed(engine, frames)
    engine.close()
    return frames, wanted


def main() -> None:
    """The command: BEGIN.json RECORD.json MODELS BATCHES LEVEL."""
    begin, record, models, batches, level = sys.argv[1:]
    os.environ["SACCADE_HOME"] = str(BUILD / "engines" / "home")
    content: dict[str, Any] = json.loads(Path(begin).read_text())
    sizes = [int(n) for n in batches.split(",")]
    gpu = str(content["machine"]["gpu"])
    floors = next((f for name, f in FLOORS.items() if name in gpu), {})

    def keep(name: str, key: str, value: Any) -> None:
        content.setdefault("figures", {}).setdefault(name, {})[key] = value
        Path(record).write_text(json.dumps(content, indent=1) + "\n")
        print(name, key, json.dumps(value), flush=True)

    for name in models.split(","):
        model = make_model(name)
        frames, wanted = reference(model)
        keep(name, "floor_us", floors.get(name))
        keep(name, "tensorrt", tensorrt_figures(model, sizes, int(level), frames, wanted))
        keep(name, "torch", torch_figures(model, sizes, frames, wanted))


if __name__ == "__main__":
    main()
