"""Where a checkpoint's tokenizer comes from: its repository, the user's file, or CLIP's own."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from saccade.camera.errors import printable
from saccade.engines.hub import HubFiles
from saccade.engines.models import ModelError
from saccade.engines.reporting import Report
from saccade.engines.sources import Files
from saccade.engines.tokens import clip_merges, read_merges, tokenizer_json

#: CLIP's own, for checkpoints that come without one; every CLIP was trained with these merges.
CLIP_REPOSITORY = "openai/clip-vit-base-patch32"
CLIP_REVISION = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
CLIP_MERGES_SHA256 = "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"
#: What reading a file of another kind raises.
_NO_TOKENIZER = (
    *(OSError, zlib.error, ValueError, LookupError, TypeError, AttributeError, RecursionError),
)


def find_tokenizer(
    files: Files, given: Path | None, offline: bool, report: Report
) -> tuple[bytes | None, str]:
    """The `tokenizer.json` for a checkpoint of `files`, and a warning (empty where all is well).

    It is made from the file that the user gave, from the checkpoint's own repository, or from
    CLIP's on the hub; None where none can be had.

    Raises:
        ModelError: a file that is there is no tokenizer of CLIP's kind.
    """
    if given is not None:
        return _made(given), ""
    if {"merges.txt", "vocab.json"} <= files.names:
        return _made(files.fetch("merges.txt"), files.fetch("vocab.json")), ""
    if "tokenizer.json" in files.names:
        return _made(files.fetch("tokenizer.json")), ""
    try:
        path = HubFiles(CLIP_REPOSITORY, CLIP_REVISION, offline, report).fetch("merges.txt")
    except ModelError as error:
        what = "it will take no words but a bank's: give --vocab, as CLIP's cannot be had"
        return None, f"{what} ({error})"
    if hashlib.sha256(path.read_bytes()).hexdigest() != CLIP_MERGES_SHA256:
        what = f"not CLIP's merges (sha256 {CLIP_MERGES_SHA256[:12]}...); give --vocab"
        raise ModelError(printable(f"{path}: {what}"))
    report(f"taking the vocabulary of {CLIP_REPOSITORY}")
    return _made(path), ""


def _made(path: Path, vocabulary: Path | None = None) -> bytes:
    """From CLIP's .txt.gz, `merges.txt` (with a `vocab.json`), or another `tokenizer.json`."""
    try:
        if vocabulary is not None:
            merges = read_merges(path.read_text(encoding="utf-8"))
            return tokenizer_json(merges, _numbers(json.loads(vocabulary.read_bytes())))
        data = path.read_bytes()
        if path.suffix != ".json":
            return tokenizer_json(clip_merges(data))
        model: Any = json.loads(data)["model"]
        pairs = "\n".join(m if isinstance(m, str) else " ".join(m) for m in model["merges"])
        return tokenizer_json(read_merges("\n" + pairs), _numbers(model["vocab"]))
    except _NO_TOKENIZER as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        what = f"not a tokenizer of CLIP's kind ({reason}); give CLIP's "
        what += "bpe_simple_vocab_16e6.txt.gz, or its merges.txt or tokenizer.json, with --vocab"
        raise ModelError(printable(f"{path}: {what}")) from None


def _numbers(vocabulary: dict[str, int]) -> dict[str, int]:
    if not all(isinstance(number, int) for number in vocabulary.values()):  # pyright: ignore
        raise ValueError("its tokens have no numbers")
    return vocabulary
