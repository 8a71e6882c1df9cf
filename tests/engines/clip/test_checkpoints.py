"""Checkpoints: every layout gives the same tensors; what is no CLIP, or runs code, is one line."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import pytest

torch = pytest.importorskip("torch", reason="needs the extra: pip install -e '.[convert]'")
msgspec = pytest.importorskip("msgspec")

from safetensors.torch import save_file  # noqa: E402
from tests.engines.clip.weights import TINY, random_state, weights_of  # noqa: E402

from saccade.engines.clip.checkpoints import read_weights  # noqa: E402
from saccade.engines.clip.config import CheckpointError  # noqa: E402

STATE = random_state(TINY)
WANTED = weights_of(TINY, STATE)


def same(found, wanted=WANTED):
    assert (found.arch, found.space) == (wanted.arch, wanted.space)
    assert found.scale == pytest.approx(100, rel=1e-3)  # float16 has 4.605 so
    for mine, theirs in ((found.event, wanted.event), (found.text, wanted.text)):
        assert set(mine) == set(theirs)
        for name, tensor in mine.items():
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, theirs[name]), name


def huggingface(state):
    """As Hugging Face names them, in the other direction than the reader."""
    found = {"text_model.embeddings.position_ids": torch.arange(12)[None]}
    parts = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj"}
    parts |= {"mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    names = {
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "visual.proj": "visual_projection.weight",
        "text_projection": "text_projection.weight",
    }
    for end in ("weight", "bias"):
        names[f"visual.ln_pre.{end}"] = f"vision_model.pre_layrnorm.{end}"
        names[f"visual.ln_post.{end}"] = f"vision_model.post_layernorm.{end}"
        names[f"ln_final.{end}"] = f"text_model.final_layer_norm.{end}"
    for name, tensor in state.items():
        head, found_blocks, rest = name.partition("transformer.resblocks.")
        if not found_blocks:
            turned = name in ("visual.proj", "text_projection")
            found[names.get(name, name)] = tensor.T.contiguous() if turned else tensor
            continue
        layer, _, part = rest.partition(".")
        start = f"{'vision' if head else 'text'}_model.encoder.layers.{layer}"
        if part.startswith("attn.in_proj_"):
            for letter, rows in zip("qkv", tensor.chunk(3), strict=True):
                end = part.removeprefix("attn.in_proj_")
                found[f"{start}.self_attn.{letter}_proj.{end}"] = rows.clone()
        else:
            part, _, end = part.rpartition(".")
            found[f"{start}.{parts[part]}.{end}"] = tensor
    return found


def write_huggingface(folder, file="model.safetensors", acts=("quick_gelu", "quick_gelu")):
    save = torch.save if file.endswith(".bin") else save_file
    save(huggingface(STATE), folder / file)
    towers = {
        "vision_config": {"hidden_act": acts[0], "num_attention_heads": 2},
        "text_config": {"hidden_act": acts[1], "num_attention_heads": 1},
    }
    (folder / "config.json").write_text(json.dumps(towers))
    return folder


def test_a_plain_state_dict_needs_its_activation(tmp_path):
    save_file(STATE, tmp_path / "a.safetensors")
    same(read_weights(tmp_path / "a.safetensors", "quick_gelu"))
    with pytest.raises(CheckpointError, match="nothing says which activation"):
        read_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize("old", [False, True])
def test_open_clips_wrappers_and_prefixes_come_off(tmp_path, old):
    state = {f"module.{n}": t for n, t in {**STATE, "attn_mask": torch.zeros(12, 12)}.items()}
    content = {"epoch": 7, "state_dict": state, "optimizer": {"lr": 1e-4, "state": {}}}
    path = tmp_path / "open_clip_pytorch_model.bin"
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    for quick in (True, False):
        config = {"model_cfg": {"vision_cfg": {}, "text_cfg": {"heads": 1}, "quick_gelu": quick}}
        (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
        found = read_weights(tmp_path)
        assert found.arch.activation == ("quick_gelu" if quick else "gelu")
        same(
            found,
            weights_of(msgspec.structs.replace(TINY, activation=found.arch.activation), STATE),
        )


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_hugging_faces_names_become_openais(tmp_path, file):
    same(read_weights(write_huggingface(tmp_path, file)))
    for acts in (("gelu", "quick_gelu"), ("gelu_new", "gelu_new")):
        with pytest.raises(CheckpointError, match=r"config\.json names the activations"):
            read_weights(write_huggingface(tmp_path, acts=acts))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json beside it cannot be read"):
        read_weights(tmp_path)


class Scripted(torch.nn.Module):
    """Modules within modules, as OpenAI's archive has them."""

    def __init__(self, state):
        super().__init__()
        for name, tensor in state.items():
            where = self
            *path, last = name.split(".")
            for part in path:
                if not hasattr(where, part):
                    where.add_module(part, torch.nn.Module())
                where = getattr(where, part)
            where.register_parameter(last, torch.nn.Parameter(tensor, requires_grad=False))

    def forward(self, x):
        return x


def script(state, path):
    """Writes it as `torch.jit.save` does."""
    module = torch.jit.trace(Scripted(state), torch.zeros(1))
    torch.jit.save(module, str(path))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openais_archive_is_read_without_running_it(tmp_path, monkeypatch):
    half = {name: tensor.half() for name, tensor in STATE.items()}
    more = {"input_resolution": torch.tensor(32.0), "context_length": torch.tensor(12.0)}
    script({**half, **more}, tmp_path / "ViT.pt")
    monkeypatch.setattr(torch.jit, "load", None)
    wanted = weights_of(TINY, {name: tensor.float() for name, tensor in half.items()})
    same(read_weights(tmp_path / "ViT.pt"), wanted)


