"""Arrays that grow on the disk, one item per slice: a folder of `.npy` files, or one `.npz`."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from saccade.camera.errors import RecordingError
from saccade.camera.formats.closing import Closing
from saccade.camera.formats.output import OutputFile
from saccade.camera.slicing import Slice

_HEADER_BYTES = 256  # room for any number of items
_LATEST = np.iinfo(np.int64).max
_COLUMNS = ("t_begin_us", "t_end_us", "n_events")
_NAMES = ("frames", *_COLUMNS)


class ArrayFile(Closing):
    """A `.npy` of [N, *shape] whose N grows; readable (and mappable) after every item."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Creates the file, or empties it; RecordingError where that is not possible."""
        self._shape, self._dtype = shape, dtype
        self._n = 0
        self._file = OutputFile(path)
        self._file.append(self._header())

    def append(self, item: NDArray[Any]) -> None:
        """Writes one item, C order; RecordingError where the disk is full, the file then whole."""
        self._file.append(np.ascontiguousarray(item, self._dtype).data.cast("B"))
        self._n += 1
        self._file.overwrite(0, self._header())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _header(self) -> bytes:
        """Version 1.0 of the format, padded with spaces, as it allows, to a length that stays."""
        header: dict[str, object] = {
            "descr": cast(Any, self._dtype).str,
            "fortran_order": False,
            "shape": (self._n, *self._shape),
        }
        text = f"{header!r}".encode().ljust(_HEADER_BYTES - 11) + b"\n"
        return npy.magic(1, 0) + len(text).to_bytes(2, "little") + text


class SliceArrays(Closing):
    """What slices became: `frames` [N, *shape], `t_begin_us`, `t_end_us`, `n_events` int64 [N].

    A path that ends in `.npz` becomes one compressed file, made at the end from a folder of the
    same name with `.part` behind; any other is that folder.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Creates the folder and its files; RecordingError where that is not possible."""
        self.path = path
        self.n = 0
        self._zipped = path.suffix.lower() == ".npz"
        self._folder = path.with_name(path.name + ".part") if self._zipped else path
        self._closed = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"the folder cannot be made ({error.strerror})"
            raise RecordingError(str(self._folder), what, "name another") from error
        whole = np.dtype(np.int64)
        with contextlib.ExitStack() as stack:
            self._frames = stack.enter_context(self._open("frames", shape, dtype))
            self._columns = [stack.enter_context(self._open(name, (), whole)) for name in _COLUMNS]
            self._opened = stack.pop_all()

    def _open(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> ArrayFile:
        return ArrayFile(self._folder / f"{name}.npy", shape, dtype)

    def append(self, cut: Slice, frame: NDArray[Any]) -> None:
        """Writes what a slice became; RecordingError where the disk is full."""
        self._frames.append(frame)
        # Times that only a damaged stamp has are past what these columns hold.
        values = (min(cut.t_begin_us, _LATEST), min(cut.t_end_us, _LATEST), cut.n_events)
        for column, value in zip(self._columns, values, strict=True):
            column.append(np.array(value, np.int64))
        self.n += 1

    def close(self) -> None:
        """Ends the files, and makes the `.npz`; RecordingError where that fails: `.part` stays."""
        if self._closed:
            return
        self._closed = True
        self._opened.close()
        if not self._zipped:
            return
        whole = self._folder / "whole.npz"
        try:
            self._zip(whole)
            whole.replace(self.path)
            for name in _NAMES:
                (self._folder / f"{name}.npy").unlink()
            self._folder.rmdir()
        except OSError as error:
            what = f"it cannot be finished ({error.strerror})"
            remedy = f"make room; what was made is in {self._folder}"
            raise RecordingError(str(self.path), what, remedy) from error
        finally:
            with contextlib.suppress(OSError):
                whole.unlink(missing_ok=True)

    def _zip(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name in _NAMES:
                archive.write(self._folder / f"{name}.npy", f"{name}.npy")
