"""Label banks: words, their embeddings, and the space that these live in."""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from saccade.camera.errors import SaccadeError, printable


class LabelError(SaccadeError):
    """Words that cannot serve as labels."""


@dataclass(frozen=True)
class LabelBank:
    """Words with one embedding each.

    Attributes:
        names: the words, at least one, none twice however spelled.
        embeddings: float32 [len(names), dimension], rows L2-normalised.
        space: name of the space that the embeddings live in; only embeddings of one space compare.
        aliases: other words for a name of the bank.

    Raises:
        LabelError: they are not so.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    space: str
    aliases: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        shape, count = self.embeddings.shape, Counter(map(_key, self.names))
        twice = [name for name in self.names if count[_key(name)] > 1]
        lost = sorted({*self.aliases.values()} - {*self.names})
        what = None
        if not self.names:
            what = "there is no name"
        elif len(shape) != 2 or shape[0] != len(self.names) or self.embeddings.dtype != np.float32:
            what = f"{self.embeddings.dtype} {list(shape)} embeddings for {len(self.names)} names"
        elif not _normalised(self.embeddings):
            what = "embeddings are not L2-normalised"
        elif twice or lost:
            what = f"name {twice[0]!r} twice" if twice else f"alias of an unknown name {lost[0]!r}"
        if what is not None:
            raise LabelError(f"not a label bank ({what}); make it again")

    @staticmethod
    def load(path: Path) -> LabelBank:
        """Reads `labels.safetensors`: tensor `embeddings`, metadata `names`, `space`, `aliases`.

        Raises:
            LabelError: not such a file, or what it holds is no bank.
        """
        try:
            with cast(Any, safe_open)(str(path), framework="numpy") as file:
                metadata: dict[str, str] = file.metadata() or {}
                tensor = file.get_slice("embeddings")
                # Others (bfloat16, float8) numpy may not know, and a number alone is no array.
                if tensor.get_dtype() != "F32" or not tensor.get_shape():
                    raise ValueError(f"{tensor.get_dtype()} {tensor.get_shape()} embeddings")
                embeddings = np.ascontiguousarray(file.get_tensor("embeddings"), np.float32)
            names = msgspec.json.decode(metadata["names"], type=tuple[str, ...])
            aliases = msgspec.json.decode(metadata.get("aliases", "{}"), type=dict[str, str])
            return LabelBank(names, embeddings, metadata["space"], aliases)
        except LabelError as error:
            raise LabelError(f"{printable(str(path))}: {error}") from None
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            what = printable(f"no {error}" if isinstance(error, KeyError) else str(error))
            raise LabelError(
                f"{printable(str(path))}: not a label bank ({what}); copy it again"
            ) from None

    def select(self, words: Sequence[str]) -> LabelBank:
        """The bank of these words, spelled as the user did.

        Case, spaces, underscores and hyphens do not matter, and the bank's aliases are understood.

        Raises:
            LabelError: no words, words for one row twice, or words that the bank does not have.
        """
        if not words:
            raise LabelError("labels: none given; name at least one, such as --labels cup,chair")
        for word in cast(Sequence[object], words):
            if not isinstance(word, str):
                raise LabelError(f"label {word!r}: not a word; give texts, such as 'cup'")
        row_of = {name: row for row, name in enumerate(self.names)}
        rows = {_key(alias): row_of[name] for alias, name in self.aliases.items()}
        rows |= {_key(name): row for name, row in row_of.items()}
        unknown = [word for word in words if _key(word) not in rows]
        if unknown:
            raise LabelError(self._unknown(unknown))
        chosen: dict[int, str] = {}
        for word in words:
            row = rows[_key(word)]
            if row in chosen:
                raise LabelError(
                    f"label {word!r}: given twice, as {chosen[row]!r} before; name each label once"
                )
            chosen[row] = word
        return LabelBank(tuple(words), self.embeddings[list(chosen)], self.space)

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


def _normalised(rows: NDArray[np.float32]) -> bool:
    with np.errstate(all="ignore"):  # of what is not finite, too
        norms = np.linalg.norm(rows.astype(np.float64), axis=1)
        return bool(np.all(np.abs(norms - 1) <= 1e-3))


def read_labels(text: str) -> list[str]:
    """The words of `--labels`: a file with one a line (`#` comments), or words set apart by commas.

    Text with a comma is words, unless there is a file of that very name.

    Raises:
        LabelError: the file cannot be read, or there is no word.
    """
    looks_like_a_path = "," not in text and ("/" in text or text.endswith((".txt", ".labels")))
    # Path.is_file raises where a list of words is too long for a file's name.
    if os.path.isfile(text) or looks_like_a_path:  # noqa: PTH113
        try:
            lines = Path(text).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise LabelError(
                f"label file {printable(text)}: cannot be read ({reason}); give a file of UTF-8 "
                "text, one label a line"
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
