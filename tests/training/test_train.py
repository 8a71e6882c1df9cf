"""`saccade train` on a tiny CLIP: it learns, leaves a model that runs, and resumes bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install -e '.[train]'")
pytest.importorskip("onnxscript", reason="training needs the extra: pip install -e '.[train]'")
pytest.importorskip("PIL.Image", reason="training needs the extra: pip install -e '.[train]'")

import safetensors.torch  # noqa: E402
from tests.training import tiny  # noqa: E402

import saccade  # noqa: E402
from saccade.camera.errors import SaccadeError  # noqa: E402
from saccade.engines.clip import load  # noqa: E402
from saccade.engines.clip.load import event_tower  # noqa: E402
from saccade.engines.models import load_model  # noqa: E402
from saccade.engines.onnx import OnnxEngine  # noqa: E402
from saccade.training import commands, trainer  # noqa: E402
from saccade.training.config import ModelConfig  # noqa: E402
from saccade.training.towers import load_clip  # noqa: E402


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A tiny CLIP and a tiny data set."""
    folder = tmp_path_factory.mktemp("given")
    return tiny.write_clip(folder / "clip"), tiny.write_data(folder / "data")


@pytest.fixture
def config(given, tmp_path):
    """Writes a configuration."""
    return lambda **sections: tiny.write_config(tmp_path / "config.toml", *given, **sections)


def lines(out: Path, kind: str) -> list[dict]:
    read = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line for line in read if line["kind"] == kind]


def weights(out: Path, name: str = "average") -> dict:
    (*_, newest) = sorted((out / "checkpoints").iterdir())
    return safetensors.torch.load_file(newest / f"{name}.safetensors")


@pytest.fixture
def no_export(monkeypatch):
    """Leaves out the export, which takes seconds."""
    monkeypatch.setattr(commands, "write_model", lambda *_: None)


@pytest.mark.usefixtures("no_export")
def test_pretraining_lowers_every_loss_by_the_papers_schedule(config, tmp_path, capsys):
    out = tmp_path / "out"
    commands.train("pretrain", config(), out, resume=False)
    steps = lines(out, "train")
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5, 6]
    for name in ("ct", "zs", "kl", "loss"):
        assert steps[-1][name] < steps[0][name]
    total = steps[0]["ct"] + 0.1 * steps[0]["zs"] + steps[0]["kl"]
    assert steps[0]["loss"] == pytest.approx(total, rel=1e-5)
    # lr = base * processes * batch / 256: a rise over two steps, then the cosine.
    peak = 0.2 * 6 / 256
    cosine = [peak * (1 + np.cos(np.pi * k / 4)) / 2 for k in range(4)]
    assert [line["lr"] for line in steps] == pytest.approx([peak / 2, peak, *cosine])
    assert [line["step"] for line in lines(out, "validation")] == [2, 4, 6]
    assert len(list((out / "checkpoints").iterdir())) == 2
    assert "saccade run --model" in capsys.readouterr().out


def check_that_it_can_be_gone_on_with(clip: Path, model: Path, average: dict) -> None:
    """As `model.event` beside its CLIP; as `model.clip` only where it is a plain CLIP."""
    first = load_clip(ModelConfig(clip=str(clip)))
    assert all(
        first.weights.event[name] is first.weights.image[name] for name in first.weights.event
    )
    again = load_clip(ModelConfig(clip=str(clip), event=str(model)))
    for name, tensor in again.weights.event.items():
        assert torch.equal(tensor, average[f"tower.{name.removeprefix('visual.')}"])
    assert torch.equal(again.weights.image["visual.proj"], first.weights.event["visual.proj"])
    with pytest.raises(SaccadeError, match=r"its image tower is not kept for torch; give CLIP's"):
        load_clip(ModelConfig(clip=str(model)))
    manifest = model / "model.toml"
    text = manifest.read_text()
    manifest.write_text(text.replace('normalise = "none"', 'normalise = "clip"'))
    plain = load_clip(ModelConfig(clip=str(model)))
    assert plain.weights.scale == pytest.approx(first.weights.scale)
    assert plain.weights.space == first.weights.space
    assert plain.tokenizer == first.tokenizer
    with pytest.raises(SaccadeError, match=r"model\.vocab and model\.activation are for"):
        load_clip(ModelConfig(clip=str(model), vocab="bpe.txt"))
    manifest.write_text(text)


