"""`saccade models add` of checkpoints: tiny CLIPs of several layouts become models that run."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.commands import refused
from tests.hub import COMMIT
from tests.models import make_model

from saccade.camera.errors import SaccadeError
from saccade.engines.adding import AddOptions, add_model
from saccade.engines.clip.config import Architecture, Transformer
from saccade.engines.manifest import FrameInfo
from saccade.engines.models import ModelError, load_model, read_manifest
from saccade.engines.onnx import OnnxEngine
from saccade.engines.sources import sha256_of
from saccade.engines.store import damages
from saccade.engines.tokenizer_files import CLIP_REPOSITORY, CLIP_REVISION

torch = pytest.importorskip("torch", reason="converting needs torch")
from safetensors.torch import save  # noqa: E402

#: The smallest CLIP there is: two blocks of one head in either tower.
BLOCKS = Transformer(width=64, layers=2, heads=1, hidden=128)


def tiny(vocabulary, seed=0):
    """A state dict in OpenAI's names, of random numbers."""
    shape = Architecture(32, 16, BLOCKS, 16, vocabulary, BLOCKS, 8, "quick_gelu")
    generator = torch.Generator().manual_seed(seed)
    shapes = {**shape.vision_shapes(), **shape.text_shapes()}
    state = {n: torch.randn(s, generator=generator) * 0.1 for n, s in shapes.items()}
    return {**state, "logit_scale": torch.tensor(4.6)}


def paper(vocabulary):
    """The layout of the paper's weights: an event tower of its own beside a frozen CLIP."""
    frozen, event = tiny(vocabulary), tiny(vocabulary, seed=1)
    return {
        **{f"foundation_model.{name}": tensor for name, tensor in frozen.items()},
        **{f"encoder_k.{n}": t for n, t in event.items() if n.startswith("visual.")},
        "logit_scale": frozen["logit_scale"],
    }


