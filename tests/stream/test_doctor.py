"""`saccade doctor`: each check on fakes, and the command on this machine."""

from __future__ import annotations

import json
import os
import resource

import pytest
from tests.commands import command
from tests.models import make_model

from saccade.stream import doctor
from saccade.stream.doctor_store import check_disk, check_folder, check_models
from saccade.stream.doctor_usb import check_cameras, check_usb_memory


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 9, 18), "wrong"), ((3, 10, 0), "ok"), ((3, 13, 5), "ok"), ((3, 14, 0), "note")],
)
def test_python(version, state):
    assert doctor.check_python(version).state == state


def test_a_package_that_is_missing_is_named():
    wanted = ["numpy>=1.26", "pyzmq>=26", "torch==2.13.0; extra == 'train'", "tomli; python<'3.11'"]
    assert doctor.check_packages(wanted, {"numpy": "2", "pyzmq": "27"}.get).says.startswith("all 2")
    found = doctor.check_packages(wanted, {"numpy": "2"}.get)
    assert (found.state, found.says, found.remedy) == (
        "wrong", "missing: pyzmq", "`pip install pyzmq`",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("features", "machine", "state"),
    [
        (["avx2", "avx512", "avx512_vnni"], "x86_64", "ok"),
        (["avx2"], "x86_64", "note"),
        ([], "x86_64", "note"),
        (["neon"], "aarch64", "ok"),
    ],
)
def test_processor(features, machine, state):
    assert doctor.check_processor(features, machine).state == state


@pytest.mark.parametrize(
    ("usable", "quota", "state"),
    [(4, None, "ok"), (1, None, "note"), (4, "max 100000", "ok"), (4, "150000 100000", "note")],
)
def test_cores(tmp_path, usable, quota, state):
    if quota:
        (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert doctor.check_cores(usable, tmp_path).state == state


def test_no_gpu_is_well_and_one_without_its_driver_is_noted(tmp_path):
    fault = "no NVIDIA driver (libcuda.so.1) was found; install it"
    assert doctor.check_no_gpu(fault, tmp_path).state == "ok"
    card = tmp_path / "bus" / "pci" / "devices" / "0000:01:00.0"
    card.mkdir(parents=True)
    (card / "vendor").write_text("0x10de\n")
    found = doctor.check_no_gpu(fault, tmp_path)
    assert (found.state, "ubuntu-drivers" in found.remedy) == ("note", True)
    found = doctor.check_no_gpu("the NVIDIA driver sees no GPU; see nvidia-smi", tmp_path)
    assert (found.state, found.remedy) == ("note", "see nvidia-smi")


@pytest.mark.parametrize(
    ("version", "importable", "state"),
    [(None, False, "note"), ("10.3.0", True, "ok"), ("8.5.2.2", True, "note"), (None, True, "ok")],
)
def test_tensorrt(version, importable, state):
    found = doctor.check_tensorrt(version, importable)
    assert (found.state, bool(found.remedy)) == (state, state == "note")


def test_torch_openvino_and_real_time():
    assert "pip install" in doctor.check_torch(None).remedy
    assert doctor.check_torch("2.13.0").state == "ok"
    assert "'saccade[openvino]'" in doctor.check_openvino(None).remedy
    assert doctor.check_openvino("2026.4.1").state == "ok"
    states = [doctor.check_real_time(n).state for n in (0, 50, resource.RLIM_INFINITY)]
    assert states == ["note", "ok", "ok"]


def plug_in(root, name, **facts):
    """A fake device of the USB bus, and its node where it may be opened; gives the node."""
    folder = root / "sys" / "bus" / "usb" / "devices" / name
    folder.mkdir(parents=True)
    for fact, value in {"busnum": 2, "devnum": 5, **facts}.items():
        (folder / fact).write_text(f"{value}\n")
    node = root / "dev" / "bus" / "usb" / "002" / f"{int(facts.get('devnum', 5)):03d}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()
    return node


DAVIS = {
    "idVendor": "152a", "idProduct": "8419", "product": "DAVIS346", "speed": 5000, "version": "3.00"
}  # fmt: skip


def cameras(root):
    return check_cameras(root / "sys", root / "dev")


def test_a_machine_without_usb_and_one_without_a_camera(tmp_path):
    assert "no USB bus" in cameras(tmp_path)[0].says
    plug_in(tmp_path, "1-1", idVendor="046d", idProduct="c52b")
    plug_in(tmp_path, "1-2", idVendor="04b4", idProduct="6572", product="Hub")
    (found,) = cameras(tmp_path)
    assert (found.state, found.says) == ("note", "no event camera is plugged in")


def test_cameras_that_can_be_opened(tmp_path):
    plug_in(tmp_path, "2-1", **DAVIS)
    evk = {"idVendor": "04b4", "idProduct": "00f5", "product": "", "devnum": 6}
    plug_in(tmp_path, "2-2", **{**DAVIS, **evk})
    plug_in(tmp_path, "2-3", **{**DAVIS, **evk, "idProduct": "1234", "manufacturer": "Prophesee"})
    found = cameras(tmp_path)
    assert [check.state for check in found] == ["ok", "ok", "ok"]
    assert found[0].name == "camera DAVIS346 (152a:8419)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every file")
