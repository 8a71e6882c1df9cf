"""CLIP's tokens: byte-pair encoding through the `tokenizers` library, cleaned as open_clip does.

Token ids are those of open_clip, but for one thing: text that spells out a special token, such as
"<end_of_text>", is text here, as the tower takes its embedding at the first end token.
"""

from __future__ import annotations

import gzip
import html
import importlib
import json
import zlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

START, END = "<start_of_text>", "<end_of_text>"
#: How transformers spells them.
ALSO = {"<|startoftext|>": START, "<|endoftext|>": END}
#: Merges that CLIP uses of its file, which holds more: 49408 tokens less 2 x 256 bytes and 2.
CLIP_MERGES = 49408 - 514
#: Words: English contractions, runs of letters, single digits, runs of anything else.
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"

Merges = Sequence[tuple[str, str]]


def tokenizer_json(merges: Merges, vocabulary: dict[str, int] | None = None) -> bytes:
    """The `tokenizers` library's `tokenizer.json` of CLIP's BPE with these merges.

    Args:
        merges: pairs in the order in which they are merged; a word ends in `</w>`.
        vocabulary: ids by token, as transformers' `vocab.json` has them. By default CLIP's: the 256
            bytes, the same at a word's end, one for each merge, start and end.

    Raises:
        ValueError: the vocabulary lacks a token of the merges, or start and end.
    """
    if vocabulary is None:
        alphabet = _bytes_as_characters()
        tokens = [*alphabet, *(c + "</w>" for c in alphabet), *("".join(pair) for pair in merges)]
        vocabulary = {token: i for i, token in enumerate([*tokens, START, END])}
    vocabulary = {ALSO.get(token, token): i for token, i in vocabulary.items()}
    needed = {START, END, *("".join(pair) for pair in merges)}
    if lost := sorted(needed - {*vocabulary}):
        raise ValueError(f"the vocabulary has no {lost[0]!r}")
    byte_level = {
        "type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False,
    }  # fmt: skip
    split = {
        "type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Removed", "invert": True,
    }  # fmt: skip
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    content = {
        "version": "1.0",
        "added_tokens": [
            {"id": vocabulary[token], "content": token, **flags, "special": True}
            for token in sorted((START, END), key=vocabulary.__getitem__)
        ],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>",
            "vocab": vocabulary,
            "merges": [list(pair) for pair in merges],
        },
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def clip_merges(data: bytes) -> Merges:
    """The merges of `bpe_simple_vocab_16e6.txt.gz`, packed or not.

    Raises:
        ValueError: it is not that file.
    """
    try:
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it cannot be unpacked ({error})") from None
    merges = read_merges(text)[:CLIP_MERGES]
    if len(merges) < CLIP_MERGES:
        raise ValueError(f"it has {len(merges)} merges where CLIP has {CLIP_MERGES}")
    return merges


def read_merges(text: str) -> Merges:
    """Pairs of a merges file such as transformers' `merges.txt`, whose first line is a heading.

    Raises:
        ValueError: a line is no pair.
    """
    pairs = [tuple(line.split(" ")) for line in text.split("\n")[1:] if line]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a line is not two tokens set apart by a space")
    return cast(Merges, pairs)


def _bytes_as_characters() -> list[str]:
    """A printable character for each of the 256 bytes, in the order of CLIP's ids."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in own] + [chr(0x100 + i) for i in range(256 - len(own))]


def clean(text: str) -> str:
    """Text as open_clip gives it to its BPE: mended, without HTML entities, in small letters."""
    fix_text: Any = importlib.import_module("ftfy").fix_text  # heavy, and rarely needed
    text = html.unescape(html.unescape(fix_text(text)))
    return " ".join(text.split()).lower()


class Tokens:
    """Texts to tokens: start, the text's, end, then zeros."""

    def __init__(self, data: bytes, context: int) -> None:
        """Reads a `tokenizer.json`; `context` is the length that the text tower takes.

        Raises:
            ValueError: it is no tokenizer, or has no start and end.
        """
        tokenizers: Any = importlib.import_module("tokenizers")
        try:
            self._tokenizer: Any = tokenizers.Tokenizer.from_buffer(data)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"not a tokenizer ({error})") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # as text
        ids = {ALSO.get(t.content, t.content): i for i, t in self._added().items()}
        if not {START, END} <= {*ids}:
            raise ValueError(f"not CLIP's tokenizer (no {START} or {END} among its added tokens)")
        self.start, self.end = ids[START], ids[END]
        self.context = context

    def _added(self) -> dict[int, Any]:
        return self._tokenizer.get_added_tokens_decoder()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens int64 [len(texts), context]; what is too long is cut, and ends in the end token.

        Raises:
            ValueError: a text has no words.
        """
        tokens = np.zeros((len(texts), self.context), np.int64)
        for row, text in zip(tokens, texts, strict=True):
            ids = self._tokenizer.encode(clean(text), add_special_tokens=False).ids
            ids = ids[: self.context - 2]
            row[: len(ids) + 2] = [self.start, *ids, self.end]
        return tokens
