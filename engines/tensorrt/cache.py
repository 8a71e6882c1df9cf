"""The cache of plans: one file each, under a name made of everything that a plan depends on.

A plan is a program that runs as the user: files are written for nobody else (mode 0600), under a
temporary name first, and one that others could have written is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from saccade.camera.errors import printable
from saccade.engines.engine import EngineError

_MAGIC = b"saccade engine 1\n"
_HEADER_ROOM = 1 << 16
_SUFFIX = ".engine"
_POLL_S = 0.1


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a plan depends on: another value of any of them is another plan.

    Attributes:
        onnx: sha256 of the file that it is built from.
        precision, shape: of that file, and [N, channels, size, size].
        level, workspace_mib: the builder's settings.
        tensorrt: its version.
        gpu, capability, processors, driver: see `Gpu`.
        system, machine: such as Linux and x86_64.
    """

    onnx: str
    precision: str
    shape: tuple[int, int, int, int]
    level: int
    workspace_mib: int
    tensorrt: str
    gpu: str
    capability: str
    processors: int
    driver: str
    system: str
    machine: str

    @property
    def digest(self) -> str:
        """24 hexadecimal digits."""
        text = msgspec.json.encode(self, order="deterministic")
        return hashlib.sha256(text).hexdigest()[:24]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan's file says of it, in front of it.

    Attributes:
        model: the model's name.
        key: what it depends on.
        sha256, size: of the plan.
        cosine: the worst of 64 frames' embeddings beside the reference engine's.
        built: when, seconds since 1970.
        seconds: how long the build took.
    """

    model: str
    key: Key
    sha256: str
    size: int
    cosine: float
    built: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A plan and what its file says of it."""

    entry: Entry
    plan: bytes


