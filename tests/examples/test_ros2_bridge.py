"""The ROS 2 node, run with a fake of the few names that it uses: rclpy itself is not here."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from saccade.stream.publisher import Publisher
from saccade.stream.wire import LabelHeader

SOURCE = Path(__file__).parents[2] / "examples" / "ros2_bridge.py"
QOS = object()
NOW_NS = 1_700_000_000_000_000_000


class Time:
    """rclpy.time.Time: only differences with a Duration, and its message."""

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def __sub__(self, other: Duration) -> Time:
        return Time(self.ns - other.nanoseconds)

    def to_msg(self) -> SimpleNamespace:
        return SimpleNamespace(sec=self.ns // 10**9, nanosec=self.ns % 10**9)


class Duration:
    def __init__(self, *, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds


class Classification:
    """vision_msgs/Classification of 4.x: header, results."""

    def __init__(self) -> None:
        self.header = SimpleNamespace(stamp=None, frame_id="")
        self.results: list[ObjectHypothesis] = []


class ObjectHypothesis:
    """class_id is a string, score a float: rosidl checks both types."""

    __slots__ = ("class_id", "score")


class Node:
    def __init__(self, name: str, sent: list[tuple[str, Any]]) -> None:
        self.name, self.sent, self.topics, self.destroyed = name, sent, [], False

    def get_clock(self) -> SimpleNamespace:
        return SimpleNamespace(now=lambda: Time(NOW_NS))

    def create_publisher(self, kind: type, topic: str, qos: object) -> SimpleNamespace:
        assert (kind, qos) == (Classification, QOS)
        self.topics.append(topic)
        return SimpleNamespace(publish=lambda message: self.sent.append((topic, message)))

    def destroy_node(self) -> None:
        self.destroyed = True


class Ros:
    """The modules, and what happened to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.nodes: list[Node] = []
        self.calls: list[str] = []
        self.going = True
        rclpy = ModuleType("rclpy")
        rclpy.init = lambda args=None: self.calls.append("init")  # type: ignore[attr-defined]
        rclpy.ok = lambda: self.going  # type: ignore[attr-defined]
        rclpy.create_node = self._node  # type: ignore[attr-defined]
        rclpy.try_shutdown = lambda: self.calls.append("shutdown")  # type: ignore[attr-defined]
        named = {
            "rclpy": rclpy,
            "rclpy.duration": SimpleNamespace(Duration=Duration),
            "rclpy.qos": SimpleNamespace(qos_profile_sensor_data=QOS),
            "vision_msgs": ModuleType("vision_msgs"),
            "vision_msgs.msg": SimpleNamespace(
                Classification=Classification, ObjectHypothesis=ObjectHypothesis
            ),
        }
        for name, module in named.items():
            monkeypatch.setitem(sys.modules, name, module)  # type: ignore[arg-type]

    def _node(self, name: str) -> Node:
        self.nodes.append(Node(name, self.sent))
        return self.nodes[-1]


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> Ros:
    return Ros(monkeypatch)


@pytest.fixture
def bridge(ros: Ros) -> ModuleType:
    spec = importlib.util.spec_from_file_location("ros2_bridge", SOURCE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_labels_become_classifications_with_the_time_of_the_events(
    ros: Ros, bridge: ModuleType
) -> None:
    with Publisher("zmq://127.0.0.1:0", "1-cam") as publisher:
        running = threading.Thread(target=bridge.main, args=([publisher.address, "--top", "2"],))
        running.start()
        try:
            assert publisher.wait_for_subscriber(5)
            received_ns = time.monotonic_ns() - 5 * 10**9
            names, scores = ["cup", "chair", "face"], [0.5, 0.25, 0.125]
            publisher.publish_label(
                LabelHeader(labels=names, scores=scores, received_ns=received_ns, n_events=1)
            )
            until = time.monotonic() + 5
            while not ros.sent and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            ros.going = False
            running.join()
    ((topic, message),) = ros.sent
    assert topic == "saccade/_1_cam/labels"
    assert message.header.frame_id == "1-cam"
    stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
    assert 5e9 <= NOW_NS - stamp_ns < 15e9
    assert [(r.class_id, r.score) for r in message.results] == [("cup", 0.5), ("chair", 0.25)]
    assert ros.nodes[0].topics == [topic]
    assert ros.nodes[0].destroyed
    assert ros.calls == ["init", "shutdown"]


def header(stream: str, n_events: int) -> LabelHeader:
    return LabelHeader(stream=stream, labels=["cup"], scores=[1], received_ns=1, n_events=n_events)


def test_arrival_is_ros_time_now(ros: Ros, bridge: ModuleType) -> None:
    node = Node("saccade", ros.sent)
    sender = bridge.Bridge(node, "arrival", 5)
    for stream in ("cam", "cam", "cam.2"):
        sender.send(header(stream, n_events=1))
    sender.send(header("cam", n_events=0))
    assert node.topics == ["saccade/cam/labels", "saccade/cam_2/labels"]
    assert {message.header.stamp.sec for _, message in ros.sent} == {NOW_NS // 10**9}
    assert isinstance(ros.sent[0][1].results[0].score, float)
    assert ros.sent[-1][1].results == []
