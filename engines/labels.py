"""Label banks: words, their embeddings, and the space that these live in."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from saccade.camera.errors import SaccadeError


class LabelError(SaccadeError):
    """Words that cannot serve as labels."""


@dataclass(frozen=True)
class LabelBank:
    """Words with one embedding each.

    Attributes:
        names: the words.
        embeddings: float32 [len(names), dimension], rows L2-normalised.
        space: name of the space that the embeddings live in; only embeddings of one space compare.
        aliases: other words for a name of the bank.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    space: str
    aliases: dict[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def load(path: Path) -> LabelBank:
        """Reads `labels.safetensors`: tensor `embeddings`, metadata `names`, `space`, `aliases`.

        Raises:
            LabelError: not such a file, or names and rows differ in number.
        """
        try:
            with cast(Any, safe_open)(str(path), framework="numpy") as file:
                metadata: dict[str, str] = file.metadata() or {}
                embeddings = np.ascontiguousarray(file.get_tensor("embeddings"), np.float32)
            names = tuple(str(name) for name in json.loads(metadata["names"]))
            aliases = {str(k): str(v) for k, v in json.loads(metadata.get("aliases", "{}")).items()}
            bank = LabelBank(names, embeddings, metadata["space"], aliases)
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise LabelError(f"{path}: not a label bank ({error}); copy it again") from None
        if embeddings.ndim != 2 or len(names) != len(embeddings):
            raise LabelError(f"{path}: {len(names)} names for {embeddings.shape} embeddings")
        return bank

    def select(self, words: Sequence[str]) -> LabelBank:
        """The bank of these words, spelled as the user did.

        Case, spaces, underscores and hyphens do not matter, and the bank's aliases are understood.

        Raises:
            LabelError: no words, a word twice, or words that the bank does not have.
        """
        if not words:
            raise LabelError("labels: none given; name at least one, such as --labels cup,chair")
        rows = {_key(alias): self.names.index(name) for alias, name in self.aliases.items()}
        rows |= {_key(name): row for row, name in enumerate(self.names)}
        unknown = [word for word in words if _key(word) not in rows]
        if unknown:
            raise LabelError(self._unknown(unknown))
        if len({_key(word) for word in words}) < len(words):
            twice = next(w for i, w in enumerate(words) if _key(w) in map(_key, words[:i]))
            raise LabelError(f"label {twice!r}: given twice; name each label once")
        chosen = [rows[_key(word)] for word in words]
        return LabelBank(tuple(words), self.embeddings[chosen], self.space)

    def _unknown(self, words: Sequence[str]) -> str:
        known = [*self.names, *self.aliases]
        close: list[str] = []
        for word in words:
            close += [n for n in difflib.get_close_matches(word, known, 2) if n not in close]
        hint = (
            f"near it: {', '.join(close)}" if close else f"it has {', '.join(self.names[:5])}, ..."
        )
        return (
            f"label{'s' * (len(words) > 1)} {', '.join(map(repr, words))}: not in the bank of "
            f"{self.space}, which knows {len(self.names)} words ({hint}); "
            "`saccade labels show` lists them"
        )


def _key(word: str) -> str:
    return "".join(c for c in word.casefold() if c not in " _-")


def read_labels(text: str) -> list[str]:
    """The words of `--labels`: a file with one a line (`#` comments), or words set apart by commas.

    Raises:
        LabelError: the file cannot be read, or there is no word.
    """
    path = Path(text)
    looks_like_a_path = "," not in text and ("/" in text or path.suffix in (".txt", ".labels"))
    if path.is_file() or looks_like_a_path:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise LabelError(
                f"label file {text}: cannot be read ({error}); give a text file, one label a line"
            ) from None
        words = [line.split("#")[0].strip() for line in lines]
    else:
        words = [word.strip() for word in text.split(",")]
    words = [word for word in words if word]
    if not words:
        raise LabelError(f"labels {text!r}: empty; name at least one, such as --labels cup,chair")
    return words


class LabelScorer:
    """Scores of one embedding against a bank: softmax(scale * cosine)."""

    def __init__(self, bank: LabelBank, scale: float, top: int) -> None:
        """The `top` best labels of `bank`; `scale` as the model was trained with."""
        if top < 1:
            raise LabelError(f"top {top}: must be at least 1")
        self.bank = bank
        self._scale = np.float32(scale)
        self._top = min(top, len(bank.names))

    def __call__(self, embedding: NDArray[np.float32]) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The best labels and their scores, best first, for an embedding float32 [dimension].

        Scores are probabilities over the whole bank. Equal scores keep the bank's order.
        """
        logits = np.asarray(self._scale * (self.bank.embeddings @ embedding), np.float32)
        weights = np.exp(logits - np.max(logits))
        order: list[int] = np.argsort(-weights, kind="stable")[: self._top].tolist()
        scores = weights[order] / weights.sum()
        return tuple(self.bank.names[i] for i in order), tuple(float(s) for s in scores)
