"""The cache of plans: whole or not at all, one builder at a time, whatever happens to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from saccade.engines.engine import EngineError
from saccade.engines.tensorrt.cache import Key, PlanCache, Stored, stored

KEY = Key(
    onnx="0" * 64,
    precision="fp16",
    shape=(1, 3, 224, 224),
    level=3,
    workspace_mib=2048,
    tensorrt="10.3.0",
    gpu="Orin",
    capability="8.7",
    processors=16,
    driver="540.4, CUDA 12.6",
    system="linux",
    machine="aarch64",
)
#: Another process's builder: says when it holds the lock, and builds until a file appears.
BUILDER = """
import sys, time
from pathlib import Path
from tests.engines.test_tensorrt_cache import KEY, PlanCache, stored

folder, name = Path(sys.argv[1]), sys.argv[2]

def make():
    print("building", flush=True)
    while not (folder / "go").exists():
        time.sleep(0.005)
    return stored("m", KEY, name.encode(), 0.9995, 60.0)

found = PlanCache(folder / "cache").obtain("m", KEY, make, lambda: print("waiting", flush=True))
print(found.plan.decode(), flush=True)
"""


def never() -> Stored:
    raise AssertionError("nothing is to be built")


def obtain(cache: PlanCache, plan: bytes = b"plan", key: Key = KEY) -> Stored:
    return cache.obtain("m", key, lambda: stored("m", key, plan, 0.9995, 60.0), lambda: None)


def builder(folder: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, str(folder), name]
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_every_field_makes_another_plan(tmp_path) -> None:
    cache = PlanCache(tmp_path / "cache")
    obtain(cache)
    digests = {KEY.digest}
    for field in msgspec.structs.fields(Key):
        value = getattr(KEY, field.name)
        other = value + 1 if isinstance(value, int) else (*value[:3], 9)
        other = value + "x" if isinstance(value, str) else other
        changed = msgspec.structs.replace(KEY, **{field.name: other})
        digests.add(changed.digest)
        assert cache.load("m", changed) is None, field.name
    assert len(digests) == 1 + len(msgspec.structs.fields(Key))
    assert cache.load("m", KEY) is not None


def test_a_plan_under_another_ones_name_is_not_it(tmp_path) -> None:
    cache = PlanCache(tmp_path)
    obtain(cache)
    other = msgspec.structs.replace(KEY, gpu="another")
    cache.path("m", KEY).rename(cache.path("m", other))
    assert cache.load("m", other) is None


def test_files_are_the_users_alone_and_named_for_people(tmp_path) -> None:
    cache = PlanCache(tmp_path / "cache")
    cache.save_timing(KEY, b"t")
    plan = obtain(cache, b"p" * 1000)
    path = cache.path("m", KEY)
    assert path.name == f"m-fp16-b1-{KEY.digest}.engine"
    assert {p.stat().st_mode & 0o777 for p in cache.folder.iterdir()} == {0o600}
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert cache.load("m", KEY) == plan
    assert (plan.entry.size, plan.entry.cosine, plan.entry.seconds) == (1000, 0.9995, 60.0)
    assert cache.path("../../x y", KEY).parent == cache.folder


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_program_that_others_could_have_written_is_refused(tmp_path, mode) -> None:
    cache = PlanCache(tmp_path)
    obtain(cache)
    cache.path("m", KEY).chmod(mode)
    with pytest.raises(EngineError, match="others could have written it, .* remove it"):
        cache.load("m", KEY)


def test_every_cut_and_every_flip_is_found(tmp_path) -> None:
    cache = PlanCache(tmp_path)
    wanted = obtain(cache, b"plan" * 20)
    path = cache.path("m", KEY)
    whole = path.read_bytes()
    for cut in (0, 1, 20, 300, 1 << 16, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert cache.load("m", KEY) is None
        assert cache.entries() == [(path, None)]
    head = whole.rstrip(b"\n").find(b"\n\n")
    for at in [*range(0, head, 7), *range(1 << 16, len(whole), 3)]:
        damaged = bytearray(whole)
        damaged[at] ^= 4
        path.write_bytes(damaged)
        found = cache.load("m", KEY)
        assert found is None or found.plan == wanted.plan  # a flip in what only people read
    path.write_bytes(whole + b"x")
    assert cache.load("m", KEY) is None
    assert obtain(cache, b"again").plan == b"again"


def test_the_second_of_two_builders_waits_and_takes_the_firsts_result(tmp_path) -> None:
    with builder(tmp_path, "first") as first:
        assert said(first) == "building"
        with builder(tmp_path, "second") as second:
            assert said(second) == "waiting"
            (tmp_path / "go").touch()
            assert said(first) == "first"
            assert [*second.stdout][-1] == "first\n"
    assert first.returncode == second.returncode == 0
    assert len(PlanCache(tmp_path / "cache").entries()) == 1


def test_waiting_can_be_ended(tmp_path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with builder(tmp_path, "first") as first:
        assert said(first) == "building"
        with pytest.raises(KeyboardInterrupt):
            PlanCache(tmp_path / "cache").obtain("m", KEY, never, interrupt)
        (tmp_path / "go").touch()


def test_a_builder_that_is_killed_blocks_nobody(tmp_path) -> None:
    with builder(tmp_path, "first") as first:
        assert said(first) == "building"
        first.send_signal(signal.SIGKILL)
    assert obtain(PlanCache(tmp_path / "cache"), b"mine").plan == b"mine"


def test_a_full_disk_is_one_error_and_leaves_no_half_file(tmp_path) -> None:
    """In a process of its own, in which no file grows beyond 100 kB."""
    code = """
