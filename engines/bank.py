"""Label banks: words, their embeddings, and the space that these live in."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saccade.engines.label_cache import LabelCache, join_caches
from saccade.engines.templates import TemplateSet
from saccade.engines.words import LabelError, Words, check_groups, word_key

__all__ = ["LabelBank", "LabelError"]

MOST_SHOWN = 10  # words that an error lists


@dataclass(frozen=True)
class LabelBank:
    """Words with one embedding each, or with one for each of their synonyms.

    Attributes:
        names: the labels, at least one, none twice however spelled.
        embeddings: float32 [rows, dimension], rows L2-normalised.
        space: name of the space that the embeddings live in; only embeddings of one space compare.
        aliases: other words for a name of the bank.
        rows: for each row of `embeddings` the index of its name; rows of one name follow each
            other, in the order of the names. By default one row a name.
        texts: the word that each row embeds; by default its name.
        templates: what each row's word was put into, None where that is not known.
        groups: names of labels by the name of their group; none is in two.
        cache: examples of the labels that count beside the words, as `saccade teach` makes them.

    Raises:
        LabelError: they are not so.
    """

    names: tuple[str, ...]
    embeddings: NDArray[np.float32]
    space: str
    aliases: dict[str, str] = field(default_factory=dict[str, str])
    rows: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    templates: tuple[TemplateSet | None, ...] = ()
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    cache: LabelCache | None = None

    def __post_init__(self) -> None:
        self._fill()
        shape, count = self.embeddings.shape, Counter(map(word_key, self.names))
        twice = [name for name in self.names if count[word_key(name)] > 1]
        lost = sorted({*self.aliases.values()} - {*self.names})
        what = None
        if not self.names:
            what = "there is no name"
        elif len(shape) != 2 or shape[0] != len(self.rows) or self.embeddings.dtype != np.float32:
            what = f"{self.embeddings.dtype} {list(shape)} embeddings for {len(self.rows)} words"
        elif not _in_order(self.rows, len(self.names)):
            what = f"its rows are not those of {len(self.names)} names in their order"
        elif not len(self.texts) == len(self.templates) == len(self.rows):
            what = f"{len(self.texts)} texts for {len(self.rows)} embeddings"
        elif not _normalised(self.embeddings):
            what = "embeddings are not L2-normalised"
        elif twice or lost:
            what = f"name {twice[0]!r} twice" if twice else f"alias of an unknown name {lost[0]!r}"
        elif self.cache is not None:
            what = self.cache.fault(len(self.names), shape[1])
        if what is not None:
            raise LabelError(f"not a label bank ({what}); make it again")
        check_groups(self.names, self.groups)

    def _fill(self) -> None:
        rows = self.rows or tuple(range(len(self.names)))
        object.__setattr__(self, "rows", rows)
        if not self.texts and max(rows, default=0) < len(self.names):
            object.__setattr__(self, "texts", tuple(self.names[row] for row in rows))
        if not self.templates:
            object.__setattr__(self, "templates", (None,) * len(rows))

    @property
    def starts(self) -> NDArray[np.intp]:
        """The first row of each name, intp [len(names)]."""
        return np.flatnonzero(np.diff(self.rows, prepend=-1))

    def prompts(self, name: str) -> tuple[str, ...]:
        """The prompts whose embeddings made those of `name`; empty where that is not known."""
        index = self.names.index(name)
        mine = [row for row, owner in enumerate(self.rows) if owner == index]
        pairs = [(self.templates[row], self.texts[row]) for row in mine]
        return tuple(prompt for made, text in pairs if made for prompt in made.prompts(text))

    def cosines(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of embeddings [N, dimension] with each label's nearest word, float32 [N, len(names)]."""
        each: NDArray[np.float32] = np.matmul(embeddings, np.transpose(self.embeddings))
        return np.maximum.reduceat(each, self.starts, axis=1)

    def logits(self, embeddings: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
        """What softmax takes: scale * cosine and what examples add, float32 [N, len(names)]."""
        found = self.cosines(embeddings) * np.float32(scale)
        if self.cache is not None:
            found += self.cache.logits(embeddings, len(self.names))
        return found

    def with_cache(self, cache: LabelCache) -> LabelBank:
        """The same words with these examples."""
        return dataclasses.replace(self, cache=cache)

    def check_space(self, space: str, dimension: int, what: str) -> None:
        """Raises LabelError, naming both, unless `what` is of this bank's space and dimension."""
        if (self.space, self.embeddings.shape[1]) != (space, dimension):
            raise LabelError(
                f"a bank of space {self.space!r} ({self.embeddings.shape[1]} numbers) does not "
                f"compare with {what} of space {space!r} ({dimension}); make the bank again with "
                "the model that it is for"
            )

    def join(self, other: LabelBank) -> LabelBank:
        """The labels of both.

        Raises:
            LabelError: they are of two spaces, or both have a label.
        """
        self.check_space(other.space, other.embeddings.shape[1], "one")
        known = {word_key(name): name for name in self.names}
        for name in other.names:
            if word_key(name) in known:
                raise LabelError(f"label {name!r}: in both banks; leave it out of one")
        groups = dict(self.groups)
        for group, members in other.groups.items():
            groups[group] = (*groups.get(group, ()), *members)
        return LabelBank(
            self.names + other.names,
            np.concatenate([self.embeddings, other.embeddings]),
            self.space,
            {**other.aliases, **self.aliases},
            self.rows + tuple(row + len(self.names) for row in other.rows),
            self.texts + other.texts,
            self.templates + other.templates,
            groups,
            join_caches(self.cache, other.cache, len(self.names)),
        )

    def find(self, word: str) -> tuple[int, ...]:
        """The rows of a word: all of a name's or an alias's, else the row of that very text.

        Case, spaces, underscores and hyphens do not matter. Empty where the bank does not have it.
        """
        return self._index.get(word_key(word), ())

    @functools.cached_property
    def _index(self) -> dict[str, tuple[int, ...]]:
        ends = [*self.starts[1:].tolist(), len(self.rows)]
        spans = zip(self.names, self.starts.tolist(), ends, strict=True)
        rows_of = {name: tuple(range(start, end)) for name, start, end in spans}
        found = {word_key(text): (row,) for row, text in reversed([*enumerate(self.texts)])}
        found |= {word_key(alias): rows_of[name] for alias, name in self.aliases.items()}
        return found | {word_key(name): rows for name, rows in rows_of.items()}

    def select(self, words: str | Sequence[str] | Words) -> LabelBank:
        """The bank of these words, spelled as the user did, in the user's groups.

        Raises:
            LabelError: no words, words for one row twice, or words that the bank does not have.
        """
        words = Words.of(words)
        unknown = [text for label in words.labels for text in label.texts if not self.find(text)]
        if unknown:
            raise LabelError(self._unknown(unknown))
        chosen: dict[int, int] = {}  # by row: the label
        for i, label in enumerate(words.labels):
            for row in dict.fromkeys(row for text in label.texts for row in self.find(text)):
                if row in chosen:
                    raise LabelError(
                        f"label {label.name!r}: given twice, as {words.names[chosen[row]]!r} "
                        "before; name each label once"
                    )
                chosen[row] = i
        return LabelBank(
            words.names,
            self.embeddings[[*chosen]],
            self.space,
            rows=tuple(chosen.values()),
            texts=tuple(self.texts[row] for row in chosen),
            templates=tuple(self.templates[row] for row in chosen),
            groups=words.groups,
            cache=self.cache and self.cache.select({self.rows[r]: i for r, i in chosen.items()}),
        )

    def _unknown(self, words: Sequence[str]) -> str:
        known = [*self.names, *self.aliases]
        close: list[str] = []
        shown = words[:MOST_SHOWN]  # looking for what is near takes 0.5 ms a word, and the GIL
        for word in shown:
            close += [n for n in difflib.get_close_matches(word, known, 2) if n not in close]
        hint = (
            f"near it: {', '.join(close)}" if close else f"it has {', '.join(self.names[:5])}, ..."
        )
        listed = ", ".join(map(repr, shown))
        if len(words) > MOST_SHOWN:
            listed += f" and {len(words) - MOST_SHOWN} more"
        return (
            f"label{'s' * (len(words) > 1)} {listed}: not in the bank of "
            f"{self.space}, which knows {len(self.names)} words ({hint}); "
            "`saccade labels show` lists them; a model with a text tower takes any words"
        )

    def save(self, path: Path) -> None:
        """Writes the bank as safetensors: whole, or not at all.

        Raises:
            LabelError: it cannot be written.
        """
        from saccade.engines.bank_files import write_bank  # which makes banks itself

        write_bank(self, path)

    @staticmethod
    def load(path: Path) -> LabelBank:
        """Reads what `save` writes; of a file of before, `names`, `space` and `aliases`.

        Raises:
            LabelError: not such a file, or what it holds is no bank.
        """
        from saccade.engines.bank_files import read_bank

        return read_bank(path)


def _in_order(rows: Sequence[int], names: int) -> bool:
    steps = np.diff(rows, prepend=-1)
    return bool(rows[-1] == names - 1 and np.all((steps == 0) | (steps == 1)) and rows[0] == 0)


def _normalised(rows: NDArray[np.float32]) -> bool:
    with np.errstate(all="ignore"):  # of what is not finite, too
        norms = np.linalg.norm(rows.astype(np.float64), axis=1)
        return bool(np.all(np.abs(norms - 1) <= 1e-3))