def test_a_camera_of_somebody_else_needs_a_rule(tmp_path):
    plug_in(tmp_path, "2-1", **DAVIS).chmod(0)
    check_needs_a_rule(cameras(tmp_path))


def test_a_camera_that_may_not_be_opened_needs_a_rule(tmp_path, monkeypatch):
    plug_in(tmp_path, "2-1", **DAVIS)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check_needs_a_rule(cameras(tmp_path))


def check_needs_a_rule(found):
    (check,) = found
    assert (check.state, "may not open" in check.says) == ("wrong", True)
    assert 'ATTR{idVendor}=="152a"' in check.remedy
    assert "udevadm" in check.remedy


def test_a_camera_outside_of_the_container(tmp_path):
    plug_in(tmp_path, "2-1", **DAVIS).unlink()
    (found,) = cameras(tmp_path)
    assert (found.state, "docker run" in found.remedy) == ("wrong", True)


def test_a_camera_on_a_slow_port_is_noted(tmp_path):
    plug_in(tmp_path, "2-1", **{**DAVIS, "speed": 480, "version": "2.10"})
    plug_in(tmp_path, "2-2", **{**DAVIS, "speed": 480, "version": "2.00", "devnum": 6})  # a DVS128
    assert [check.state for check in cameras(tmp_path)] == ["note", "ok"]


@pytest.mark.parametrize(
    ("text", "states"),
    [("16", ["note"]), ("1000", ["ok"]), ("0", ["ok"]), (None, []), ("?", [])],
)
def test_memory_of_usb(tmp_path, text, states):
    folder = tmp_path / "module" / "usbcore" / "parameters"
    folder.mkdir(parents=True)
    if text:
        (folder / "usbfs_memory_mb").write_text(text)
    assert [check.state for check in check_usb_memory(tmp_path)] == states


def test_models_are_whole_or_named(tmp_path):
    assert check_models("models", tmp_path / "nowhere", "add").says == "none yet"
    make_model(tmp_path / "a")
    make_model(tmp_path / ".b.part")
    assert check_models("models", tmp_path, "add").says == "a"
    (tmp_path / "a" / "model.onnx").unlink()
    make_model(tmp_path / "c").joinpath("model.toml").write_text("[")
    found = check_models("models", tmp_path, "add")
    assert (found.state, found.remedy) == ("wrong", "add")
    assert "a: model.onnx missing" in found.says
    assert "c/model.toml" in found.says


def test_folders_that_can_be_written_or_made(tmp_path, monkeypatch):
    assert check_folder("store", tmp_path).says == str(tmp_path)
    assert "made when needed" in check_folder("store", tmp_path / "a" / "b").says
    (tmp_path / "file").touch()
    found = check_folder("store", tmp_path / "file" / "b")
    assert (found.state, "is a file" in found.remedy) == ("wrong", True)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = check_folder("store", tmp_path)
    assert (found.state, "chown" in found.remedy) == ("wrong", True)


def test_disk(tmp_path):
    assert check_disk(tmp_path / "not yet", lambda path: 5 << 30).state == "ok"
    assert check_disk(tmp_path, lambda path: 1 << 30).state == "note"


def test_the_command_looks_at_this_machine(tmp_path):
    home = {**os.environ, "SACCADE_HOME": str(tmp_path), "SECRET_TOKEN": "hunter2"}
    done = command("doctor", "--json", env=home)
    found = json.loads(done.stdout)
    assert found["ok"] == (done.returncode == 0)
    states = {check["name"]: check["state"] for check in found["checks"]}
    for name in ("Python", "packages", "native core", "ONNX Runtime", "bundled models"):
        assert states[name] == "ok", done.stdout
    assert all(check["remedy"] for check in found["checks"] if check["state"] != "ok")
    assert "hunter2" not in done.stdout


def test_what_is_wrong_is_exit_code_1(tmp_path):
    (tmp_path / "models").touch()
    done = command("doctor", env={**os.environ, "SACCADE_HOME": str(tmp_path)})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("wrong  model store"))
    assert lines[at + 1].startswith("       -> ")
