"""Label banks as files: safetensors, whose header holds the words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from saccade.camera.errors import printable
from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.label_cache import LabelCache
from saccade.engines.templates import TemplateSet

_TYPES = {"F32": np.float32, "I64": np.int64}


def write_bank(bank: LabelBank, path: Path) -> None:
    """Writes it as `read_bank` reads it: whole, or not at all.

    Raises:
        LabelError: it cannot be written.
    """
    sets = [*dict.fromkeys(made for made in bank.templates if made)]
    fields: dict[str, Any] = {
        "names": bank.names,
        "aliases": bank.aliases,
        "rows": bank.rows,
        "texts": bank.texts,
        "template_sets": sets,
        "templates": [sets.index(made) if made else -1 for made in bank.templates],
        "groups": bank.groups,
    }
    tensors: dict[str, NDArray[Any]] = {"embeddings": bank.embeddings}
    if bank.cache is not None:
        fields["cache"] = {"alpha": bank.cache.alpha, "beta": bank.cache.beta}
        tensors |= {"examples": bank.cache.keys, "owners": bank.cache.owners.astype(np.int64)}
    metadata = {key: msgspec.json.encode(value).decode() for key, value in fields.items()}
    data = save(tensors, {**metadata, "space": bank.space})
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        what = printable(f"label bank {path}: {error.strerror}")
        raise LabelError(f"{what}; name a file that can be written") from None


def read_bank(path: Path) -> LabelBank:
    """The bank of a file; one of before may hold no more than `names`, `space` and `aliases`.

    Raises:
        LabelError: not such a file, or what it holds is no bank.
    """
    try:
        with cast(Any, safe_open)(str(path), framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            embeddings = _tensor(file, "embeddings", "F32")
            cache = None
            if "cache" in metadata:
                about = msgspec.json.decode(metadata["cache"], type=dict[str, float])
                keys, owners = _tensor(file, "examples", "F32"), _tensor(file, "owners", "I64")
                cache = LabelCache(keys, owners.astype(np.intp), about["alpha"], about["beta"])
        return _bank(metadata, embeddings, cache)
    except LabelError as error:
        raise LabelError(f"{printable(str(path))}: {error}") from None
    except FileNotFoundError:
        what = f"label bank {path}: no such file; make one with `saccade labels make`"
        raise LabelError(printable(what)) from None
    except (SafetensorError, KeyError, IndexError, ValueError, OSError) as error:
        what = printable(f"no {error}" if isinstance(error, KeyError) else str(error))
        raise LabelError(
            f"{printable(str(path))}: not a label bank ({what}); copy it again"
        ) from None


def _tensor(file: Any, name: str, kind: str) -> NDArray[Any]:
    tensor = file.get_slice(name)
    # Others (bfloat16, float8) numpy may not know, and a number alone is no array.
    if tensor.get_dtype() != kind or not tensor.get_shape():
        raise ValueError(f"{tensor.get_dtype()} {tensor.get_shape()} {name}")
    return np.ascontiguousarray(file.get_tensor(name), _TYPES[kind])


def _bank(
    metadata: Mapping[str, str], embeddings: NDArray[np.float32], cache: LabelCache | None
) -> LabelBank:
    """The bank of a file's metadata, in which all but `names` and `space` may be missing."""

    def read(key: str, type: Any, default: str) -> Any:
        return msgspec.json.decode(metadata.get(key, default), type=type)

    names = msgspec.json.decode(metadata["names"], type=tuple[str, ...])
    sets = read("template_sets", tuple[TemplateSet, ...], "[]")
    made = read("templates", tuple[int, ...], "[]")
    return LabelBank(
        names,
        embeddings,
        metadata["space"],
        read("aliases", dict[str, str], "{}"),
        read("rows", tuple[int, ...], "[]"),
        read("texts", tuple[str, ...], "[]"),
        tuple(sets[i] if i >= 0 else None for i in made),
        read("groups", dict[str, tuple[str, ...]], "{}"),
        cache,
    )
