"""A virtual camera in its own process behind its driver: every event arrives or is counted."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from saccade.camera.sources import LivePacket, SourceLostError, open_source
from saccade.camera.sources.reopening import Reopening
from saccade.camera.sources.sim import SimSource


def open_sim(query: str) -> SimSource:
    source = open_source(f"sim://noise?size=64x48&rate=100k&{query}")
    assert isinstance(source, SimSource)
    return source


def received(source: SimSource, packets) -> tuple[np.ndarray, list[LivePacket]]:
    """All until the end: their times and the packets; every event is accounted for."""
    found = [packet for packet in packets if packet is not None]
    t = np.concatenate([packet.events.t for packet in found])
    assert source.made == len(t) + source.lost["events"]
    return t, found


@pytest.mark.parametrize("encoding", ["evt3", "dv"])
def test_events_arrive_paced_by_the_clock(encoding: str) -> None:
    source = open_sim(f"seconds=0.4&fifo=10s&encoding={encoding}")
    try:
        t, found = received(source, source.packets(1.0))
        assert source.lost == {"events": 0, "damaged_packets": 0}
        assert not any(source.dropped.values())
        assert np.all(np.diff(t.astype(np.int64)) >= 0)
        assert t[-1] < 400_000
        for packet in found:  # nothing arrives before it happened
            assert packet.received_ns - source.start_ns > int(packet.events.t[-1]) * 1000
            assert packet.encoding == encoding and packet.raw
        assert (source.sensor, source.serial) == ("saccade simulator", "SIM00000001")
        assert (source.width, source.height, source.settings()) == (64, 48, {})
    finally:
        source.close()


def test_what_the_cable_loses_is_counted_and_the_same_for_a_seed() -> None:
    def lose() -> tuple[bytes, int]:
        source = open_sim("seconds=0.3&drop=0.3&fifo=10s&seed=5")
        try:
            t, _ = received(source, source.packets(1.0))
            assert not any(source.dropped.values())  # what is left is whole
            return t[:10_000].tobytes(), source.lost["events"]
        finally:
            source.close()

    (first, lost), (second, _) = lose(), lose()
    assert first == second and lost > 0


@pytest.mark.parametrize("encoding", ["evt3", "dv"])
def test_random_bytes_end_nothing(encoding: str) -> None:
    source = open_sim(f"seconds=0.3&garbage=0.3&encoding={encoding}")
    try:
        found = [packet for packet in source.packets(1.0) if packet is not None]
        assert len(found) > 10
        assert source.lost["damaged_packets"] > 10
    finally:
        source.close()


def test_a_stall_gives_none_and_what_the_camera_cannot_keep_is_counted() -> None:
    source = open_sim("seconds=0.8&stall=200ms:300ms&fifo=100ms")
    try:
        packets = list(source.packets(0.1))
        assert None in packets
        received(source, packets)
        assert source.lost["events"] > 10_000
    finally:
        source.close()


def test_silence_is_told_though_the_clock_goes_on() -> None:
    source = open_source("sim://noise?rate=0&seconds=0.5")
    try:
        found = list(source.packets(0.1))
        assert None in found and not any(len(packet.events) for packet in found if packet)
    finally:
        source.close()


def test_an_unplugged_camera_is_reported_and_comes_back_by_itself() -> None:
    source = open_sim("seconds=2&unplug=200ms&replug=200ms&every=900ms")
    lines: list[str] = []
    live = Reopening(source, lines.append)
    try:
        t, _ = received(source, live.packets(0.05))
        assert live.outages == 2 and live.outage_s > 0.3 and live.fault == ""
        assert np.count_nonzero(np.diff(t.astype(np.int64)) < 0) == 2  # its clock began anew
        assert [line.partition(": ")[2].split()[0:3] for line in lines] == 2 * [
            ["the", "camera", "is"], ["it", "is", "back"],
        ]  # fmt: skip
    finally:
        live.close()


def test_one_that_stays_away_is_lost() -> None:
    source = open_sim("unplug=100ms")
    try:
        with pytest.raises(SourceLostError, match="the camera is gone; plug it in"):
            list(source.packets(1.0))
        with pytest.raises(SourceLostError, match="it is not there"):
            source.reopen()
    finally:
        source.close()


def test_a_killed_camera_is_lost_and_says_so() -> None:
    source = open_sim("seed=1")
    try:
        packets = source.packets(1.0)
        next(packets)
        os.kill(source.pid, signal.SIGKILL)
        with pytest.raises(SourceLostError, match="gone"):
            list(packets)
        time.sleep(0.2)
        with pytest.raises(SourceLostError, match="process has ended"):
            source.reopen()
    finally:
        source.close()


def test_closing_from_another_thread_ends_the_packets_and_the_process() -> None:
    source = open_source("sim://noise?rate=0")
    assert isinstance(source, SimSource)
    threading.Timer(0.2, source.close).start()
    assert not any(len(packet.events) for packet in source.packets(10.0) if packet)
    source.close()
    with pytest.raises(ProcessLookupError):
        os.kill(source.pid, 0)
