"""A live packet is counted or decoded, with the same accounts, whatever the processor."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.camera.fixtures import HEIGHT, WIDTH, some_events

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import events_payload
from saccade.camera.formats.output import contiguous
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.fused import SliceFramer
from saccade.camera.sources import LivePacket
from saccade.camera.sources.contents import DvEvents
from saccade.camera.sources.evt3_stream import Evt3Stream

pytestmark = pytest.mark.usefixtures("all_paths")
N = 20_000


def rising() -> Packet:
    events = some_events(N)
    t = np.sort(events.t)
    return Packet(t - t[0], events.x, events.y, events.on)


def transfers(seed: int) -> list[bytes]:
    """EVT3 words cut anywhere, within a word too."""
    data = bytes(_native.Evt3Encoder(WIDTH, 0).encode(*contiguous(rising())))
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(data), 30)).tolist()
    return [data[a:b] for a, b in pairwise([0, *cuts, len(data)])]


def dv_packets(seed: int, dropped: dict[str, int]) -> list[LivePacket]:
    cuts = np.sort(np.random.default_rng(seed).integers(0, N, 30)).tolist()
    events = rising()
    events.x[::97] = WIDTH
    parts = (events[a:b] for a, b in pairwise([0, *cuts, N]))
    return [
        LivePacket(DvEvents(events_payload(part), (WIDTH, HEIGHT), dropped), k)
        for k, part in enumerate(parts)
    ]


def framer() -> SliceFramer:
    return SliceFramer(FrameMaker(WIDTH, HEIGHT, FrameSpec("clamped", 20, "sensor")), 1000)


def tuples(events: Packet) -> list[tuple[int, ...]]:
    columns = (events.t, events.x, events.y, events.on)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_words_of_evt3_are_counted_in_their_order_and_can_be_read_again(seed: int) -> None:
    counted, decoded = Evt3Stream(WIDTH, HEIGHT), Evt3Stream(WIDTH, HEIGHT)
    counts, on = framer(), 0
    for data in transfers(seed):
        one, other = counted.packet(data, 0), decoded.packet(data, 0)
        if one is None or other is None:
            assert one is other
            continue
        list(counts.feed_live(one, keep=True))
        assert one.n_events == other.n_events
        on += int(np.count_nonzero(other.events.on))
        assert counts.on == on
        if one.n_events:
            assert one.ends_us == other.ends_us
        assert (one.before, one.after, one.raw) == (other.before, other.after, other.raw)
        assert tuples(one.events) == tuples(other.events)
        assert counted.dropped == decoded.dropped
    assert counts.events == N


@pytest.mark.parametrize("seed", range(3))
def test_packets_of_dv_are_counted_with_the_same_accounts(seed: int) -> None:
    lost, other_lost = ({"out_of_bounds": 0, "negative_time": 0} for _ in range(2))
    counts = framer()
    for one, other in zip(dv_packets(seed, lost), dv_packets(seed, other_lost), strict=True):
        list(counts.feed_live(one, keep=True))
        assert one.n_events == other.n_events
        assert not one.n_events or one.ends_us == other.ends_us
        assert tuples(one.events) == tuples(other.events)
        assert lost == other_lost
    assert lost["out_of_bounds"] == len(range(0, N, 97))


def test_packets_that_nobody_read_are_read_when_the_source_reads_on() -> None:
    stream = Evt3Stream(WIDTH, HEIGHT)
    packets = [p for data in transfers(0) if (p := stream.packet(data, 0)) is not None]
    assert all(packet.is_read for packet in packets[:-1]) and not packets[-1].is_read
    found = [event for packet in packets for event in tuples(packet.events)]
    assert found == tuples(rising())
    stream.restart()
    assert sum(stream.dropped.values()) == 0


def test_what_was_counted_and_not_kept_is_no_more() -> None:
    packets = dv_packets(0, {"out_of_bounds": 0, "negative_time": 0})
    list(framer().feed_live(packets[0], keep=False))
    with pytest.raises(AssertionError, match="not kept"):
        _ = packets[0].events


@pytest.mark.parametrize("n", [0, 1, 31, 1024, 5000])
def test_words_of_types_that_no_sensor_sends_are_counted(n: int) -> None:
    words = np.random.default_rng(n).integers(0, 1 << 16, n).astype("<u2")
    expected = int(np.isin(words >> 12, [0x1, 0x9, 0xB, 0xC, 0xD]).sum())
    assert _native.count_reserved_evt3(words.tobytes()) == expected
