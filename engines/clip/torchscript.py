"""Reads the tensors out of a TorchScript archive, as OpenAI publishes its CLIP, and runs no code.

`torch.jit.load` would compile and may run what is in the archive. Its tensors, however, lie in it
just as in a file of `torch.save`: the pickle `data.pkl` says which of the stored blocks
(`data/0`, ...) is which tensor. Here that pickle may name tensors and modules, and nothing else.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class _Module:
    """A scripted module or any other of the archive's own classes: only its attributes."""

    def __setstate__(self, state: Any) -> None:
        self.attributes: dict[str, Any] = state if isinstance(state, dict) else {}


def _tensor(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _listed(items: Any, *_: Any) -> list[Any]:
    return list(items)


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{root}data.pkl")))
        self._archive, self._root = archive, root
        self._blocks: dict[str, Tensor] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        name = f"{module_name}.{global_name}"
        if module_name == "__torch__" or module_name.startswith("__torch__."):
            return _Module
        if name == "torch._utils._rebuild_tensor_v2":
            return _tensor
        if name == "collections.OrderedDict":
            return OrderedDict
        if module_name == "torch" and global_name in _DTYPES:
            return _DTYPES[global_name]
        if module_name == "torch.jit._pickle" and global_name.startswith("build_"):
            return _listed
        raise pickle.UnpicklingError(f"it names {name}, which is no tensor")

    def persistent_load(self, pid: Any) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        kind, dtype, key = pid[:3]
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise pickle.UnpicklingError(f"it holds a {kind}, which is no tensor")
        if key not in self._blocks:
            # bytearray: torch warns of memory that it must not write.
            block = bytearray(self._archive.read(f"{self._root}data/{key}"))
            self._blocks[key] = torch.frombuffer(block, dtype=dtype)
        return self._blocks[key]


def is_torchscript(archive: zipfile.ZipFile) -> bool:
    """Whether it has code in it, unlike a file of `torch.save`."""
    return any(name.partition("/")[2].startswith("code/") for name in archive.namelist())


def read_torchscript(archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """The tensors by their names, as `torch.jit.load(...).state_dict()` would give them.

    Raises:
        pickle.UnpicklingError: the pickle names what is neither tensor nor module.
        KeyError, ValueError, RuntimeError: it is damaged.
    """
    root = archive.namelist()[0].partition("/")[0] + "/"
    found: dict[str, Tensor] = {}
    todo: list[tuple[str, Any]] = [("", _Unpickler(archive, root).load())]
    seen: set[int] = set()
    while todo:
        name, value = todo.pop()
        if isinstance(value, Tensor):
            found[name] = value
        elif isinstance(value, _Module) and id(value) not in seen:
            seen.add(id(value))
            start = f"{name}." if name else ""
            todo += [(start + key, each) for key, each in value.attributes.items()]
    return found
