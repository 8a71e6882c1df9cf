"""Where models come from: what the user may name, and what is taken from there."""

from __future__ import annotations

import errno
import gzip
import json

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from saccade.engines.hub_errors import explain
from saccade.engines.models import ModelError
from saccade.engines.open_clip_names import hub_repository
from saccade.engines.reporting import silent
from saccade.engines.sources import LocalFiles, find_source, licence_of
from saccade.engines.tokenizer_files import find_tokenizer


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("ViT-L-14/laion2b_s32b_b82k", "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"),
        ("ViT-B-16/datacomp_xl_s13b_b90k", "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"),
        ("ViT-B-32/datacomp_m_s128m_b4k", "laion/CLIP-ViT-B-32-DataComp.M-s128M-b4K"),
        ("ViT-B-16/commonpool_l_clip_s1b_b8k", "laion/CLIP-ViT-B-16-CommonPool.L.clip-s1B-b8K"),
        ("ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai"),
        ("ViT-B-32-quickgelu/laion400m_e32", "timm/vit_base_patch32_clip_224.laion400m_e32"),
        ("ViT-L-14/metaclip_400m", "timm/vit_large_patch14_clip_224.metaclip_400m"),
    ],
)
def test_open_clips_names_lead_to_the_hub(name, repository):
    assert hub_repository(name) == repository


@pytest.mark.parametrize("name", ["", "ViT-B-32", "RN50/openai", "ViT-H-14/x", "ViT-B-32/"])
def test_names_that_open_clip_could_not_have_are_refused(name):
    with pytest.raises(ModelError, match="ARCHITECTURE/TAG"):
        hub_repository(name)


def folder(path, *names, **texts):
    path.mkdir(exist_ok=True)
    for name in names:
        (path / name).write_bytes(b"x")
    for name, text in texts.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def found(path, file=None):
    return find_source(str(path), file, None, False, silent)


def test_the_safest_weights_are_taken(tmp_path):
    names = ["pytorch_model.bin", "model.safetensors", "config.json"]
    source = found(folder(tmp_path / "vit", *names))
    assert (source.weights, source.name, source.origin) == (
        "model.safetensors", "vit", "vit/model.safetensors",
    )  # fmt: skip
    # In such a repository, that one is timm's image tower alone.
    folder(tmp_path / "vit", "open_clip_model.safetensors")
    assert found(tmp_path / "vit").weights == "open_clip_model.safetensors"
    assert found(tmp_path / "vit", "pytorch_model.bin").weights == "pytorch_model.bin"
    assert found(folder(tmp_path / "one", "some.pt", "notes.txt")).weights == "some.pt"
    assert found(folder(tmp_path / "one", "model.toml")).weights is None


def test_a_file_stands_alone(tmp_path):
    folder(tmp_path / "downloads", "vitb.pt", "README.md", "config.json")
    source = found(tmp_path / "downloads" / "vitb.pt")
    assert (source.name, source.weights, source.files.names) == ("vitb", "vitb.pt", {"vitb.pt"})
    for name in ("README.md", "config.json"):
        with pytest.raises(ModelError, match="not a checkpoint"):
            found(tmp_path / "downloads" / name)


def test_what_is_no_source_is_refused(tmp_path):
    for text, what in (
        ("nowhere", "neither a file"),
        ("a/b/c", "neither a file"),
        ("x" * 5000, "neither a file"),
        ("", "neither a file"),
        (folder(tmp_path / "empty"), "no weights"),
        (folder(tmp_path / "two", "a.pt", "b.pt"), "a.pt, b.pt; choose one with --file"),
    ):
        with pytest.raises(ModelError, match=what):
            found(text)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\ntags: [clip]\n---\n# A model", "mit"),
        ("---\nlicense:\n- mit\n- cc-by-4.0\n---\n", "mit, cc-by-4.0"),
        (
            "---\nlicense: other\nlicense_name: own\nlicense_link: LICENSE\n---\n",
            "own (LICENSE)",
        ),
        ("---\nlicense: other\n---\n", "other"),
        ("---\ntags: [clip]\n---\n", ""),
        ("---\nlicense: {a: b}\n---\n", ""),
        ("---\nlicense: [\n---\n", ""),
        ("---\n- a\n---\n", ""),
        ("# license: mit", ""),
    ],
)
def test_the_licence_is_the_cards(tmp_path, card, licence):
    path = folder(tmp_path / "m", README__md=card)
    assert licence_of(LocalFiles(path, ["README.md"])) == licence
    assert licence_of(LocalFiles(path, [])) == ""


