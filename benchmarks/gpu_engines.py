"""Engines on a GPU in one call: builds for it, compares, times ViT-B/32 and L/14, records.

    python -m benchmarks.gpu_engines [--batches 1,4] [--level 3] [--models b32,l14]

writes `benchmarks/records/gpu_engines.json`, after each engine again, so that what was measured is
there even where the rest is cut off. Exits with 2 where there is no GPU or something to build with
is missing. Needs what `benchmarks.gpu_frames` needs, and torch, which makes the encoders (of random
weights: they are as fast); TensorRT, if it is installed. The package that it builds lies in
build/gpu, the encoders and plans in build/gpu/engines.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys

from benchmarks.gpu_frames import BUILD, PYTHON, RECORD, build, fetch_missing, machine, run, stop

OURS = RECORD.with_name("gpu_engines.json")
NEEDED = ("nanobind", "numpy", "msgspec", "onnx", "onnxruntime", "onnxscript", "safetensors")
LIMIT_S = 1500


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", default="1,4", help="frames at a time")
    parser.add_argument("--level", type=int, default=3, help="how long TensorRT searches")
    parser.add_argument("--models", default="b32,l14")
    options = parser.parse_args()
    try:
        ctypes.CDLL("libcuda.so.1")
        fetch_missing(NEEDED)
        from benchmarks.gpu_driver import Driver

        facts = Driver().facts()
    except OSError as error:
        stop(f"no usable GPU here ({error}); nothing was built or measured")
    built_s = build(f"{facts['major']}{facts['minor']}-real", ("camera", "engines"))
    print(f"built in {built_s} s", flush=True)
    content = {"machine": machine(facts), "build_s": built_s}
    begin = BUILD / "engines.json"
    begin.write_text(json.dumps(content))
    timing = ["benchmarks.gpu_engine_timing", str(begin), str(OURS), options.models]
    output = run([*PYTHON, *timing, options.batches, str(options.level)], "timing", LIMIT_S)
    print(output)
    print(OURS, file=sys.stderr)


if __name__ == "__main__":
    main()
