"""The real bindings of TensorRT 10.3 and 11.4: is all that we use there, as we use it?

They import without a GPU and without TensorRT, beside stub libraries that this test compiles. No
object of TensorRT is made: without a driver they crash. The wheels (1.2 MB each) lie in
`build/tensorrt/VERSION`, where `.ci/run` puts them:

    pip install --no-deps --target build/tensorrt/10.3.0 tensorrt-cu12-bindings==10.3.0
    pip install --no-deps --target build/tensorrt/11.4.0.106 tensorrt-cu13-bindings==11.4.0.106
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.engines import tensorrt_api

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {"10.3.0": "10", "11.4.0.106": "11"}
#: What the bindings' library needs of TensorRT's own to be loaded.
STUBS = """
void *createInferBuilder_INTERNAL(void) { return 0; }
void *createInferRefitter_INTERNAL(void) { return 0; }
void *createInferRuntime_INTERNAL(void) { return 0; }
void *createNvOnnxParser_INTERNAL(void) { return 0; }
void *createNvOnnxParserRefitter_INTERNAL(void) { return 0; }
void *getBuilderPluginRegistry(void) { return 0; }
void *getPluginRegistry(void) { return 0; }
int getNvOnnxParserVersion(void) { return 0; }
int initLibNvInferPlugins(void) { return 0; }
"""
#: Run beside the bindings: what of the API is there, as JSON; and our own two classes on top.
LOOK = """
import json, sys
import tensorrt_bindings as trt
from tests.engines import tensorrt_api as api
from saccade.engines.tensorrt.platform import make_log, make_monitor, version_fault

def find(path):
    value = trt
    for name in path.split("."):
        value = getattr(value, name, None)
    return value

found = {"version": trt.__version__, "fault": version_fault(trt.__version__)}
for name, methods in api.METHODS.items():
    for method in methods:
        documented = getattr(find(f"{name}.{method}"), "__doc__", None)
        found[f"{name}.{method}"] = documented
for name, properties in api.PROPERTIES.items():
    for key in properties:
        value = find(f"{name}.{key}")
        settable = isinstance(value, property) and value.fset is not None
        found[f"{name}.{key}"] = [isinstance(value, property), settable]
for name, members in api.MEMBERS.items():
    for member in members:
        value = getattr(find(name), "__members__", {}).get(member)
        found[f"{name}.{member}"] = None if value is None else int(value)
for name in api.BUFFERS:
    found[name] = find(name).__doc__

log = make_log(trt)
log.log(trt.ILogger.Severity.WARNING, "never mind")
log.log(trt.ILogger.Severity.ERROR, "no tactic\\nfits")
told = []
monitor = make_monitor(trt, told.append)
monitor.phase_start("Building", None, 4)
goes_on = monitor.step_complete("Building", 0)
monitor.phase_start("Timing", "Building", 2)
goes_on &= monitor.step_complete("Timing", 0)
monitor.phase_finish("Timing")
goes_on &= monitor.step_complete("Building", 3)
monitor.phase_finish("Building")
found["ours"] = [log.last_error, told, goes_on]
found["interfaces"] = [isinstance(log, trt.ILogger), isinstance(monitor, trt.IProgressMonitor)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of empty libraries under the names of TensorRT's."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make stub libraries with")
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "stub.c").write_text(STUBS)
    for major in VERSIONS.values():
        for library in ("nvinfer", "nvonnxparser", "nvinfer_plugin"):
            name = f"lib{library}.so.{major}"
            command = [compiler, "-shared", "-fPIC", "stub.c", "-o", name, f"-Wl,-soname,{name}"]
            subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module", params=VERSIONS)
def api(request: pytest.FixtureRequest, stubs: Path) -> dict[str, Any]:
    """What a version's bindings have."""
    folder = ROOT / "build" / "tensorrt" / request.param
    if not (folder / "tensorrt_bindings").is_dir():
        pytest.skip(f"no bindings in {folder}; `.ci/run` installs them, for Pythons they are for")
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(stubs),
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
    }
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["version"] == request.param
    assert found["fault"] is None
    return found


def accepts(documented: str | None, name: str, given: tuple[str, ...]) -> bool:
    """Whether one of the documented signatures takes these arguments, by position, and no more."""
    for line in (documented or "").splitlines():
        match = re.match(rf"(?:\d+\. )?{re.escape(name)}\((.*)\)(?: -> .*)?$", line.strip())
        if match is None:
            continue
        # Neither types nor defaults here have commas of their own at this depth but in brackets.
        depth, parts = 0, [""]
        for c in match[1]:
            depth += (c in "[(<") - (c in "])>")
            if c == "," and depth == 0:
                parts.append("")
            else:
                parts[-1] += c
        parameters = [part.strip() for part in parts[1:]]  # without self
        names = tuple(part.partition(":")[0].strip() for part in parameters)
        rest = parameters[len(given) :]
        if names[: len(given)] == given and all("=" in part for part in rest):
            return True
    return False


def test_every_method_takes_the_arguments_that_we_give(api) -> None:
    for name, methods in tensorrt_api.METHODS.items():
        for method, given in methods.items():
            documented = api[f"{name}.{method}"]
            assert accepts(documented, method, given), f"{name}.{method}{given}: {documented}"


def test_every_property_is_there_and_can_be_set_where_we_set_it(api) -> None:
    for name, properties in tensorrt_api.PROPERTIES.items():
        for key, is_set in properties.items():
            exists, settable = api[f"{name}.{key}"]
            assert exists, f"{name}.{key}"
            assert settable or not is_set, f"{name}.{key}"


def test_every_member_of_an_enumeration_is_there(api) -> None:
    missing = [
        f"{name}.{member}"
        for name, members in tensorrt_api.MEMBERS.items()
        for member in members
        if api[f"{name}.{member}"] is None
    ]
    assert missing == []
    # The flag is a bit's number: `1 <<` it.
    assert api["NetworkDefinitionCreationFlag.STRONGLY_TYPED"] in (0, 1)


def test_memory_of_the_host_is_a_buffer(api) -> None:
    for name in tensorrt_api.BUFFERS:
        assert "buffer protocol" in api[name]


def test_our_logger_and_monitor_are_tensorrts(api) -> None:
    assert api["interfaces"] == [True, True]
    assert api["ours"] == ["no tactic fits", [0.25, 0.375, 1.0], True]


def test_what_is_not_there_is_found_out() -> None:
    both = "f(*args, **kwargs)\n\n1. f(self: C, a: Dict[int, int], b: int = 0) -> None"
    assert accepts(both, "f", ("a",))
    assert accepts(both, "f", ("a", "b"))
    assert not accepts(both, "f", ())
    assert not accepts(both, "f", ("b",))
    assert not accepts(both, "f", ("a", "b", "c"))
    assert not accepts(None, "f", ())