@pytest.mark.parametrize("alone", [False, True], ids=["whole CLIPs", "towers"])
def test_the_papers_event_tower_takes_clips_text(tmp_path, alone):
    event = {n: t for n, t in random_state(TINY, 1).items() if n.startswith("visual.")}
    cut = len("visual.") if alone else 0
    state = {f"encoder_k.{n[cut:]}": t for n, t in event.items()}
    state |= {f"encoder_q.{n[cut:]}": t for n, t in STATE.items() if n.startswith("visual.")}
    state |= {f"foundation_model.{n}": t for n, t in STATE.items()}
    state["queue"] = torch.zeros(24, 3)
    torch.save({"model": state}, tmp_path / "vitb.pt")
    found = read_weights(tmp_path / "vitb.pt")
    same(found, weights_of(TINY, {**STATE, **event}))
    assert found.image is not None
    assert all(torch.equal(found.image[name], WANTED.event[name]) for name in WANTED.event)
    assert found.space == WANTED.space  # the text tower's, so both encoders share their labels


def test_an_untrained_event_tower_is_the_image_tower(tmp_path):
    towers = ("encoder_k.", "encoder_q.")
    torch.save({f"{p}{n}": t for p in towers for n, t in STATE.items()}, tmp_path / "v.pt")
    assert read_weights(tmp_path / "v.pt").image is None


def less(*names):
    return {n: t for n, t in STATE.items() if n not in names}


BAD = {
    "no tensor visual.conv1.weight": {"a": torch.zeros(2)},
    "no tensor token_embedding.weight": less("token_embedding.weight"),
    "with a ResNet": {"visual.layer1.0.conv1.weight": torch.zeros(2)},
    "no logit_scale": less("logit_scale"),
    "tensors 1 missing \\(visual.ln_post.bias\\)": less("visual.ln_post.bias"),
    "tensors 1 unexpected \\(visual.more\\)": {**STATE, "visual.more": torch.zeros(2)},
    "mis-shaped \\(visual.proj \\[64, 24\\], not \\[128, 24\\]": {
        **STATE,
        "visual.proj": torch.zeros(64, 24),
    },
    "ln_final.bias holds numbers that are not finite": {
        **STATE,
        "ln_final.bias": torch.full((64,), torch.nan),
    },
    "exp\\(logit_scale\\) is 0": {**STATE, "logit_scale": torch.tensor(-1000.0)},
    "without CLIP's text tower": {f"encoder_k.{n}": t for n, t in less("logit_scale").items()}
    | {"encoder_k.token_embedding.weight": torch.zeros(60, 64)},
    "is torch.float32, torch.sparse_coo": {**STATE, "ln_final.bias": torch.zeros(64).to_sparse()},
    "not three equal parts": {
        n: t for n, t in huggingface(STATE).items() if "layers.1.self_attn.k_proj" not in n
    },
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_clip_is_one_line(tmp_path, message):
    torch.save(BAD[message], tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match=message) as error:
        read_weights(tmp_path / "c.pt", "gelu")
    assert str(error.value).startswith(f"{tmp_path}")
    assert str(error.value).isprintable()


class Bomb:
    """Runs a command where it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def bomb_in_an_archive(path, marker):
    """A TorchScript archive whose pickle is a bomb."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/code/__torch__.py", "")
        archive.writestr("a/data.pkl", pickle.dumps({"a": Bomb(marker)}, 2))


@pytest.mark.parametrize("kind", ["torch.save", "pickle", "archive"])
def test_a_pickle_bomb_does_not_go_off(tmp_path, kind):
    path, marker = tmp_path / "c.pt", tmp_path / "exploded"
    if kind == "torch.save":
        torch.save({**STATE, "bomb": Bomb(marker)}, path)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb(marker)))
    else:
        bomb_in_an_archive(path, marker)
    with pytest.raises(CheckpointError, match="could run code, so it is refused") as error:
        read_weights(path)
    assert not marker.exists()
    assert str(error.value).isprintable()


def test_files_that_are_no_weights_are_one_line(tmp_path):
    torch.save(STATE, tmp_path / "good.pt")
    data = (tmp_path / "good.pt").read_bytes()
    with zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(1 << 20))
    files = {"cut.pt": data[: len(data) // 2], "empty.pt": b"", "text.bin": b"hello\n" * 9}
    files |= {"cut.safetensors": b"\xff" * 20, "packed.pt": None}
    for name, content in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError) as error:
            read_weights(tmp_path / name, "gelu")
        assert str(error.value).startswith(f"{tmp_path / name}: ")
        assert str(error.value).isprintable()
    for name in ("missing.pt", ""):
        with pytest.raises(CheckpointError, match="cannot be read|has none of"):
            read_weights(tmp_path / name if name else tmp_path / "a" / "..", "gelu")


@pytest.mark.parametrize("value", [torch.zeros(3), [1, 2], {"a": 3}, {"state_dict": {}}])
def test_a_file_of_something_else_is_one_line(tmp_path, value):
    torch.save(value, tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match="state dict|no tensor by a name"):
        read_weights(tmp_path / "c.pt")
