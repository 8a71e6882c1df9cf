"""Two processes with half a batch each train as one with the whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra: pip install -e '.[train]'")
pytest.importorskip("PIL.Image", reason="training needs the extra: pip install -e '.[train]'")

from tests.training import tiny  # noqa: E402

from saccade.training import commands, trainer  # noqa: E402

#: The other process: rank 1, which writes nothing.
SECOND = """
import sys, torch
from pathlib import Path
from saccade.training.commands import train
torch.set_num_threads(1)
train("pretrain", Path(sys.argv[1]), Path(sys.argv[2]), resume=False)
"""
ALL = {"ct": 1.0, "zs": 0.1, "kl": 1.0, "pred": 0.5, "symmetric": True}


def trained(path: Path, out: Path, monkeypatch) -> tuple[list[dict], list[dict]]:
    """The gradients of each step in this process, and the lines of the metrics."""
    gradients = []
    accumulate = trainer.Trainer.accumulate

    def kept(self, batch):
        values = accumulate(self, batch)
        parameters = self.state.encoder.named_parameters()
        gradients.append({name: p.grad.clone() for name, p in parameters})
        return values

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "accumulate", kept)
        patch.setattr(commands, "write_model", lambda *_: None)
        commands.train("pretrain", path, out, resume=False)
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return gradients, [json.loads(line) for line in lines]


@pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch was built without torch.distributed"
)
def test_two_processes_have_the_gradient_of_one(tmp_path, monkeypatch, free_port):
    given = tiny.write_clip(tmp_path / "clip"), tiny.write_data(tmp_path / "data")
    one = tiny.write_config(tmp_path / "one.toml", *given, loss=ALL, train={"epochs": 2})
    two = tiny.write_config(
        tmp_path / "two.toml", *given, loss=ALL, train={"epochs": 2, "batch": 3}
    )
    wanted, wanted_lines = trained(one, tmp_path / "one", monkeypatch)

    for name, value in {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port),
        "CUDA_VISIBLE_DEVICES": "",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANK", "1")
    command = [sys.executable, "-c", SECOND, str(two), str(tmp_path / "two")]
    with subprocess.Popen(command) as second:
        monkeypatch.setenv("RANK", "0")
        try:
            found, lines = trained(two, tmp_path / "two", monkeypatch)
            assert second.wait(60) == 0
        finally:
            second.kill()
    assert len(found) == len(wanted) == 4
    for mine, whole in zip(found, wanted, strict=True):
        largest = max(float(gradient.abs().max()) for gradient in whole.values())
        for name, gradient in whole.items():
            torch.testing.assert_close(mine[name], gradient, rtol=1e-3, atol=1e-4 * largest)
    for mine, whole in zip(lines, wanted_lines, strict=True):
        assert mine.keys() == whole.keys()
        for name in mine.keys() - {"samples_s", "kind"}:
            assert mine[name] == pytest.approx(whole[name], rel=1e-2), name
