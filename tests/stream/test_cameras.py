"""Several cameras in one process: each has its own accounts, and none ends another."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
from tests.commands import command, refused
from tests.stream.test_live_run import start, wait_for

import saccade
from saccade.camera.errors import RecordingError, SaccadeError
from saccade.camera.recordings import open_recording
from saccade.stream.cameras import Cameras
from saccade.stream.pipeline import Pipeline
from saccade.stream.publisher import Publisher
from saccade.stream.wire import LabelHeader, StatusHeader, VocabularyHeader


@pytest.fixture
def damaged(recording: Path, tmp_path: Path) -> Path:
    """The recording, cut off in its last third."""
    path = tmp_path / "damaged.aedat4"
    data = recording.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def test_each_has_the_predictions_that_it_has_alone(model: Path, recording: Path) -> None:
    with Pipeline(recording, model=model, window="5ms") as pipeline:
        alone = [(p.t_end_us, p.labels) for p in pipeline]
    with Cameras([recording, recording], streams=["a", "b"], model=model, window="5ms") as cameras:
        found: dict[str, list[tuple[int, tuple[str, ...]]]] = {"a": [], "b": []}
        for name, prediction in cameras:
            found[name].append((prediction.t_end_us, prediction.labels))
    assert found == {"a": alone, "b": alone} and not cameras.failures
    for summary in cameras.summaries.values():
        assert summary.labels == len(alone) and summary.events_lost == 0
    with pytest.raises(SaccadeError, match="already iterated"):
        list(cameras)


def test_one_that_fails_stops_none(model: Path, recording: Path, damaged: Path) -> None:
    told: list[str] = []
    with Cameras(
        [damaged, recording], model=model, on_failure=lambda name, _: told.append(name)
    ) as cameras:
        assert list(cameras.pipelines) == ["damaged", recording.stem]
        names = [name for name, _ in cameras]
    assert told == ["damaged"] and isinstance(cameras.failures["damaged"], RecordingError)
    summary = cameras.summaries[recording.stem]
    assert summary.labels == names.count(recording.stem) and summary.events_lost == 0


def test_leaving_early_counts_what_nobody_took(model: Path, recording: Path) -> None:
    cameras = Cameras([recording, recording], model=model, window="1ms")
    for _ in cameras:
        time.sleep(0.05)  # the other one waits with its first
        break
    cameras.close()
    for total in cameras.summaries.values():
        assert total.events_in == total.events_published + sum(total.dropped.values())


def test_names_are_different_and_one_for_each(model: Path, recording: Path) -> None:
    stem = recording.stem
    with Cameras([recording] * 3, model=model) as cameras:
        assert list(cameras.pipelines) == [stem, f"{stem}-2", f"{stem}-3"]
    with Cameras(["sim://noise?rate=1k&serial=A/7"], model=model) as cameras:
        assert list(cameras.pipelines) == ["A-7"]
    for streams in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(SaccadeError, match=r"different names for 2 sources"):
            Cameras([recording] * 2, streams=streams, model=model)
    with pytest.raises(SaccadeError, match="no source"):
        Cameras([], model=model)
    with pytest.raises(SaccadeError):
        Cameras([recording, "usb://1"], model=model)


def test_two_streams_share_an_address() -> None:
    with Publisher("zmq://127.0.0.1:0", "left") as left:
        right = Publisher(stream="right", beside=left)
        assert right.address == left.address
        with pytest.raises(SaccadeError, match="give another name"):
            Publisher(stream="right", beside=left)
        for publisher in (left, right):
            publisher.publish_vocabulary(VocabularyHeader(labels=[publisher.stream]))
        with saccade.Subscriber(
            left.address, ("vocabulary/", "label/right/", "status/"), timeout_s=10
        ) as subscriber:
            assert right.wait_for_subscriber(10) and left.subscribers == 0
            right.publish_label(LabelHeader(labels=["x"], scores=[1.0]))
            right.close()  # the address stays, for left
            left.publish_vocabulary(VocabularyHeader(labels=["again"]))
            ended = {}
            while "again" not in ended:
                message = subscriber.receive()
                assert message is not None
                header = message.header
                if isinstance(header, StatusHeader) and header.state == "ended":
                    ended[header.stream] = True
                if isinstance(header, VocabularyHeader) and header.labels == ["again"]:
                    ended["again"] = True
            assert ended == {"right": True, "again": True}
    with pytest.raises(SaccadeError, match="closed"):
        Publisher(stream="late", beside=left)


def facts(path: Path) -> dict[str, dict[str, object]]:
    return json.loads(path.read_text())


def test_a_signal_drains_all_and_every_account_is_exact(model: Path, tmp_path: Path) -> None:
    address, lines, total = f"ipc://{tmp_path}/out", tmp_path / "a.jsonl", tmp_path / "sum.json"
    process = start(
        "run", "sim://scene?rate=50k&size=64x64", "sim://noise?rate=20k&size=32x32", "--stream",
        "left", "--stream", "right", "--model", model, "--window", "50ms", "--out", address,
        "--out", f"jsonl:{lines}", "--summary", total, "--record", tmp_path / "{stream}.raw",
    )  # fmt: skip
    with process:
        with saccade.Subscriber(address, timeout_s=60) as subscriber:
            seen: set[str] = set()
            while seen != {"left", "right"}:
                message = subscriber.receive()
                assert message is not None
                seen.add(message.header.stream)
        wait_for(process, "right     status")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "left  " in out and "right  " in out and err.count("recorded") == 2
    labels = [json.loads(line)["stream"] for line in lines.read_text().splitlines()]
    for name, size in (("left", 64), ("right", 32)):
        account = facts(total)[name]
        dropped = account["dropped"]
        assert isinstance(dropped, dict) and account["labels"] == labels.count(name) > 0
        assert account["events_in"] == account["events_published"] + sum(dropped.values())
        with open_recording(str(tmp_path / f"{name}.raw")) as recording:
            assert (recording.width, recording.height) == (size, size)


def test_the_command_goes_on_with_the_others_and_fails_at_the_end(
    model: Path, recording: Path, damaged: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "a.jsonl"
    arguments = ("--model", model, "--speed", "max", "--out", f"jsonl:{lines}")
    done = command("run", damaged, recording, *arguments)
    refused(done, "1 of 2 failed: damaged: ")
    assert "damaged ended: " in done.stderr
    with Pipeline(recording, model=model) as alone:
        expected = len(list(alone))
    found = [json.loads(line)["stream"] for line in lines.read_text().splitlines()]
    assert found.count(recording.stem) == expected > 0
    refused(command("run", recording, recording, *arguments[:2], "--stream", "a"), "for 2 sources")
    refused(
        command("run", recording, recording, *arguments[:2], "--control", "zmq://127.0.0.1:0"),
        "answers for one source",
    )
    refused(command("run", "sim://", "sim://", *arguments[:2], "--record", "a.raw"), "{stream}")
