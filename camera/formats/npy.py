"""The arrays in a zip of `.npy` files, read in blocks: no stated size makes anybody allocate it."""

from __future__ import annotations

import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError
from saccade.camera.formats.file import RecordingFile

_LARGEST_READ = 1 << 20  # bytes: a zip's directory and blocks are smaller
_LARGEST_HEADER = 10_000  # bytes, as in numpy.load
_LARGEST_VALUE = 256  # bytes
_REMEDY = "copy the file again, or save the arrays anew with numpy.savez"
#: What zipfile, zlib and numpy raise for damaged input.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,  # RecursionError too
    SyntaxError,
    TypeError,
    ValueError,
    KeyError,
)


class _Seekable(io.RawIOBase):
    """A RecordingFile as zipfile wants it, which refuses reads of any size that a file states."""

    def __init__(self, file: RecordingFile) -> None:
        self._file, self._at = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise OSError("an offset before the file")
        self._at = min(start + offset, self._file.size)
        return self._at

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_READ:
            if self._file.size - self._at > _LARGEST_READ:
                raise OSError(f"a part larger than {_LARGEST_READ} bytes")
            size = _LARGEST_READ
        data = self._file.read(self._at, size)
        self._at += len(data)
        return data


class NpyMember:
    """One array: its header is read, its elements are not.

    Attributes:
        name: without `.npy`.
        dtype, shape: as stated, and as its size in the zip bears out.
        offset: byte offset in the file.
    """

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, offset: int) -> None:
        """Raises what `_DAMAGE` lists."""
        self.name, self.offset = info.filename.removesuffix(".npy"), offset
        self._archive, self._info = archive, info
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("its compression is neither none nor deflate")
        with archive.open(info) as stream:
            self.shape, self.dtype = _read_header(stream)
            self._first = stream.tell()
        self._count = math.prod(self.shape)
        stated = self._first + self._count * self.dtype.itemsize
        if not self.dtype.hasobject and stated != info.file_size:
            raise ValueError("its shape and its size in the zip differ")

    def blocks(self, n: int) -> Iterator[NDArray[Any]]:
        """Its elements in order, n at a time, fewer at the end and before damage.

        Raises what `_DAMAGE` lists, after every whole element before; where only the checksum of
        all tells of damage, that is before the last few.
        """
        item, left = self.dtype.itemsize, self._count
        if self.dtype.hasobject or not item:
            raise ValueError("it holds Python objects or nothing")
        with self._archive.open(self._info) as stream:
            _read(stream, self._first)
            while left:
                data, error = _read_up_to(stream, min(n, left) * item)
                if whole := len(data) // item:
                    yield np.frombuffer(data, self.dtype, whole)
                if whole < min(n, left):
                    raise error or EOFError("it is cut off")
                left -= whole

    def value(self) -> object:
        """The one element of an array of one element."""
        if self.shape not in ((), (1,)) or self.dtype.itemsize > _LARGEST_VALUE:
            raise ValueError("one value is expected")
        return next(self.blocks(1))[0].item()


def read_members(file: RecordingFile) -> dict[str, NpyMember]:
    """The arrays of an `.npz` by name.

    Raises RecordingError where the zip's directory or an array's header is damaged.
    """
    with damage(file.path, file.size, "the zip's directory, at its end, is damaged or cut off"):
        archive = zipfile.ZipFile(cast(Any, _Seekable(file)))
    members: dict[str, NpyMember] = {}
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            offset = min(max(info.header_offset, 0), file.size)
            with damage(file.path, offset, f"the array {info.filename!r} is damaged"):
                member = NpyMember(archive, info, offset)
                members[member.name] = member
    return members


@contextmanager
def damage(path: str, offset: int, what: str) -> Iterator[None]:
    """Turns what `_DAMAGE` lists into a RecordingError."""
    try:
        yield
    except RecordingError:
        raise
    except _DAMAGE as error:
        raise RecordingError(path, f"{what} ({error})", _REMEDY, offset) from error


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    start = _read(stream, 8)
    versions: dict[bytes, tuple[int, Any]] = {
        b"\x93NUMPY\1\0": (2, npy.read_array_header_1_0),
        b"\x93NUMPY\2\0": (4, npy.read_array_header_2_0),
    }
    if start not in versions:
        raise ValueError("it starts as no .npy of version 1 or 2 does")
    width, read_header = versions[start]
    size = _read(stream, width)
    n = int.from_bytes(size, "little")
    if n > _LARGEST_HEADER:
        raise ValueError(f"its header of {n} bytes is too long")
    shape, _, dtype = read_header(io.BytesIO(size + _read(stream, n)))
    if any(side < 0 for side in shape):
        raise ValueError("its shape is negative")
    return shape, dtype


def _read(stream: IO[bytes], size: int) -> bytes:
    data, error = _read_up_to(stream, size)
    if len(data) < size:
        raise error or EOFError("it is cut off")
    return data


def _read_up_to(stream: IO[bytes], size: int) -> tuple[bytes, Exception | None]:
    """What can be read of `size` bytes, and why it is less.

    The last byte is read alone: with it the checksum is compared, and what was read in the same
    call is lost where it differs.
    """
    parts: list[bytes] = []
    try:
        while size > 0 and (part := stream.read(max(size - 1, 1))):
            parts.append(part)
            size -= len(part)
    except _DAMAGE as error:
        return b"".join(parts), error
    return b"".join(parts), None
