"""Frames and other arrays of a GPU in one call: builds, checks parity, looks for races, times.

    python -m benchmarks.gpu_frames [--build-only]

writes `benchmarks/records/gpu_frames.json`, in under 8 minutes. Exits with 2 where there is no GPU
or something to build with is missing. Needs nvcc, CMake, a C++17 compiler, and a Python with its
headers; numpy and nanobind are fetched where they are not there (to `build/gpu/deps`, which may be
filled before: `pip install --target build/gpu/deps nanobind numpy`). Nothing else is changed: the
package that it builds lies in build/gpu.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "gpu"
PACKAGE, DEPS = BUILD / "package", BUILD / "deps"
RECORD = ROOT / "benchmarks" / "records" / "gpu_frames.json"
PYTHON = [sys.executable, "-S", "-m"]
BUDGET_S = 450  # for all of it
SANITIZER_S = 80  # for each of its tools


def stop(why: str) -> None:
    """Ends with one line and exit code 2."""
    print(f"{Path(sys.argv[0]).stem}: {why}", file=sys.stderr)
    raise SystemExit(2)


def environment() -> dict[str, str]:
    """Ours, with the package that was built before any other: for PYTHON, which reads no .pth file.

    One of an editable install would put the checkout's own package first.
    """
    paths = [str(PACKAGE), str(ROOT), str(DEPS), *filter(None, sys.path)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def run(command: list[str], what: str, timeout: float) -> str:
    """The output of a command that has to succeed."""
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or ""
        tail = output if isinstance(output, str) else output.decode(errors="replace")
        print(tail[-4000:])
        raise SystemExit(f"gpu_frames: {what} took over {timeout:.0f} s") from None
    if done.returncode:
        print(done.stdout[-6000:])
        raise SystemExit(f"gpu_frames: {what} failed ({done.returncode}), see above")
    return done.stdout


def fetch_missing(names: Sequence[str] = ("nanobind", "numpy")) -> None:
    """Installs what Python lacks to build and to run, in a folder of our own."""
    if str(DEPS) not in sys.path:
        sys.path.insert(0, str(DEPS))
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(DEPS)]
        run([*pip, *missing], f"installing {' and '.join(missing)}", 180)


def nvcc() -> str:
    """The CUDA compiler."""
    for name in (os.environ.get("CUDACXX"), "nvcc", "/usr/local/cuda/bin/nvcc"):
        found = shutil.which(name) if name else None
        if found:
            return found
    stop("no nvcc; install the CUDA toolkit, or set CUDACXX to it")
    raise AssertionError


def build(architecture: str, folders: Sequence[str] = ("camera",)) -> float:
    """Builds the extension for one GPU, beside copies of the Python files; seconds."""
    begun = time.perf_counter()
    cmake = shutil.which("cmake") or stop("no cmake; install CMake 3.18 or later")
    fetch_missing()
    nanobind = run([*PYTHON, "nanobind", "--cmake_dir"], "finding nanobind", 20).strip()
    shutil.rmtree(PACKAGE, ignore_errors=True)
    for folder in ("", *folders):
        shutil.copytree(
            ROOT / "src" / "saccade" / folder,
            PACKAGE / "saccade" / folder,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "native", "samples", "*.so")
            if folder
            else lambda _, names: [n for n in names if not n.startswith("__init__")],
        )
    options = [
        "-DSKBUILD=2",
        "-DSACCADE_CUDA=ON",
        f"-DCMAKE_CUDA_COMPILER={nvcc()}",
        f"-DCMAKE_CUDA_ARCHITECTURES={architecture}",
        f"-DPython_EXECUTABLE={sys.executable}",
        f"-Dnanobind_DIR={nanobind}",
    ]
    run([str(cmake), "-S", ".", "-B", str(BUILD / "cmake"), *options], "configuring", 60)
    jobs = str(os.cpu_count() or 2)
    run([str(cmake), "--build", str(BUILD / "cmake"), "-j", jobs], "building", 300)
    for module in (BUILD / "cmake" / "camera" / "native").glob("_native*.so"):
        shutil.copy(module, PACKAGE / "saccade" / "camera")
    return round(time.perf_counter() - begun, 1)


def sanitize(deadline: float) -> dict[str, str]:
    """What compute-sanitizer's tools say to the small checks."""
    found: dict[str, str] = {}
    tool = shutil.which("compute-sanitizer") or shutil.which(
        "compute-sanitizer", path=str(Path(nvcc()).parent)
    )
    if tool is None:
        return {"compute-sanitizer": "not found"}
    for name in ("memcheck", "racecheck"):
        limit = min(SANITIZER_S, deadline - time.perf_counter())
        checks = [*PYTHON, "benchmarks.gpu_parity", "--small"]
        command = [tool, "--tool", name, "--error-exitcode", "9", *checks]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=max(limit, 1),
                check=False,
            )
        except subprocess.TimeoutExpired:
            found[name] = f"not finished in {limit:.0f} s"
            continue
        lines = [line for line in done.stdout.splitlines() if "=====" in line]
        found[name] = "clean" if done.returncode == 0 else f"exit {done.returncode}"
        if done.returncode:
            print("\n".join(lines[:60]), done.stderr[-2000:], sep="\n")
    return found


def machine(facts: dict[str, Any]) -> dict[str, Any]:
    """The GPU, the host and the revision that the figures belong to."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        revision = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        revision = ""
    version = run([nvcc(), "--version"], "asking nvcc", 20).strip().splitlines()[-1]
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return facts | {
        "nvcc": version,
        "cpu": cpu or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "revision": revision,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build-only", action="store_true", help="build for 90-real and stop")
    options = parser.parse_args()
    begun = time.perf_counter()
    if options.build_only:
        print(f"built in {build('90-real')} s: {PACKAGE}")
        return
    try:
        ctypes.CDLL("libcuda.so.1")
        fetch_missing()
        from benchmarks.gpu_driver import Driver

        facts = Driver().facts()
    except OSError as error:
        stop(f"no usable GPU here ({error}); nothing was built or measured")
    built_s = build(f"{facts['major']}{facts['minor']}-real")
    deadline = begun + BUDGET_S

    def left() -> float:
        return max(deadline - time.perf_counter(), 1)

    print(f"built in {built_s} s", flush=True)
    parity = run([*PYTHON, "benchmarks.gpu_parity"], "parity", left()).strip().splitlines()[-1]
    print(parity, flush=True)
    timing = run([*PYTHON, "benchmarks.gpu_timing"], "timing", left()).strip().splitlines()[-1]
    content = {"machine": machine(facts), "build_s": built_s, "parity": parity}
    content |= {"sanitizer": "not run", "figures": json.loads(timing)}
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps(content, indent=1) + "\n")  # even if what follows is cut off
    content["sanitizer"] = sanitize(deadline)
    content["seconds"] = round(time.perf_counter() - begun)
    RECORD.write_text(json.dumps(content, indent=1) + "\n")
    print(json.dumps(content["sanitizer"]), RECORD.relative_to(ROOT))


if __name__ == "__main__":
    main()
