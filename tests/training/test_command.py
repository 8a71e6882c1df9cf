"""`saccade train` on the command line: what it says without torch, and of a mistake."""

from __future__ import annotations

import importlib.util

import pytest

from saccade.stream import cli


def run(monkeypatch, capsys, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["saccade", "train", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    found = capsys.readouterr()
    return ended.value.code or 0, found.out + found.err


def test_without_torch_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "torch" else find_spec(name),
    )
    code, said = run(monkeypatch, capsys, "pretrain", "c.toml", "--out", str(tmp_path / "out"))
    assert (code, said) == (2, "error: train: needs torch; pip install 'saccade[train]'\n")
    assert not (tmp_path / "out").exists()


def test_a_mistake_is_one_line_and_leaves_nothing(monkeypatch, capsys, tmp_path):
    pytest.importorskip("torch", reason="training needs the extra: pip install -e '.[train]'")
    out = str(tmp_path / "out")
    for objective in ("pretrain", "finetune", "distill"):
        code, said = run(monkeypatch, capsys, objective, str(tmp_path / "c.toml"), "--out", out)
        assert code == 2
        assert said.startswith(f"error: {tmp_path}/c.toml: cannot be read")
        assert said.count("\n") == 1
    (tmp_path / "c.toml").write_text(
        '[model]\nclip = "nobody"\n[data]\nkind = "n-mnist"\nroot = "r"\n'
    )
    code, said = run(monkeypatch, capsys, "finetune", str(tmp_path / "c.toml"), "--out", out)
    assert code == 2
    assert said.startswith("error: model 'nobody': neither")


def test_help_names_the_three_ways(monkeypatch, capsys):
    code, said = run(monkeypatch, capsys, "--help")
    assert code == 0
    for word in ("pretrain", "finetune", "distill"):
        assert word in said