def saved(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A store of its own, in this process: torch takes seconds to import."""
    monkeypatch.setenv("SACCADE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "models"


@pytest.fixture
def own_hub(hub, tmp_path, monkeypatch):
    """The hub's library in this process, led to a hub and a cache of its own."""
    from huggingface_hub import constants

    template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return hub


def serve_clips_merges(hub, shared_data):
    packed = (shared_data / "clip" / "bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().split("\n")[1 : 49408 - 513]
    merges = "\n".join(["#version: 0.2", *lines, ""]).encode()
    hub.serve(CLIP_REPOSITORY, {"merges.txt": merges}).commit = CLIP_REVISION


@pytest.fixture
def conversions(monkeypatch):
    """The conversions that were asked for; each gives the model of `make_model`."""
    asked = []

    def convert(weights, folder, **options):
        asked.append((weights, options))
        return read_manifest(make_model(folder) / "model.toml")

    monkeypatch.setattr("saccade.engines.clip.convert.convert", convert)
    return asked


def test_the_papers_weights_are_converted(own_hub, home, shared_data, conversions):
    serve_clips_merges(own_hub, shared_data)
    files = {"vitb.pt": saved(paper(49408)), "vitl.pt": b"", "README.md": b""}
    own_hub.serve("Eavn/event-clip", files)
    added = add_model(AddOptions("Eavn/event-clip", file="vitb.pt"))
    (warning,) = added.warnings
    assert warning.startswith("Eavn/event-clip/vitb.pt states no licence")
    assert not any("vitl.pt" in path for _, path, _ in own_hub.requests)
    ((weights, options),) = conversions
    assert weights.image is not None
    assert options.pop("report")
    assert len(json.loads(options.pop("tokenizer_json"))["model"]["vocab"]) == 49408
    assert options == {
        "name": "event-clip-vitb",
        "source": "Eavn/event-clip/vitb.pt",
        "revision": COMMIT,
        "licence": "not stated",
        "frame": FrameInfo("clamped", "sensor", 10),
        "normalise": "none",
        "precisions": ("fp32", "fp16", "int8"),
    }
    assert [path.name for path in home.iterdir()] == ["event-clip-vitb"]


def test_a_plain_clip_without_a_vocabulary_takes_no_words(own_hub, home, tmp_path, conversions):
    (tmp_path / "good.pt").write_bytes(saved(tiny(8)))
    options = AddOptions(str(tmp_path / "good.pt"), activation="gelu", licence="mine")
    added = add_model(options)
    (warning,) = added.warnings
    assert "give --vocab" in warning
    assert CLIP_REPOSITORY in warning
    ((_, converted),) = conversions
    assert converted["tokenizer_json"] is None
    assert (converted["licence"], converted["normalise"]) == ("mine", "clip")
    assert converted["revision"] == f"sha256:{sha256_of(tmp_path / 'good.pt')}"
    add_model(replace(options, normalise="none", clamp=16, name="again"))
    assert conversions[1][1]["normalise"] == "none"
    assert conversions[1][1]["frame"] == FrameInfo("clamped", "sensor", 16)


def open_clip_repository():
    names = ["c", "u", "p", "p</w>", "cu", "cup</w>", "<|startoftext|>", "<|endoftext|>"]
    return {
        "open_clip_model.safetensors": save(tiny(len(names))),
        "open_clip_pytorch_model.bin": b"never read",
        "open_clip_config.json": b'{"model_cfg": {"quick_gelu": true, "text_cfg": {"heads": 1}}}',
        "merges.txt": b"#version: 0.2\nc u\ncu p</w>\n",
        "vocab.json": json.dumps({name: i for i, name in enumerate(names)}).encode(),
        "README.md": b"---\nlicense: mit\n---\n# A card",
    }


def test_open_clips_weights_become_a_model(own_hub, home):
    repository = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    own_hub.serve(repository, open_clip_repository())
    source = "open_clip:ViT-B-32/laion2b_s34b_b79k"
    options = AddOptions(source, frame="paper", counting="encoder", precisions=("fp32",))
    added = add_model(options)
    found = load_model("ViT-B-32-laion2b_s34b_b79k").manifest
    assert found == added.manifest
    assert found.source == f"{repository}/open_clip_model.safetensors"
    assert (found.licence, added.warnings) == ("mit", ())
    assert found.frame == FrameInfo("paper", "encoder")
    assert found.text is not None
    assert found.architecture["normalise"] == "clip"
    folder = home / added.name
    assert "# A card" in (folder / "CARD.md").read_text()
    assert not any("bin" in path for _, path, _ in own_hub.requests)
    assert damages(folder) == []
    OnnxEngine(load_model(added.name)).run(1)
    other = AddOptions(str(folder), name="other", architecture="ViT-B-32")
    with pytest.raises(ModelError, match="architecture is vit-64x2-16-32, not ViT-B-32"):
        add_model(other)
    copied = add_model(replace(other, architecture="vit-64x2-16-32"))
    assert copied.manifest == found


def test_offline_a_checkpoint_comes_from_the_cache(own_hub, home, conversions):
    own_hub.serve("me/clip", open_clip_repository())
    add_model(AddOptions("me/clip"))
    own_hub.repositories.clear()
    add_model(AddOptions("me/clip", offline=True, name="again"))
    assert conversions[0][1]["tokenizer_json"] == conversions[1][1]["tokenizer_json"]
    assert (conversions[1][1]["revision"], conversions[1][1]["licence"]) == (COMMIT, "mit")


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def bad_checkpoints(folder):
    """Options of `add` that must be refused, by a part of the message."""
    files = {
        "bomb.pt": pickle.dumps({"visual.proj": Bomb()}, protocol=2),
        "cut.pt": saved(tiny(8))[:-1000],
        "cut.safetensors": save(tiny(8))[:-1000],
        "empty.bin": b"",
        "other.safetensors": save({"weight": torch.zeros(3)}),
        "good.pt": saved(tiny(8)),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    words = {"<start_of_text>": 8, "<end_of_text>": 9}
    (folder / "w.json").write_text(json.dumps({"model": {"merges": [], "vocab": words}}))
    good = AddOptions(str(folder / "good.pt"), offline=True, activation="gelu")
    return {
        "run code": replace(good, source=str(folder / "bomb.pt")),
        "cut.pt": replace(good, source=str(folder / "cut.pt")),
        "cut.safetensors": replace(good, source=str(folder / "cut.safetensors")),
        "empty.bin": replace(good, source=str(folder / "empty.bin")),
        "other.safetensors": replace(good, source=str(folder / "other.safetensors")),
        "which activation": replace(good, activation=None),
        "not ViT-B/32": replace(good, architecture="ViT-B/32"),
        "not the one that was asked": replace(good, sha256="0" * 64),
        "clamp 0": replace(good, clamp=0),
        "8 tokens, but the vocabulary has tokens up to 9": replace(good, vocab=folder / "w.json"),
    }


def test_what_is_no_clip_is_refused(own_hub, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text, options in bad_checkpoints(tmp_path).items():
        with pytest.raises(SaccadeError, match=re.escape(text)) as error:
            add_model(options)
        assert str(error.value).isprintable()
    assert list(home.iterdir()) == []
    assert not (tmp_path / "exploded").exists()
    assert own_hub.requests == []


def test_a_full_disk_while_converting_adds_nothing(own_hub, home, tmp_path):
    (tmp_path / "good.pt").write_bytes(saved(tiny(8)))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ModelError, match="cannot be written.*nothing was added"):
            add_model(AddOptions(str(tmp_path / "good.pt"), offline=True, activation="gelu"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(home.iterdir()) == []


def test_without_torch_it_says_what_to_install(saccade, store, tmp_path):
    (tmp_path / "good.pt").write_bytes(b"never read")
    code = """if True:
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *a: None if name == "torch" else find(name, *a)
        from saccade.stream.cli import main
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", code, "models", "add", str(tmp_path / "good.pt")],
        env=saccade.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    refused(done, "needs torch to convert", "pip install 'saccade[convert]'")
    assert store() == []