# torch's exporter warns of torch's own deprecations.
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_fine_tuning_leaves_a_model_that_labels_recordings(config, given, tmp_path):
    out = tmp_path / "out"
    commands.train("finetune", config(train={"epochs": 30}), out, resume=False)
    assert {"pred", "loss"} == {*lines(out, "train")[0]} & {"ct", "zs", "kl", "pred", "loss"}
    assert lines(out, "validation")[-1]["top1"] == 1

    model = load_model(out / "model")
    assert model.manifest.frame.kind == "clamped"
    about = model.manifest.training
    assert (about["objective"], about["samples"], about["top1"]) == ("finetune", 12, 1.0)
    three = weights(out)["tower.conv1.weight"]  # the average, which takes three copies
    found = event_tower(model).state_dict()["conv1.weight"]
    torch.testing.assert_close(found, three.sum(1, keepdim=True))

    check_that_it_can_be_gone_on_with(given[0], out / "model", weights(out))

    seen = Path(str(given[1]["validation"]["root"])) / "south_west" / "050.aedat4"
    words = ["aaaa", "zzzz", "8888", "...."]
    with saccade.Pipeline(
        str(seen), model=str(out / "model"), labels=words, count=300, template=["{}"]
    ) as pipeline:
        assert next(iter(pipeline)).labels[0] == "8888"


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["cnn", "vit"])
def test_a_student_learns_from_a_teacher(config, tmp_path, kind, monkeypatch):
    if kind == "vit":  # the export is the same
        monkeypatch.setattr(commands, "write_model", lambda *_: None)
    monkeypatch.setattr(load, "known_space", lambda *_: "clip-tiny/known")
    out = tmp_path / "out"
    student = {"kind": kind, "size": 16, "channels": [8, 16], "patch": 8, "width": 64, "layers": 1}
    student["heads"] = 2
    path = config(student=student, train={"epochs": 10, "base_lr": 0.2}, loss={"pred": 0.5})
    commands.train("distill", path, out, resume=False)
    steps = lines(out, "train")
    assert steps[-1]["distill"] < 0.7 * steps[0]["distill"]
    assert steps[-1]["pred"] < steps[0]["pred"]
    if kind == "cnn":
        model = load_model(out / "model")
        assert model.manifest.input.size == 16
        assert model.manifest.text is not None
        assert model.manifest.embedding.space == "clip-tiny/known"  # its teacher's
        engine = OnnxEngine(model)
        engine.input[0] = 0.5
        engine.run(1)
        assert engine.output.shape == (1, tiny.ARCH.dimension)


class _Killed(BaseException):
    pass


@pytest.mark.usefixtures("no_export")
def test_a_killed_run_resumes_to_the_same_bits(config, tmp_path, monkeypatch):
    path = config(data={"augment": True}, train={"checkpoint_steps": 3, "precision": "bf16"})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    commands.train("pretrain", path, whole, resume=False)

    step = trainer.Trainer.make_step

    def killed(self, batch, rate):
        if self.step == 4:  # the checkpoint is of step 3, in the middle of an epoch
            raise _Killed
        return step(self, batch, rate)

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(trainer.Trainer, "make_step", killed)
        patch.setattr(trainer, "save_checkpoint", _only_of_step_3(trainer.save_checkpoint))
        commands.train("pretrain", path, cut, resume=False)
    assert len(lines(cut, "train")) == 4
    torch.manual_seed(99)  # another process would have other random states
    commands.train("pretrain", path, cut, resume=True)

    def logged(out):
        return [{k: v for k, v in line.items() if k != "samples_s"} for line in lines(out, "train")]

    assert logged(cut) == logged(whole)
    assert lines(cut, "validation") == lines(whole, "validation")
    for name in ("encoder", "average"):
        mine, wanted = weights(cut, name), weights(whole, name)
        assert all(torch.equal(mine[key], wanted[key]) for key in wanted)
    states = [
        torch.load(sorted((out / "checkpoints").iterdir())[-1] / "optimiser.pt", weights_only=True)
        for out in (cut, whole)
    ]
    moments = [state["optimiser"]["state"] for state in states]
    assert all(
        torch.equal(moments[0][k][name], moments[1][k][name])
        for k in moments[1]
        for name in ("exp_avg", "exp_avg_sq", "step")
    )


