"""The model store: whole models or none, whoever else is adding, and however an add ends."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.models import make_model, write_manifest

from saccade.engines.models import ModelError, load_model, stored_models
from saccade.engines.places import engines_folder, models_folder
from saccade.engines.store import adding, clean_store, damages, remove_model


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SACCADE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def put(name):
    with adding(name) as folder:
        make_model(folder)


def test_the_folders_are_the_users_or_those_of_saccade_home(home, monkeypatch, tmp_path):
    assert (models_folder(), engines_folder()) == (home / "models", home / "engines")
    monkeypatch.setenv("SACCADE_HOME", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if sys.platform == "linux":
        assert models_folder() == tmp_path / "data" / "saccade" / "models"
        assert engines_folder() == tmp_path / "cache" / "saccade" / "engines"


def test_a_model_is_in_the_store_when_it_is_whole(home):
    with adding("mine") as folder:
        make_model(folder)
        assert stored_models() == []
    assert stored_models() == ["mine"]
    assert load_model("mine").folder == home / "models" / "mine"
    assert list((home / "models").iterdir()) == [home / "models" / "mine"]


def test_a_stored_model_comes_before_a_folder_of_its_name(home, tmp_path, monkeypatch):
    put("mine")
    monkeypatch.chdir(tmp_path)
    make_model(tmp_path / "mine")
    assert load_model("mine").folder == home / "models" / "mine"
    assert load_model("./mine").folder.resolve() == tmp_path / "mine"


def test_an_unknown_name_names_the_stored_ones():
    put("mine")
    with pytest.raises(ModelError, match=r"store \(mine\).*saccade models add"):
        load_model("yours")


def test_what_fails_leaves_nothing(home):
    with pytest.raises(KeyboardInterrupt), adding("mine") as folder:
        make_model(folder)
        raise KeyboardInterrupt
    assert list((home / "models").iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".hidden", "a b", "a\n", "x" * 101])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ModelError, match="not a name"), adding(name):
        pass


def test_a_name_that_is_taken_is_refused():
    put("mine")
    for name, what in (("mine", "models remove mine"), ("saccade-mini", "bundled")):
        with pytest.raises(ModelError, match=what), adding(name):
            pass


def test_two_adds_of_one_name_do_not_meet(home):
    with adding("mine") as folder:
        make_model(folder)
        with pytest.raises(ModelError, match="another process is adding"), adding("mine"):
            pass
        put("yours")
    assert stored_models() == ["mine", "yours"]
    assert load_model("mine")


KILLED = """
import os, pathlib, signal
from saccade.engines.store import adding, remove_model
with adding("mine") as folder:
    (folder / "inside").mkdir(parents=True)
    (folder / "model.toml").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_add_left_is_cleaned(home):
    done = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert done.returncode == -9
    assert (home / "models" / ".mine.part" / "mine" / "model.toml").exists()
    assert stored_models() == []
    put("mine")
    assert stored_models() == ["mine"]
    assert load_model("mine")
    subprocess.run([sys.executable, "-c", KILLED.replace("mine", "yours")], check=False)
    assert clean_store() == ["yours"]
    assert [path.name for path in (home / "models").iterdir()] == ["mine"]


def test_removing(home):
    put("mine")
    remove_model("mine")
    assert list((home / "models").iterdir()) == []
    with pytest.raises(ModelError, match="not in the store"):
        remove_model("mine")
    with pytest.raises(ModelError, match="comes with saccade"):
        remove_model("saccade-mini")


def test_every_damage_is_one_line(tmp_path):
    folder = make_model(tmp_path / "m")
    assert damages(folder) == []
    (folder / "model.int8.onnx").write_bytes(b"int8")
    with (folder / "model.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write(f'files = {{ "model.int8.onnx" = "{"0" * 64}", "text.onnx" = "{"1" * 64}" }}\n')
        file.write(text)
    (folder / "labels.safetensors").write_bytes(b"")
    found = damages(folder)
    assert [line.split(": ")[0].rpartition("/")[2] for line in found] == [
        "model.int8.onnx", "text.onnx", "labels.safetensors",
    ]  # fmt: skip
    assert ["sha256" in line for line in found] == [True, False, True]
    (folder / "model.toml").write_text("[in")
    assert len(damages(folder)) == 1


def test_files_outside_of_the_folder_are_refused(tmp_path):
    folder = make_model(tmp_path / "m")
    manifest = (folder / "model.toml").read_text()
    for name in ("../m/model.onnx", "/etc/passwd", "..", "a/b"):
        (folder / "model.toml").write_text(f'files = {{ "{name}" = "{"0" * 64}" }}\n' + manifest)
        with pytest.raises(ModelError, match="outside of the folder"):
            load_model(folder)
        assert len(damages(folder)) == 1


def test_large_encoders_are_checked_when_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("saccade.engines.models.CHECKED_AT_LOAD_BYTES", 100)
    folder = make_model(tmp_path / "m")
    (folder / "model.onnx").write_bytes(b"x" * 200)
    model = load_model(folder)
    with pytest.raises(ModelError, match="sha256"):
        model.onnx()
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model\.onnx: missing"):
        load_model(folder)


def test_a_model_without_words_loads_and_says_how_to_make_some(tmp_path):
    folder = make_model(tmp_path / "m")
    write_manifest(folder)
    lines = (folder / "model.toml").read_text().splitlines(keepends=True)
    (folder / "model.toml").write_text("".join(x for x in lines if "labels_sha256" not in x))
    (folder / "labels.safetensors").unlink()
    with pytest.raises(ModelError, match="saccade labels make"):
        load_model(folder).labels()
