"""A publisher's labels as `vision_msgs/Classification` in ROS 2: a node that only subscribes.

    python3 examples/ros2_bridge.py [zmq://127.0.0.1:5556] [--stamp events|arrival] [--top 5]

Needs saccade, `rclpy` and `ros-$ROS_DISTRO-vision-msgs` in one Python. Each stream NAME is a topic
`saccade/NAME/labels` with sensor-data QoS (best effort, the last few), whose `frame_id` is NAME. A
message is stamped with the time of the slice's last event, by ROS's clock, where the camera is on
this machine: monotonic clocks of two machines have nothing in common, so there say
`--stamp arrival`. Only the newest labels are sent on where ROS is slower.
"""

from __future__ import annotations

import argparse
import re
import time
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.qos import qos_profile_sensor_data
from vision_msgs.msg import Classification, ObjectHypothesis

from saccade.stream.headers import LabelHeader
from saccade.stream.keys import client_keys
from saccade.stream.subscriber import Subscriber

_WAIT_S = 0.2  # between two looks at whether ROS is shutting down


class Bridge:
    """Sends label headers on; makes a ROS publisher for each stream when it is first heard."""

    def __init__(self, node: Any, stamp: str, top: int) -> None:
        """`stamp` is "events" or "arrival"; of each slice at most `top` labels are sent."""
        self._node, self._stamp, self._top = node, stamp, top
        self._publishers: dict[str, Any] = {}

    def send(self, header: LabelHeader) -> None:
        """One slice's labels; no result of a slice without events."""
        message = Classification()
        message.header.stamp = self._time(header.received_ns).to_msg()
        message.header.frame_id = header.stream
        pairs = zip(header.labels, header.scores, strict=True) if header.n_events else ()
        message.results = [_hypothesis(*pair) for pair in list(pairs)[: self._top]]
        self._publisher(header.stream).publish(message)

    def _time(self, received_ns: int) -> Any:
        now = self._node.get_clock().now()
        if self._stamp == "arrival":
            return now
        return now - Duration(nanoseconds=time.monotonic_ns() - received_ns)

    def _publisher(self, stream: str) -> Any:
        if stream not in self._publishers:
            # Names in ROS are letters, digits and "_", and begin with no digit.
            name = re.sub(r"^(?=[0-9])", "_", re.sub(r"[^A-Za-z0-9_]", "_", stream))
            self._publishers[stream] = self._node.create_publisher(
                Classification, f"saccade/{name}/labels", qos_profile_sensor_data
            )
        return self._publishers[stream]


def _hypothesis(label: str, score: float) -> Any:
    found = ObjectHypothesis()
    found.class_id, found.score = label, float(score)
    return found


def main(words: list[str] | None = None) -> None:
    """Runs until ROS shuts down."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address", nargs="?", default="zmq://127.0.0.1:5556")
    parser.add_argument("--stamp", choices=("events", "arrival"), default="events")
    parser.add_argument("--top", type=int, default=5, help="labels of a slice")
    parser.add_argument("--key", help="our key, of `saccade keys make`")
    parser.add_argument("--server", help="the publisher's public key, or a file of it")
    options, _ = parser.parse_known_args(words)  # the rest is ROS's: --ros-args ...
    keys = client_keys(options.key, options.server)
    rclpy.init(args=words)
    node = rclpy.create_node("saccade")
    bridge = Bridge(node, options.stamp, options.top)
    try:
        with Subscriber(options.address, mode="mailbox", keys=keys) as subscriber:
            while rclpy.ok():
                for message in subscriber.latest(_WAIT_S).values():
                    if isinstance(message.header, LabelHeader):
                        bridge.send(message.header)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
