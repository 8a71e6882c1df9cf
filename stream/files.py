"""The files that a run writes: none of them may cost the user another one."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from saccade.camera.errors import SaccadeError
from saccade.stream.statistics import Summary

_File = TypeVar("_File", bound="WholeFile")


def refuse_overwriting(
    source: str,
    labels: str | None,
    outs: Sequence[str],
    summary: Path | None,
    mask: str | None = None,
) -> None:
    """Refuses to write over what is read, or over another output.

    Args:
        source: the recording's path.
        labels: the label file's path, or words.
        outs: the URIs of `--out`.
        summary: the path of `--summary`.
        mask: the path of the hot pixels' file.

    Raises:
        SaccadeError: an output is one of the files that are read, or named twice.
    """
    taken = {_identity(source): "the recording"}
    if labels and "," not in labels:
        taken.setdefault(_identity(labels), "the label file")
    if mask:
        taken.setdefault(_identity(mask), "the hot pixels' file")
    written = [uri.removeprefix("jsonl:") for uri in outs if uri.startswith("jsonl:")]
    for path in [*written, *([os.fspath(summary)] if summary else [])]:
        identity = "-" if path == "-" else _identity(path)
        if identity in taken:
            raise SaccadeError(
                f"output {path}: this is {taken[identity]}, which would be lost; name another file"
            )
        if (
            path == "-" or Path(path).is_file() or not Path(path).exists()
        ):  # devices may serve twice
            taken[identity] = "another output"


def _identity(path: str) -> object:
    """Equal for two names of one file, whether it exists or not."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return os.path.realpath(path) if "\0" not in path else path
    return found.st_dev, found.st_ino


class WholeFile:
    """A file that is written whole at the end, or not at all; a context manager."""

    def __init__(self, path: Path | None, what: str) -> None:
        """Raises SaccadeError where the file could not be written later; `what` is its name."""
        self._path, self._what = path, what
        self._part: Path | None = None  # takes the path's place once it is whole
        if path is None or (path.exists() and not (path.is_file() or path.is_dir())):
            return  # nothing to write, or a device, or a pipe
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            part = path.with_name(f".{path.name}.{os.getpid()}")
            part.touch(exist_ok=False)
        except OSError as error:
            raise self._error(error) from None
        self._part = part

    def write_bytes(self, data: bytes) -> None:
        """Writes all of it; nothing where there is no file to write.

        Raises:
            SaccadeError: the disk is full, or the folder went away.
        """
        if self._path is None:
            return
        try:
            (self._part or self._path).write_bytes(data)
            if self._part is not None:
                self._part.replace(self._path)
                self._part = None
        except OSError as error:
            raise self._error(error) from None

    def __enter__(self: _File) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        if self._part is not None:
            self._part.unlink(missing_ok=True)

    def _error(self, error: OSError) -> SaccadeError:
        return SaccadeError(
            f"{self._what} {self._path}: {error.strerror}; name a file that can be written"
        )


class SummaryFile(WholeFile):
    """Where `--summary` goes."""

    def __init__(self, path: Path | None) -> None:
        """Raises SaccadeError where the file could not be written later."""
        super().__init__(path, "summary")

    def write(self, summary: Summary | Mapping[str, Summary]) -> None:
        """Writes the summary, or those of several streams; see `write_bytes`."""
        self.write_bytes(msgspec.json.format(msgspec.json.encode(summary)) + b"\n")
