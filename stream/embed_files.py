"""The files of `saccade embed`: recordings found in a folder, one Parquet file made of each."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import importlib
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.recordings import START_BYTES, is_recording

PART = ".part"
TRIES = 2  # of a recording whose worker dies
_ROWS = 1024  # of a row group: 2 MB of embeddings of 512 numbers
_PREFIX = "saccade."  # of our keys in a file's metadata


@dataclass(frozen=True, slots=True)
class Job:
    """A recording to embed, as it was found.

    Attributes:
        recording: its path in the folder.
        size, mtime_ns: what it is known by, with its path.
    """

    recording: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording.

    Attributes:
        recording: its path in the folder.
        slices, events: those of its Parquet file; `events` are all that were read.
        damage: where it is damaged; what came before is in the file.
        error: why there is no file of it, a line that names it; "" where there is one.
    """

    recording: str
    slices: int = 0
    events: int = 0
    damage: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is in a folder: recordings, files of other content, and what cannot be read."""

    jobs: list[Job]
    left_out: list[str]
    failures: list[Outcome]


def arrow(module: str = "pyarrow") -> Any:
    """A module of pyarrow; SaccadeError with what to install where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise SaccadeError(
            "embed: Parquet files need pyarrow; `pip install 'saccade[scale]'`"
        ) from None


def find(folder: Path, out: Path) -> Found:
    """Every file below `folder` in the order of their paths, but for those below `out`."""
    found = Found([], [], [])
    for home, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not _same(Path(home, each), out)]
        for name in names:
            path = Path(home, name)
            relative = path.relative_to(folder).as_posix()
            try:
                about = path.stat()
                if stat.S_ISREG(about.st_mode) and _recognised(path):
                    found.jobs.append(Job(relative, about.st_size, about.st_mtime_ns))
                else:
                    found.left_out.append(relative)
            except OSError as error:
                what = f"{printable(str(path))}: {error.strerror or error}; check the permissions"
                found.failures.append(Outcome(relative, error=what))
    found.jobs.sort(key=lambda job: job.recording)
    found.left_out.sort()
    found.failures.sort(key=lambda failure: failure.recording)
    return found


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.exists() and path.samefile(other)


def _recognised(path: Path) -> bool:
    with path.open("rb") as file:
        return is_recording(file.read(START_BYTES))


def parquet_path(out: Path, recording: str) -> Path:
    """Where the results of a recording are."""
    return out / f"{recording}.parquet"


def parts_of(path: Path) -> list[Path]:
    """What workers that died have left of a Parquet file."""
    return [*path.parent.glob(f".{glob.escape(path.name)}.*{PART}")]


def sweep(out: Path) -> None:
    """Removes what workers that were killed left half-written."""
    for path in out.rglob(f".*{PART}"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def sole_writer(out: Path) -> Iterator[None]:
    """While this lasts, no other `saccade embed` of this machine writes to `out`.

    Raises:
        SaccadeError: another one does, or the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        what = f"{printable(str(out))}: {error.strerror}"
        raise SaccadeError(f"{what}; name a folder that can be written") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        what = f"{printable(str(out))}: another `saccade embed` writes there"
        raise SaccadeError(f"{what}; wait for it, or name another folder") from None
    try:
        yield
    finally:
        os.close(descriptor)


class SliceFile:
    """The Parquet file of one recording: under another name until it is whole."""

    def __init__(self, path: Path, dimension: int, half: bool) -> None:
        """Embeddings are float32 [dimension], or with `half` rounded to float16.

        The part file's name ends in the host and the process that write it.
        """
        self._pa = arrow()
        self._dtype = np.float16 if half else np.float32
        number = self._pa.float16() if half else self._pa.float32()
        self._schema = self._pa.schema(
            [
                ("t_begin_us", self._pa.uint64()),
                ("t_end_us", self._pa.uint64()),
                ("n_events", self._pa.uint64()),
                ("embedding", self._pa.list_(number, dimension)),
                ("labels", self._pa.list_(self._pa.string())),
                ("scores", self._pa.list_(self._pa.float32())),
            ]
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._dimension = path, dimension
        self._part = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}{PART}")
        self._rows: list[tuple[Any, ...]] = []
        parquet = arrow("pyarrow.parquet")
        self._writer: Any = parquet.ParquetWriter(
            os.fspath(self._part), self._schema, compression="zstd"
        )
        self.slices = 0

    def add(
        self,
        window: tuple[int, int, int],
        embedding: NDArray[np.float32],
        labels: tuple[str, ...],
        scores: tuple[float, ...],
    ) -> None:
        """A slice: its (t_begin_us, t_end_us, n_events), its embedding and its best labels."""
        self._rows.append((*window, embedding, labels, scores))
        self.slices += 1
        if len(self._rows) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._rows:
            return
        begins, ends, events, embeddings, labels, scores = zip(*self._rows, strict=True)
        numbers = self._pa.array(np.concatenate(embeddings).astype(self._dtype))
        columns = [
            self._pa.array(begins, self._pa.uint64()),
            self._pa.array(ends, self._pa.uint64()),
            self._pa.array(events, self._pa.uint64()),
            self._pa.FixedSizeListArray.from_arrays(numbers, self._dimension),
            self._pa.array([*map(list, labels)], self._schema.field("labels").type),
            self._pa.array([*map(list, scores)], self._schema.field("scores").type),
        ]
        self._writer.write_batch(self._pa.record_batch(columns, schema=self._schema))
        self._rows.clear()

    def finish(self, about: Mapping[str, str]) -> None:
        """Writes `about` beside the slices, then gives the file its name."""
        self._flush()
        self._writer.add_key_value_metadata(
            {_PREFIX + key: os.fsencode(value) for key, value in about.items()}
        )
        self._writer.close()
        with self._part.open("rb") as file:
            os.fsync(file.fileno())  # else after a power cut the name may stand for nothing
        self._part.replace(self._path)

    def drop(self) -> None:
        """Leaves nothing; also after `finish`, which it does not undo."""
        with contextlib.suppress(OSError):
            self._writer.close()
        self._part.unlink(missing_ok=True)


def read_about(path: Path) -> tuple[dict[str, str], int] | None:
    """What `finish` wrote beside the slices, and how many those are; None where there is no file.

    Raises:
        SaccadeError: the file is not one of ours.
    """
    if not path.exists():
        return None
    try:
        footer: Any = arrow("pyarrow.parquet").read_metadata(os.fspath(path))
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these
        what = f"{printable(str(path))}: not a Parquet file ({printable(str(error))[:80]})"
        raise SaccadeError(f"{what}; move it away") from None
    pairs: dict[bytes, bytes] = footer.metadata or {}
    about = {
        key.decode().removeprefix(_PREFIX): os.fsdecode(value)
        for key, value in pairs.items()
        if key.startswith(_PREFIX.encode())
    }
    if "key" not in about:
        what = f"{printable(str(path))}: not written by `saccade embed`"
        raise SaccadeError(f"{what}; move it away, or name another folder")
    return about, int(footer.num_rows)
