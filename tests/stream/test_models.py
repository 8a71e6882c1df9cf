"""`saccade models`: adding from a hub, from folders and files; what fails adds nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys

import onnx
import pytest
from tests.commands import refused
from tests.hub import COMMIT
from tests.models import make_model, write_manifest


def test_a_model_of_the_hub_runs_from_the_store(hub, saccade, tmp_path, recording):
    hub.serve("me/halves", make_model(tmp_path / "m"))
    done = saccade("models", "add", "me/halves")
    assert done.returncode == 0, done.stderr
    assert "space halves/1" in done.stdout
    assert done.stderr.splitlines()[0] == "downloading model.toml"
    shutil.rmtree(tmp_path / "m")
    done = saccade("run", recording, "--model", "halves", "--speed", "max", "--out", "jsonl:-")
    assert json.loads(done.stdout.splitlines()[0])["model"] == "halves"
    rows = json.loads(saccade("models", "list", "--json").stdout)
    assert [(row["name"], row["where"]) for row in rows] == [
        ("saccade-mini", "bundled"), ("halves", "store"),
    ]  # fmt: skip
    assert rows[1]["precisions"] == ["fp32"]
    assert rows[1]["space"] == "halves/1"
    assert rows[1]["bytes"] > 1000
    shown = json.loads(saccade("models", "show", "halves", "--json").stdout)
    assert shown["manifest"]["embedding"]["dimension"] == 4
    assert (shown["words"], shown["any_words"]) == (4, False)
    assert shown["files"]["model.onnx"] > 1000
    assert "halves/1" in saccade("models", "show", "halves").stdout
    assert "halves" in saccade("models", "list").stdout


def test_a_download_that_breaks_off_is_resumed(hub, saccade, tmp_path):
    folder = make_model(tmp_path / "m")
    large = bytes(24 << 20)  # the hub's library writes, and resumes at, pieces of 10 MB
    (folder / "weights.safetensors").write_bytes(large)
    files = f'files = {{ "weights.safetensors" = "{hashlib.sha256(large).hexdigest()}" }}\n'
    (folder / "model.toml").write_text(files + (folder / "model.toml").read_text())
    repository = hub.serve("me/halves", folder)
    repository.faults.breaks["weights.safetensors"] = 2
    done = saccade("models", "add", "me/halves")
    assert done.returncode == 0, done.stderr
    ranges = [r for method, path, r in hub.requests if method == "GET" and "weights" in path]
    assert ranges == ["", f"bytes={10 << 20}-", f"bytes={10 << 20}-"]
    assert saccade("models", "verify").returncode == 0


def test_offline_takes_what_the_cache_has(hub, saccade, store, tmp_path):
    hub.serve("me/halves", make_model(tmp_path / "m"))
    refused(saccade("models", "add", "me/halves", "--offline"), "me/halves: not in the hub's cache")
    assert hub.requests == []
    assert saccade("models", "add", "me/halves").returncode == 0
    asked = len(hub.requests)
    for option in ("--offline", "--revision=main", f"--revision={COMMIT}"):
        name = f"--name=again{option.strip('-').replace('=', '-')[:20]}"
        done = saccade("models", "add", "me/halves", "--offline", option, name)
        assert done.returncode == 0, done.stderr
    assert saccade("models", "add", "me/halves", "--name=env", HF_HUB_OFFLINE="1").returncode == 0
    assert len(hub.requests) == asked
    assert len(store()) == 5


REFUSALS = {
    "gated": ({"status": 401, "code": "GatedRepo"}, ["gated", "/me/halves", "HF_TOKEN"]),
    "private": ({"status": 401, "code": "RepoNotFound"}, ["no such repository", "hf auth login"]),
    "broken": ({"status": 500}, ["the hub refuses", "try again later"]),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_hub_refuses_is_one_line(hub, saccade, store, tmp_path, name):
    answer, texts = REFUSALS[name]
    repository = hub.serve("me/halves", make_model(tmp_path / "m"))
    vars(repository).update(answer)
    refused(saccade("models", "add", "me/halves"), "me/halves", *texts)
    assert store() == []


def test_what_the_hub_does_not_have_is_one_line(hub, saccade, store, tmp_path):
    hub.serve("me/halves", make_model(tmp_path / "m"))
    hub.serve("me/two", {"vitb.pt": b"x", "vitl.pt": b"x", "README.md": b"x"})
    hub.serve("me/none", {"README.md": b"x"})
    for arguments, texts in (
        (["me/nothing"], ["me/nothing: no such repository"]),
        (["me/halves", "--revision", "v9"], ["no revision 'v9'"]),
        (["me/two"], ["has vitb.pt, vitl.pt; choose one with --file"]),
        (["me/two", "--file", "vith.pt"], ["no file vith.pt", "vitb.pt, vitl.pt"]),
        (["me/none"], ["no weights"]),
        (["nobody"], ["neither a file or folder", "OWNER/NAME"]),
        (["open_clip:ViT-H-14/x"], ["ViT-B-32, ViT-B-16, ViT-L-14"]),
        (["open_clip:ViT-B-32/of_nobody"], ["open_clip_torch"]),
        (["open_clip:ViT-B-32/laion2b_s34b_b79k"], ["laion/CLIP-ViT-B-32-laion2B-s34B-b79K"]),
    ):
        refused(saccade("models", "add", *arguments), *texts)
    assert store() == []


def test_a_hub_out_of_reach_is_one_line(hub, saccade):
    done = saccade("models", "add", "me/halves", HF_ENDPOINT="http://127.0.0.1:9")
    refused(done, "me/halves: the hub cannot be reached", "--offline")


def test_damage_on_the_way_is_refused(hub, saccade, store, tmp_path):
    repository = hub.serve("me/halves", make_model(tmp_path / "m"))
    repository.faults.other.add("model.onnx")
    refused(saccade("models", "add", "me/halves"), "model.onnx", "hash is not the hub's")
    repository.faults.other.clear()
    repository.commit = "b" * 40
    repository.faults.longer["model.onnx"] = 7
    refused(saccade("models", "add", "me/halves"), "another size than the hub said")
    assert store() == []


def test_a_kill_and_a_second_add_in_the_middle(hub, saccade, store, tmp_path):
    repository = hub.serve("me/halves", make_model(tmp_path / "m"))
    repository.faults.stalls.add("model.onnx")
    first = subprocess.Popen(
        [sys.executable, "-m", "saccade", "models", "add", "me/halves"],
        env=saccade.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert hub.stalled.wait(30)
    refused(saccade("models", "add", "me/halves"), "another process is adding")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    repository.faults.stalls.clear()
    assert store() == [".halves.part"]
    assert "halves: removed what a killed" in saccade("models", "verify").stdout
    assert store() == []
    assert saccade("models", "add", "me/halves").returncode == 0
    assert store() == ["halves"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_add_leaves_nothing(hub, saccade, store, tmp_path, number):
    repository = hub.serve("me/halves", make_model(tmp_path / "m"))
    repository.faults.stalls.add("model.onnx")
    first = subprocess.Popen(
        [sys.executable, "-m", "saccade", "models", "add", "me/halves"],
        env=saccade.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert hub.stalled.wait(30)
    first.send_signal(number)
    _, err = first.communicate(timeout=30)
    assert first.returncode == 130, err
    assert "Traceback" not in err
    assert store() == []


def test_a_model_folder_is_copied_when_it_is_right(saccade, store, tmp_path):
    folder = make_model(tmp_path / "mine")
    (folder / "CARD.md").write_text("# mine")
    done = saccade("models", "add", folder)
    assert done.returncode == 0, done.stderr
    assert "CARD.md" in saccade("models", "show", "mine").stdout
    refused(saccade("models", "add", folder), "models remove mine")
    sha256 = json.loads(saccade("models", "show", "mine", "--json").stdout)["manifest"]["sha256"]
    right = saccade("models", "add", folder, "--sha256", sha256.upper(), "--name", "yours")
    assert right.returncode == 0, right.stderr
    assert store() == ["mine", "yours"]


def test_a_model_folder_that_does_not_match_is_refused(saccade, store, tmp_path):
    folder = make_model(tmp_path / "mine")
    for arguments, texts in (
        (["--sha256", "0" * 64], ["not the one that was asked for"]),
        (["--sha256", "0"], ["64 hexadecimal"]),
        (["--arch", "ViT-B-32"], ["architecture is unknown, not ViT-B-32"]),
        (["--frame", "paper"], ["--frame", "for checkpoints"]),
        (["--revision", "main"], ["--revision is for"]),
        (["--file", "no.pt"], ["no file no.pt"]),
        (["--name", "a/b"], ["not a name"]),
        (["--precision", "fp8"], ["fp32,fp16,int8"]),
    ):
        refused(saccade("models", "add", folder, *arguments), *texts)
    (folder / "model.onnx").write_bytes(b"not a model")
    refused(saccade("models", "add", folder), f"{folder}/model.onnx: sha256")
    write_manifest(folder)
    refused(saccade("models", "add", folder), f"{folder}/model.onnx: not a model that runs")
    (folder / "labels.safetensors").unlink()
    refused(saccade("models", "add", folder), "no file labels.safetensors")
    assert store() == []


def test_a_model_that_reaches_outside_of_its_folder_is_refused(hub, saccade, store, tmp_path):
    folder = make_model(tmp_path / "mine")
    outside = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save_model(onnx.load(folder / "model.onnx"), folder / "model.onnx", **outside)
    write_manifest(folder)
    hub.serve("me/mine", folder)
    for source in (folder, "me/mine"):
        refused(saccade("models", "add", source), "model.onnx: its weights lie in another file")
    manifest = (make_model(folder) / "model.toml").read_text()
    (folder / "model.toml").write_text(f'files = {{ "../w.bin" = "{"0" * 64}" }}\n' + manifest)
    hub.serve("me/mine", folder).commit = "c" * 40
    for arguments in ([folder], ["me/mine", "--revision=v1"]):
        refused(saccade("models", "add", *arguments), "lies outside of the folder")
    assert store() == []


FULL = """
import errno, os, shutil, sys
def full(source, target):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
shutil.copyfile = full
from saccade.stream.cli import main
main()
"""


def test_a_full_disk_adds_nothing(saccade, store, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL, "models", "add", make_model(tmp_path / "m")],
        env=saccade.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    refused(done, "No space left on device), nothing was added", "SACCADE_HOME")
    assert store() == []


def test_verify_says_which_file_is_damaged(saccade, tmp_path):
    assert saccade("models", "add", make_model(tmp_path / "mine")).returncode == 0
    assert saccade("models", "verify").stdout.splitlines() == [
        "saccade-mini: ok, 2 files", "mine: ok, 2 files",
    ]  # fmt: skip
    for name in ("model.onnx", "labels.safetensors"):
        path = tmp_path / "home" / "models" / "mine" / name
        path.write_bytes(path.read_bytes()[:-1])
    done = saccade("models", "verify", "mine")
    assert done.returncode == 1
    assert [line[:14] for line in done.stdout.splitlines()] == ["mine: damaged:"] * 2
    assert saccade("models", "verify", "saccade-mini").returncode == 0
    refused(saccade("models", "verify", "yours"), "not in the store")


def test_removing_asks_first(saccade, store, tmp_path):
    assert saccade("models", "add", make_model(tmp_path / "mine")).returncode == 0
    refused(saccade("models", "remove", "mine"), "nobody to ask; say --yes")
    assert store() == ["mine"]
    refused(saccade("models", "remove", "saccade-mini", "--yes"), "comes with saccade")
    assert saccade("models", "remove", "mine", "--yes").returncode == 0
    assert store() == []


def test_a_damaged_manifest_is_listed_with_what_is_wrong(saccade, tmp_path):
    assert saccade("models", "add", make_model(tmp_path / "mine")).returncode == 0
    (tmp_path / "home" / "models" / "mine" / "model.toml").write_text("[in")
    assert "restore it" in saccade("models", "list").stdout
    assert "error" in json.loads(saccade("models", "list", "--json").stdout)[1]
    refused(saccade("models", "show", "mine"), "model.toml")
