"""Tokens are CLIP's: the library's against a plain twin, and against open_clip's where it is."""

from __future__ import annotations

import importlib
import json
import random
import unicodedata

import numpy as np
import pytest
from tests.reference.clip_bpe import ReferenceBpe
from tests.text_models import MERGES

from saccade.engines.tokens import Tokens, clean, clip_merges, read_merges, tokenizer_json

ODD = """
it's IT'S don't they'LL we've I'm he'd 'K x's 12 3.5 2024 ½ Ⅳ ² don’t “quoted” ﬁsh ＦＵＬＬ cafÃ©
naïve İstanbul ß ẞ &amp; &amp;lt; &eacute; &#39;s &#x1F600; &nbsp; &notit; &lt;3 <b>
a_b C++ #1 $5 !! ª ʰ é 一二 한국 ไทย हिन्दी 👩‍🚀 🚗 🏽 ❤️ 🇩🇪
"""
PIECES = ODD.split()


def texts(names: list[str], seed: int = 7) -> list[str]:
    """Names, prompts, and 4000 texts of odd pieces and of any characters that Unicode 14 has."""
    rng = random.Random(seed)
    spaces = ["", " ", "  ", "\t", "\n", "\u2003", "\x1c", "\x85", "\u200b"]
    mixed = ["".join(rng.choice([*PIECES, *spaces]) for _ in range(8)) for _ in range(2000)]
    blocks = [(32, 127), (0xA0, 0x250), (0x370, 0x3000), (0x3000, 0xD800), (0x1F000, 0x1FA00)]
    odd = ["".join(chr(rng.randrange(*rng.choice(blocks))) for _ in range(8)) for _ in range(2000)]
    odd = ["".join(c for c in text if unicodedata.category(c) != "Cn") for text in odd]
    long = [" ".join(rng.choices(names or PIECES, k=60)) for _ in range(50)]
    return [*names, *(f"a photo of the {name}." for name in names), *mixed, *odd, *long]


@pytest.fixture(scope="module")
def clip(shared_data):
    """CLIP's own merges, and names to write with them."""
    folder = shared_data / "clip"
    names = [n for v in json.loads((folder / "en_classnames.json").read_text()).values() for n in v]
    with np.load(folder / "vitb32_embeddings.npz") as arrays:
        names += [s for row in arrays["lvis_synonyms"].tolist() for s in row.split("|")]
    return clip_merges((folder / "bpe_simple_vocab_16e6.txt.gz").read_bytes()), names


def differing(merges, names, context: int = 77) -> list[str]:
    """The texts whose tokens are not the twin's."""
    ours, twin = Tokens(tokenizer_json(merges), context), ReferenceBpe(merges)
    given = texts(names)
    found = zip(given, ours(given).tolist(), strict=True)
    return [text for text, ids in found if ids != twin(clean(text), context)]


def test_tokens_of_a_few_merges_are_the_twins():
    assert differing(MERGES, [], context=20) == []


def test_tokens_of_clips_own_merges_are_the_twins(clip):
    merges, names = clip
    assert len({*texts(names)}) > 10_000
    assert differing(merges, names) == []


def test_known_tokens_of_clip(clip):
    tokens = Tokens(tokenizer_json(clip[0]), 8)
    assert tokens(["a photo of a cat"]).tolist() == [[49406, 320, 1125, 539, 320, 2368, 49407, 0]]
    assert (tokens.start, tokens.end) == (49406, 49407)


def test_tokens_are_open_clips(clip):
    """Opt-in: where open_clip is installed."""
    open_clip = pytest.importorskip("open_clip", exc_type=ImportError)
    merges, names = clip
    given = texts(names)
    theirs = open_clip.SimpleTokenizer()(given, 77).numpy()
    np.testing.assert_array_equal(Tokens(tokenizer_json(merges), 77)(given), theirs)


def test_text_is_mended_and_in_small_letters():
    assert clean("  A&amp;nbsp;B\n“cafÃ©”  ﬁsh") == 'a b "café" fish'


def test_what_is_too_long_ends_in_the_end_token():
    tokens = Tokens(tokenizer_json(MERGES), 5)
    start, end = tokens.start, tokens.end
    cup = 512 + 1
    assert tokens(["", "cup", "cup cup cup cup"]).tolist() == [
        [start, end, 0, 0, 0],
        [start, cup, end, 0, 0],
        [start, cup, cup, cup, end],
    ]
    assert tokens([]).shape == (0, 5)
    assert tokens(["cup"]).dtype == np.int64


def test_a_special_token_spelled_out_is_text():
    tokens = Tokens(tokenizer_json(MERGES), 40)
    row = tokens(["the <end_of_text> <start_of_text> cup"])[0].tolist()
    assert row.count(tokens.end) == row.count(tokens.start) == 1


def test_the_vocabulary_of_transformers_is_the_same():
    ours = json.loads(tokenizer_json(MERGES))["model"]["vocab"]
    theirs = {**ours, "<|startoftext|>": ours["<start_of_text>"]}
    theirs["<|endoftext|>"] = theirs.pop("<end_of_text>")
    del theirs["<start_of_text>"]
    merges = read_merges("#version: 0.2\n" + "\n".join(" ".join(pair) for pair in MERGES) + "\n")
    assert tokenizer_json(merges, theirs) == tokenizer_json(MERGES)
    del theirs["cu"]
    with pytest.raises(ValueError, match="no 'cu'"):
        tokenizer_json(merges, theirs)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: clip_merges(b"\x1f\x8bno"), "unpacked"),
        (lambda: clip_merges(b"#\na b\n"), "1 merges where CLIP has 48894"),
        (lambda: read_merges("#\na b c\n"), "not two tokens"),
        (lambda: Tokens(b"{}", 8), "not a tokenizer"),
        (lambda: Tokens(tokenizer_json(MERGES).replace(b"start_of", b"start-of"), 8), "no <start"),
    ],
)
def test_what_is_no_vocabulary_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_libraries_are_imported_late():
    assert (
        importlib.import_module("saccade.engines.tokens")
        .__dict__.keys()
        .isdisjoint({"ftfy", "tokenizers"})
    )