def _only_of_step_3(save):
    return lambda folder, state, stamp: stamp.step != 3 or save(folder, state, stamp)


@pytest.mark.usefixtures("no_export")
def test_a_run_is_not_mixed_with_another(config, tmp_path):
    out = tmp_path / "out"
    commands.train("finetune", config(train={"epochs": 1}), out, resume=False)
    again = config(train={"epochs": 1})
    with pytest.raises(SaccadeError, match=r"holds a training; go on with it \(--resume\)"):
        commands.train("finetune", again, out, resume=False)
    with pytest.raises(SaccadeError, match=r"train\.seed was 0, is 4"):
        commands.train("finetune", config(train={"epochs": 1, "seed": 4}), out, resume=True)
    with pytest.raises(SaccadeError, match=r"of another training \(loss\.ct was 0\.0, is 1\.0"):
        commands.train("pretrain", again, out, resume=True)
    (newest,) = (out / "checkpoints").iterdir()
    (newest / "optimiser.pt").write_bytes((newest / "optimiser.pt").read_bytes()[:100])
    with pytest.raises(SaccadeError, match=r"step-00000002: damaged .*; remove it"):
        commands.train("finetune", config(train={"epochs": 1}), out, resume=True)
    (out / "model").mkdir()
    with pytest.raises(SaccadeError, match=r"is trained already"):
        commands.train("finetune", again, out, resume=True)


def test_parts_of_a_batch_give_the_batchs_gradient(config):
    """Of L_pred, which compares no sample with another."""
    from saccade.training.config import read_config
    from saccade.training.processes import Processes
    from saccade.training.towers import load_clip

    here, gradients = Processes(0, 1, torch.device("cpu")), []
    for parts in (1, 3):
        made = read_config(config(train={"accumulate": parts}), "finetune")
        task = commands._task("finetune", made, load_clip(made.model))
        mine = trainer.Trainer(task, Path("unused"), here)
        batch = next(iter(trainer.training_batches(task.samples, mine._order, 0)))
        values = mine.accumulate(batch)
        gradients.append((values["loss"], mine.state.encoder.tower.proj.grad))
    assert gradients[0][0] == pytest.approx(gradients[1][0], rel=1e-5)
    torch.testing.assert_close(gradients[0][1], gradients[1][1], rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_ends_the_run(config, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "total", lambda *_: torch.tensor(torch.nan, requires_grad=True))
    with pytest.raises(SaccadeError, match=r"step 1: the loss is nan; lower train.base_lr"):
        commands.train("finetune", config(), tmp_path / "out", resume=False)


def test_what_cannot_be_trained_is_refused(config, tmp_path):
    def refused(match, **sections):
        with pytest.raises(SaccadeError, match=match):
            commands.train("finetune", config(**sections), tmp_path / "out", resume=False)

    refused(r"12 samples fill no step of 32 for each of 1", train={"batch": 32})
    refused(r"precision fp16: needs a GPU", train={"precision": "fp16"})
    refused(r"model 'nobody': neither a bundled model", model={"clip": "nobody"})
    refused(r"saccade-mini: no CLIP that torch could train", model={"clip": "saccade-mini"})
