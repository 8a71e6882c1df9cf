"""CLIP's byte-pair encoding in plain Python: the twin of the `tokenizers` library's."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def kind(character: str) -> str:
    """A letter, a number, a space, or another."""
    if character.isspace():
        return "space"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "N": "number"}.get(category, "other")


def words(text: str) -> Iterator[str]:
    """Contractions, runs of letters, single digits, runs of anything else; no spaces."""
    at = 0
    while at < len(text):
        found = next((c for c in CONTRACTIONS if text[at:].startswith(c)), None)
        if found is None:
            end, of = at + 1, kind(text[at])
            while of in ("letter", "other") and end < len(text) and kind(text[end]) == of:
                end += 1
            found = text[at:end]
        if kind(found[0]) != "space":
            yield found
        at += len(found)


class ReferenceBpe:
    """Token ids of cleaned text, merging the pair of the lowest rank as long as there is one."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        printable = [b for b in range(256) if 0x21 <= b <= 0x7E or (b >= 0xA1 and b != 0xAD)]
        others = [b for b in range(256) if b not in printable]
        self.letter = {b: chr(b) for b in printable}
        self.letter |= {b: chr(256 + i) for i, b in enumerate(others)}
        alphabet = list(self.letter.values())
        tokens = alphabet + [a + "</w>" for a in alphabet] + [a + b for a, b in merges]
        self.ids = {token: i for i, token in enumerate(tokens)}
        self.ranks = {pair: i for i, pair in enumerate(merges)}
        self.start, self.end = len(tokens), len(tokens) + 1

    def word(self, word: str) -> list[str]:
        parts = [self.letter[b] for b in word.encode()]
        parts[-1] += "</w>"
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            merged: list[str] = []
            for part in parts:
                if merged and (merged[-1], part) == best:
                    merged[-1] += part
                else:
                    merged.append(part)
            parts = merged
        return parts

    def __call__(self, text: str, context: int) -> list[int]:
        ids = [self.ids[part] for word in words(text) for part in self.word(word)]
        ids = [self.start, *ids[: context - 2], self.end]
        return ids + [0] * (context - len(ids))