import resource, signal, sys
from tests.engines.test_tensorrt_cache import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    obtain(PlanCache(Path(sys.argv[1])), b"p" * 1_000_000)
except EngineError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert "cannot be written (1 MiB): File too large; free some room" in done.stdout
    assert done.stdout.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["build.lock"]


def test_a_build_that_fails_leaves_nothing_and_lets_the_lock_go(tmp_path) -> None:
    cache = PlanCache(tmp_path)

    def fail() -> Stored:
        raise EngineError("no")

    for _ in range(2):
        with pytest.raises(EngineError, match="no"):
            cache.obtain("m", KEY, fail, lambda: pytest.fail("nobody else builds"))
    assert [p.name for p in tmp_path.iterdir()] == ["build.lock"]


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match=r"cannot be read: Not a directory; .* SACCADE_HOME"):
        obtain(PlanCache(tmp_path / "file" / "cache"))


def test_what_is_listed_and_removed(tmp_path) -> None:
    cache = PlanCache(tmp_path / "cache")
    assert cache.entries() == []
    assert cache.clean(lambda entry: False) == (0, 0)
    keys = [KEY, msgspec.structs.replace(KEY, gpu="another"), msgspec.structs.replace(KEY, level=1)]
    for key in keys:
        obtain(cache, key=key)
    cache.save_timing(KEY, b"t")
    cache.path("m", keys[2]).write_bytes(b"damaged")
    (cache.folder / ".m.engine.abc.part").write_bytes(b"left")
    entries = dict(cache.entries())
    assert entries[cache.path("m", KEY)].key == KEY
    assert entries[cache.path("m", keys[2])] is None
    gone, size = cache.clean(lambda entry: entry.key.gpu == "Orin")
    assert gone == 3
    assert size > 65536
    assert dict(cache.entries()).keys() == {cache.path("m", KEY)}
    assert cache.timing(KEY) == b"t"
    assert cache.clean(lambda entry: False)[0] == 2
    assert os.listdir(cache.folder) == ["build.lock"]  # noqa: PTH208


def test_nothing_is_built_where_the_plan_is_there(tmp_path) -> None:
    cache = PlanCache(tmp_path)
    plan = obtain(cache)
    assert cache.obtain("m", KEY, never, lambda: None) == plan
    cache.drop("m", KEY)
    cache.drop("m", KEY)
    assert cache.load("m", KEY) is None
