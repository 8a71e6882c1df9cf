"""Files of weights: safetensors, `torch.save` and TorchScript, none of which may run code here."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import safetensors.torch
import torch
from torch import Tensor

from saccade.camera.errors import printable
from saccade.engines.clip.config import CheckpointError
from saccade.engines.clip.torchscript import is_torchscript, read_torchscript

#: Where trainers put the state dict in what they save.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
#: What torch's own wrappers put before every name.
_PREFIXES = ("module.", "_orig_mod.", "model.")


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names, without wrappers and the prefixes that these leave.

    Raises:
        CheckpointError: it cannot be read, is no such file, or would run code.
    """
    try:
        content = _read(path)
    except OSError as error:
        reason = error.strerror or error
        raise _error(path, f"cannot be read ({reason}); give a file of weights") from None
    except pickle.UnpicklingError as error:
        what = f"{error}".strip().partition("\n")[0][:200]
        raise _error(
            path,
            f"not weights alone ({what}): reading it could run code, so it is refused; where you "
            "trust it, save its state dict as .safetensors and give that",
        ) from None
    except Exception as error:  # torch, zipfile and safetensors have no common base
        what = f"{type(error).__name__}: {error}".strip().partition("\n")[0][:200]
        raise _error(path, f"not a file of weights ({what}); copy it again") from None
    for _ in range(3):
        inner = next((content[w] for w in _WRAPPERS if isinstance(content.get(w), Mapping)), None)
        content = content if inner is None else inner
    state = {str(n): value for n, value in content.items() if isinstance(value, Tensor)}
    if not state:
        raise _error(path, "holds no tensor by a name; give a state dict")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name[len(prefix) :]: value for name, value in state.items()}
    return state


def _read(path: Path) -> Mapping[Any, Any]:
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    zipped = zipfile.is_zipfile(path)
    if zipped:
        with zipfile.ZipFile(path) as archive:
            parts = [p for p in archive.infolist() if p.filename.split("/")[1:2] != ["code"]]
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ValueError("its tensors are compressed, which torch never does")
            if is_torchscript(archive):
                return read_torchscript(archive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old pickles, which it reads or refuses
        # Mapped: a checkpoint of three towers and an optimiser need not fit into memory.
        content: object = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, not a state dict")
    return cast("Mapping[Any, Any]", content)


def _error(path: Path, what: str) -> CheckpointError:
    return CheckpointError(printable(f"{path}: {what}"))
