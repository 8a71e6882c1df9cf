"""The vocabulary: any words as a label bank, from a bank that has them or by the text tower."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from saccade.engines.bank import LabelBank, LabelError
from saccade.engines.models import Model
from saccade.engines.templates import TemplateSet
from saccade.engines.text import TextTower
from saccade.engines.words import Words

#: Embeddings that stay for words that come back, the newest: 8 MB of 512 dimensions.
KEPT_TEXTS = 4096


class Vocabulary:
    """Makes label banks for one model while it runs; any thread may call it, one is served a time.

    Words that the bank has are taken from it; others go through the model's text tower, which is
    loaded when it is first needed and kept, with the embeddings that it gave, until `close`.
    """

    def __init__(
        self,
        model: Model,
        bank: LabelBank | None = None,
        *,
        templates: TemplateSet | None = None,
        threads: int | None = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Prepares the words of `model`; of its files only the bank is read.

        Args:
            model: the model whose space the words are to be of.
            bank: words with embeddings, instead of the model's own bank.
            templates: what words are put into. A bank that was made with others is then not used.
                By default the bank's, or where it does not say, the model's.
            threads: the text tower's, which shares the cores with the pipeline; None is all.
            progress: called with the number of words embedded so far, and how many they are.

        Raises:
            LabelError: `bank` is of another space.
        """
        self._model, self._threads, self._progress = model, threads, progress
        wanted = model.manifest.embedding
        if bank is not None:
            bank.check_space(wanted.space, wanted.dimension, f"model {model.manifest.name!r}")
        elif model.manifest.labels_sha256:
            bank = model.labels()
        made_with = {*bank.templates} if bank else set[TemplateSet | None]()
        if templates is not None and made_with != {templates}:
            bank = None
        text = model.manifest.text
        own = TemplateSet("model", (text.template,) if text else ("{}",), "the model's")
        one = made_with.pop() if len(made_with) == 1 else None
        self.templates = templates or one or own
        self._bank = bank
        self._tower: TextTower | None = None
        self._made: dict[str, NDArray[np.float32]] = {}  # [dimension] by text
        self._lock = threading.Lock()

    def bank(self, words: str | Sequence[str] | Words | None = None) -> LabelBank:
        """The bank of these words, as `--labels` takes them or in a sequence; None is all it has.

        Takes as long as the text tower needs: about 10 ms a prompt and word on one core.

        Raises:
            LabelError: the words cannot be labels, or the model has no text tower for them.
            ModelError: there is neither a bank nor a text tower, or the tower is damaged.
        """
        if words is None:
            if self._bank is None:
                raise LabelError(
                    f"model {self._model.manifest.name!r}: has no words of its own; name some, "
                    "such as --labels cup,chair"
                )
            return self._bank
        words = Words.of(words)
        texts = [text for label in words.labels for text in label.texts]
        missing = [text for text in texts if self._bank is None or not self._bank.find(text)]
        if self._bank is not None and (not missing or self._model.manifest.text is None):
            return self._bank.select(words)  # its error names words that are near
        made = self._embed(missing)
        return (self._bank.join(made) if self._bank else made).select(words)

    def _embed(self, texts: Sequence[str]) -> LabelBank:
        with self._lock:
            new = [text for text in texts if text not in self._made]
            if self._tower is None:
                self._tower = TextTower(self._model, self._threads)
            report = None
            if (progress := self._progress) is not None:
                report = functools.partial(_report, progress, len(new))
            found = self._tower.embed_words(new, self.templates, report)
            self._made |= zip(new, found, strict=True)
            rows = np.stack([self._made[text] for text in texts])
            while len(self._made) > KEPT_TEXTS:  # words may change for weeks
                self._made.pop(next(iter(self._made)))
        space = self._model.manifest.embedding.space
        return LabelBank(tuple(texts), rows, space, templates=(self.templates,) * len(texts))

    def close(self) -> None:
        """Gives the text tower's memory back; it is loaded again where it is needed."""
        with self._lock:
            if self._tower is not None:
                self._tower.close()
            self._tower = None


def _report(progress: Callable[[int, int], None], of: int, done: int) -> None:
    progress(done, of)