MERGES = "#version: 0.2\nc u\ncu p</w>\n"


def vocabulary():
    names = ["c", "u", "p", "p</w>", "cu", "cup</w>", "<|startoftext|>", "<|endoftext|>"]
    return {name: 100 + i for i, name in enumerate(names)}


def test_a_tokenizer_is_made_from_what_the_repository_has(tmp_path):
    numbers = json.dumps(vocabulary())
    path = folder(tmp_path / "a", merges__txt=MERGES, vocab__json=numbers)
    first, note = find_tokenizer(LocalFiles(path, ["merges.txt", "vocab.json"]), None, True, silent)
    assert note == ""
    model = json.loads(first)["model"]
    assert model["vocab"]["cup</w>"] == 105
    for merges in ([["c", "u"], ["cu", "p</w>"]], ["c u", "cu p</w>"]):
        file = json.dumps({"model": {"merges": merges, "vocab": vocabulary()}})
        path = folder(tmp_path / "b", tokenizer__json=file)
        second, _ = find_tokenizer(LocalFiles(path, ["tokenizer.json"]), None, True, silent)
        assert json.loads(second) == json.loads(first)


def test_clips_own_file_serves(shared_data):
    given = shared_data / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    made, note = find_tokenizer(LocalFiles(given.parent, []), given, True, silent)
    assert (len(json.loads(made)["model"]["vocab"]), note) == (49408, "")


BAD_VOCABULARIES = {
    "empty.txt": b"",
    "few.txt": MERGES.encode(),
    "cut.txt.gz": gzip.compress(MERGES.encode() * 1000)[:-20],
    "damaged.txt.gz": gzip.compress(bytes(range(256)) * 99).replace(b"\0", b"\1"),
    "binary.txt": bytes(range(256)),
    "list.json": b"[]",
    "none.json": b"{}",
    "no model.json": b'{"model": 5}',
    "no merges.json": b'{"model": {"merges": 5, "vocab": {}}}',
    "no pairs.json": b'{"model": {"merges": [["a", "b", "c"]], "vocab": {}}}',
    "numbers.json": b'{"model": {"merges": [[1, 2]], "vocab": {}}}',
    "no numbers.json": b'{"model": {"merges": ["a b"], "vocab": {"a": "b"}}}',
    "list of words.json": b'{"model": {"merges": ["a b"], "vocab": ["a"]}}',
    "deep.json": b"[" * 100_000,
}


@pytest.mark.parametrize("name", BAD_VOCABULARIES)
def test_a_file_that_is_no_vocabulary_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(BAD_VOCABULARIES[name])
    with pytest.raises(ModelError, match="not a tokenizer of CLIP's kind") as error:
        find_tokenizer(LocalFiles(tmp_path, []), tmp_path / name, True, silent)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500


def test_a_vocabulary_that_is_missing_is_one_line(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        find_tokenizer(LocalFiles(tmp_path, []), tmp_path / "no.txt", True, silent)


HUB_ERRORS = [
    (OSError(errno.ENOSPC, "No space left on device", "blob"), "is full; make room there"),
    (OSError("[Errno 28]"), "cannot be reached"),
    (
        PermissionError(errno.EACCES, "Permission denied", "/c"),
        "/c: Permission denied; set",
    ),
    (OSError("Consistency check failed: file should be of size 3"), "another size than the hub"),
    (RuntimeError(""), "cannot be reached (RuntimeError)"),
    (errors.OfflineModeIsEnabled("x"), "not in the hub's cache"),
    (errors.HFValidationError("x"), "OWNER/NAME"),
]


@pytest.mark.parametrize(("error", "text"), HUB_ERRORS)
def test_an_error_of_the_hub_comes_with_its_remedy(error, text):
    found = explain(error, huggingface_hub, "me/clip", None, True)
    assert text in found
    assert found.isprintable()
    assert ("HF_HOME" in found) == (isinstance(error, OSError) and error.errno is not None)
    assert constants.ENDPOINT not in found