class PlanCache:
    """Plans in a folder, which is made where it is missing."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing yet."""
        self.folder = folder

    def path(self, model: str, key: Key) -> Path:
        """Where the plan of a key is: the name tells a person what it is."""
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in model)[:64]
        return self.folder / f"{name}-{key.precision}-b{key.shape[0]}-{key.digest}{_SUFFIX}"

    def load(self, model: str, key: Key) -> Stored | None:
        """The plan of a key; None where there is none, or what there is is damaged.

        Raises:
            EngineError: others could have written the file, or it cannot be read.
        """
        path = self.path(model, key)
        try:
            with path.open("rb") as file:
                _check_owner(path, os.fstat(file.fileno()))
                entry = _read_entry(file.read(_HEADER_ROOM))
                if entry is None or entry.key != key:
                    return None
                file.seek(_HEADER_ROOM)
                plan = file.read(entry.size + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, "cannot be read", error) from None
        if len(plan) != entry.size or hashlib.sha256(plan).hexdigest() != entry.sha256:
            return None
        return Stored(entry, plan)

    def obtain(
        self, model: str, key: Key, make: Callable[[], Stored], waiting: Callable[[], None]
    ) -> Stored:
        """The plan of a key, made where there is none. One process makes plans at a time.

        Args:
            model, key: whose.
            make: builds it.
            waiting: called again and again while another process builds, whose result may be the
                one wanted; what it raises ends the waiting.

        Raises:
            EngineError: as `load`, or the folder cannot be written.
        """
        found = self.load(model, key)
        if found is not None:
            return found
        with self._locked(waiting):
            found = self.load(model, key)
            if found is None:
                found = make()
                self._write(self.path(model, key), _encode(found))
            return found

    def drop(self, model: str, key: Key) -> None:
        """Forgets the plan of a key."""
        self.path(model, key).unlink(missing_ok=True)

    def timing(self, key: Key) -> bytes:
        """What builders measured on this GPU with this TensorRT; empty at first."""
        path = self._timing_path(key)
        try:
            with path.open("rb") as file:
                _check_owner(path, os.fstat(file.fileno()))
                return file.read()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unusable(path, "cannot be read", error) from None

    def save_timing(self, key: Key, data: bytes) -> None:
        """Keeps it for the next build."""
        self._write(self._timing_path(key), data)

    def _timing_path(self, key: Key) -> Path:
        parts = (
            key.tensorrt,
            key.gpu,
            key.capability,
            str(key.processors),
            key.driver,
            key.machine,
        )
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
        return self.folder / f"timing-{digest}.cache"

    def entries(self) -> list[tuple[Path, Entry | None]]:
        """All plans by name, None for a damaged one; only their heads are read.

        Raises:
            EngineError: the folder cannot be read.
        """
        found: list[tuple[Path, Entry | None]] = []
        for path in sorted(self.folder.glob(f"*{_SUFFIX}")):
            try:
                with path.open("rb") as file:
                    entry = _read_entry(file.read(_HEADER_ROOM))
                whole = entry is not None and path.stat().st_size == _HEADER_ROOM + entry.size
            except OSError as error:
                raise _unusable(path, "cannot be read", error) from None
            found.append((path, entry if whole else None))
        return found

    def clean(self, keep: Callable[[Entry], bool]) -> tuple[int, int]:
        """Removes plans that are damaged or not to be kept, and what broken-off builds left.

        Timing caches go where no plan is kept. Gives the number of files removed and their bytes.
        """
        kept = [path for path, entry in self.entries() if entry is not None and keep(entry)]
        files = [*self.folder.glob(f"*{_SUFFIX}"), *self.folder.glob(".*.part")]
        if not kept:
            files += self.folder.glob("timing-*.cache")
        gone = size = 0
        with self._locked(lambda: None) if files else contextlib.nullcontext():
            for path in files:
                if path not in kept:
                    size += path.stat().st_size
                    path.unlink()
                    gone += 1
        return gone, size

    @contextlib.contextmanager
    def _locked(self, waiting: Callable[[], None]) -> Iterator[None]:
        """Holds the folder's lock, which the system lets go when its holder dies, however."""
        path = self.folder / "build.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(path, "cannot be made", error) from None
        try:
            while not _lock(descriptor):
                waiting()
                time.sleep(_POLL_S)
            yield
        finally:
            os.close(descriptor)

    def _write(self, path: Path, data: bytes) -> None:
        """Puts a file in its place at once, or not at all."""
        temporary: str | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, temporary = tempfile.mkstemp(".part", f".{path.name}.", self.folder)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)  # mkstemp makes it for its owner alone, mode 0600
        except OSError as error:
            raise _unusable(path, f"cannot be written ({len(data) >> 20} MiB)", error) from None
        finally:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)


def stored(model: str, key: Key, plan: bytes, cosine: float, seconds: float) -> Stored:
    """A plan that was just built and compared."""
    digest = hashlib.sha256(plan).hexdigest()
    entry = Entry(
        model=model,
        key=key,
        sha256=digest,
        size=len(plan),
        cosine=cosine,
        built=round(time.time(), 1),
        seconds=round(seconds, 1),
    )
    return Stored(entry, plan)


def _encode(plan: Stored) -> bytes:
    head = _MAGIC + msgspec.json.encode(plan.entry) + b"\n"
    assert len(head) <= _HEADER_ROOM, "a head has names and numbers"
    return head.ljust(_HEADER_ROOM, b"\n") + plan.plan


def _read_entry(head: bytes) -> Entry | None:
    """The entry in a file's head; None where it is damaged."""
    if not head.startswith(_MAGIC) or len(head) != _HEADER_ROOM:
        return None
    try:
        return msgspec.json.decode(head[len(_MAGIC) :].rstrip(b"\n"), type=Entry)
    except msgspec.MsgspecError:
        return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_owner(path: Path, status: os.stat_result) -> None:
    foreign = status.st_uid not in (os.getuid(), 0)
    if foreign or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineError(
            printable(
                f"{path}: others could have written it, and it is a program; remove it, and it is "
                "built again"
            )
        )


def _unusable(path: Path, what: str, error: OSError) -> EngineError:
    reason = error.strerror or str(error)
    remedy = "free some room or set SACCADE_HOME to another folder"
    return EngineError(printable(f"engine cache {path}: {what}: {reason}; {remedy}"))
