"""The ring: bounded, the oldest lost first, every loss counted by the reader that it befell."""

from __future__ import annotations

import pytest
from tests.live import packet

from saccade.camera.clock import SensorClock
from saccade.camera.ring import Gap, Ring
from saccade.camera.sources import LivePacket

SIZE = 13 * 100  # bytes of a packet of 100 events


def item(k: int) -> LivePacket:
    return LivePacket(packet(100, 100 * k, 100 * (k + 1)), k)


def drain(reader):
    taken = []
    while (one := reader.take(0)) is not None:
        taken.append(one if isinstance(one, Gap) else one.received_ns)
    return taken


def test_each_reader_gets_all_packets_in_order_from_when_it_came():
    ring = Ring(10 * SIZE)
    early = ring.reader()
    ring.put(item(0))
    late = ring.reader()
    ring.put(item(1))
    assert drain(early) == [0, 1]
    assert drain(late) == [1]
    assert ring.nbytes == 0


def test_a_full_ring_loses_its_older_half_and_each_reader_counts_its_own():
    ring = Ring(10 * SIZE)
    slow, quick = ring.reader(), ring.reader()
    for k in range(25):
        ring.put(item(k))
        if k % 2:
            drain(quick)
        assert ring.nbytes <= 10 * SIZE
    assert quick.lost == 0
    taken = drain(slow)
    assert taken[0] == Gap(0, taken[1] * 100 - 1, slow.lost)
    assert taken[1:] == list(range(taken[1], 25))
    assert slow.lost == 100 * taken[1] and slow.lost + 100 * len(taken[1:]) == 2500


def test_the_newest_packet_stays_whatever_its_size():
    ring = Ring(10)
    reader = ring.reader()
    ring.put(item(0))
    ring.put(item(1))
    assert drain(reader) == [Gap(0, 99, 100), 1]


def test_what_waits_is_known_in_packets_bytes_and_time():
    ring = Ring(10_000)
    reader = ring.reader()
    ring.put(item(0))
    assert reader.nbytes == ring.nbytes == SIZE
    assert reader.backlog == 1
    assert reader.delay_ns > 0


def test_nothing_is_kept_where_nobody_reads():
    ring = Ring(10 * SIZE)
    ring.put(item(0))
    reader = ring.reader()
    ring.put(item(1))
    reader.close()
    assert reader.lost == 100 and reader.ended
    ring.put(item(2))
    assert ring.nbytes == 0
    assert reader.take(0) is None
    reader.close()
    assert reader.lost == 100


def test_the_end_and_its_error_come_last():
    ring = Ring(10 * SIZE)
    readers = [ring.reader(), ring.reader()]
    ring.put(item(0))
    ring.end(RuntimeError("unplugged"))
    for reader in readers:
        assert reader.take(0).received_ns == 0
        assert not reader.ended
        with pytest.raises(RuntimeError, match="unplugged"):
            reader.take(0)
        assert reader.ended and reader.take(0) is None


def test_a_reader_that_stops_takes_what_waits_and_no_more():
    ring = Ring(10 * SIZE)
    reader = ring.reader()
    ring.put(item(0))
    reader.stop()
    ring.put(item(1))
    assert drain(reader) == [0]
    assert reader.ended and reader.lost == 0


def test_a_reader_that_stopped_loses_nothing_that_came_later():
    ring = Ring(3 * SIZE)
    reader = ring.reader()
    ring.put(item(0))
    reader.stop()
    for k in range(1, 8):  # the ring drops its older half, again and again
        ring.put(item(k))
    assert drain(reader) == [Gap(0, 99, 100)]
    ring.put(item(8))
    reader.close()
    assert reader.lost == 100 and not ring.is_read and not ring.nbytes


def test_a_reader_that_skips_goes_on_with_the_newest():
    ring = Ring(10 * SIZE)
    reader, other = ring.reader(), ring.reader()
    reader.skip()
    for k in range(5):
        ring.put(item(k))
    reader.skip()
    assert drain(reader) == [Gap(0, 399, 400), 4]
    assert reader.lost == 400 and other.lost == 0
    assert drain(other) == [0, 1, 2, 3, 4]


def test_the_clock_follows_the_least_delay_and_knows_what_packets_gather():
    clock = SensorClock()
    assert clock.passed_us(5_000_000_000) is None
    for k in range(100):
        delay_us = 3000 if k % 10 else 1000
        last = 10_000 * k + 9_999
        clock.note(10_000 * k, last, (7_000_000 + last + delay_us) * 1000)
    # 10 ms behind the last event: a packet gathers as much, and the least delay is 1 ms.
    now_ns = (7_000_000 + 999_999 + 1000 + 10_000) * 1000
    assert clock.passed_us(now_ns) == 999_999 + 10_000 - 9_999
    assert 50 < clock.jitter_us < 1000
    clock.note(5, 5, now_ns)  # the camera's clock began anew
    assert clock.passed_us(now_ns + 7000) == 12
