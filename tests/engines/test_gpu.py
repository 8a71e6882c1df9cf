"""What a driver is asked, with one that is compiled here and loaded in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
#include <stdlib.h>
#include <string.h>
static int from(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}
int cuInit(unsigned flags) { return from("FAKE_INIT", 0); }
int cuDeviceGetCount(int *count) { *count = from("FAKE_COUNT", 1); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 40 + ordinal; return ordinal >= 1 ? 101 : 0; }
int cuDeviceGetName(char *name, int length, int device) {
  strncpy(name, device == 40 ? "Orin" : "?", length);
  return 0;
}
int cuDriverGetVersion(int *version) { *version = 12060; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  *value = attribute == 75 ? 8 : attribute == 76 ? 7 : attribute == 16 ? 16 : -1;
  return from("FAKE_ATTRIBUTE", 0);
}
"""
LOOK = """
import sys
from pathlib import Path
from saccade.engines import gpu
gpu._DRIVER_FILE = Path(sys.argv[1])
try:
    print(gpu.find_gpu(int(sys.argv[2])))
except gpu.EngineError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a libcuda.so.1."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler (cc) to make a driver with")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(DRIVER)
    command = [compiler, "-shared", "-fPIC", "driver.c", "-o", "libcuda.so.1"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(
    ("environment", "ordinal", "wanted"),
    [
        (
            {},
            0,
            "Gpu(name='Orin', capability='8.7', processors=16, driver='540.4.0, CUDA 12.6')",
        ),
        ({}, 3, "GPU 3: not there; see what nvidia-smi says"),
        ({"FAKE_COUNT": "0"}, 0, "the NVIDIA driver sees no GPU; see what nvidia-smi says"),
        ({"FAKE_INIT": "803"}, 0, "the NVIDIA driver refuses to start (CUresult 803); see what"),
        ({"FAKE_ATTRIBUTE": "1"}, 0, "GPU 0: the NVIDIA driver does not say what it is"),
    ],
)
def test_a_gpu_is_what_its_driver_says(driver, environment, ordinal, wanted) -> None:
    kernel = driver / "version"
    kernel.write_text("NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(kernel), str(ordinal)],
        env=os.environ | {"LD_LIBRARY_PATH": str(driver)} | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(wanted)
