"""Event filters: event for event what the plain definition keeps, for any packets and any clock."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import filters as reference

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.filters import (
    EventFilter,
    FilterSpec,
    RateLimit,
    read_hot_pixels,
    write_hot_pixels,
)
from saccade.camera.recordings import open_recording
from saccade.camera.slicing import Slice

pytestmark = pytest.mark.usefixtures("all_paths")

SIZES = [(346, 260), (31, 17), (7, 40), (1, 1), (1, 5), (6, 1)]


def random_packet(n, width, height, step_us=40, seed=0, falls=False) -> Packet:
    """Events all over the sensor and around one pixel; with `falls`, on a clock that steps back."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 2 * step_us, n)
    if falls:
        steps -= rng.integers(0, 2, n) * rng.choice([step_us, 3000, 2_000_000], n)
    t = np.cumsum(steps) + 1_600_000_000_000_000
    near = rng.random(n) < 0.5
    x = np.where(near, width // 2 + rng.integers(-2, 3, n), rng.integers(0, width, n))
    y = np.where(near, height // 2 + rng.integers(-2, 3, n), rng.integers(0, height, n))
    return Packet(
        t.astype(np.uint64),
        np.clip(x, 0, width - 1).astype(np.uint16),
        np.clip(y, 0, height - 1).astype(np.uint16),
        rng.random(n) < 0.5,
    )


def twins(width, height, tmp_path, roi=None, polarity="both", hot=None, refractory=None, ba=None):
    """The filter and its plain twin."""
    path = hot
    if hot not in (None, "learn"):
        path = tmp_path / "hot.txt"
        path.write_text("".join(f"{x},{y}\n" for x, y in hot))
    spec = FilterSpec(roi, polarity, path, refractory, ba)
    plain = reference.EventFilter(width, height, roi, polarity, hot or (), refractory, ba)
    return EventFilter(width, height, spec), plain


def check(filters, packet, plain, cuts=()):
    wanted = np.array(reference.keep(packet, plain), bool)
    parts = [filters.sift(packet[a:b]) for a, b in pairwise([0, *sorted(cuts), len(packet)])]
    np.testing.assert_array_equal(np.concatenate([kept for _, kept in parts]), wanted)
    found = np.concatenate([events.to_array() for events, _ in parts])
    np.testing.assert_array_equal(found, packet.to_array()[wanted])
    assert filters.removed == plain.removed
    assert sum(plain.removed.values()) == len(packet) - wanted.sum()


@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_all_filters_together_equal_their_definition(width, height, falls, tmp_path):
    roi = (width // 4, height // 8, -(-width // 2), -(-height // 2))
    hot = {(width // 2, height // 2), (width - 1, height - 1)}
    packet = random_packet(6000, width, height, falls=falls)
    check(*_ordered(twins(width, height, tmp_path, roi, "on", hot, 300, 900), packet))
    check(*_ordered(twins(width, height, tmp_path, None, "off", hot, None, 400), packet))


def _ordered(pair, packet):
    return pair[0], packet, pair[1]


@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize(
    "one",
    [{}, {"roi": (10, 7, 20, 9)}, {"polarity": "on"}, {"polarity": "off"}, {"hot": {(20, 12)}},
     {"refractory": 1}, {"refractory": 500}, {"ba": 1}, {"ba": 2000}, {"ba": 60_000_000},
     {"hot": "learn"}, {"refractory": 60_000_000, "ba": 1000}],
)  # fmt: skip
def test_each_filter_alone_equals_its_definition(one, falls, tmp_path):
    packet = random_packet(8000, 40, 24, falls=falls, seed=len(one))
    check(*_ordered(twins(40, 24, tmp_path, **one), packet), cuts=(1, 500, 500, 7999))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_packets_give_the_same_events(data, tmp_path_factory):
    n = data.draw(st.integers(0, 60))
    steps = data.draw(st.lists(st.sampled_from([0, 1, 5, 40, -3, -90, 400_000, -500_000_000]),
                               min_size=n, max_size=n))  # fmt: skip
    places = data.draw(st.lists(st.integers(0, 11), min_size=n, max_size=n))
    places = np.array(places, np.uint16)
    packet = Packet(
        (np.cumsum(steps) + 10**12).astype(np.uint64).reshape(n),
        places % 4,
        places // 4,
        places % 2 == 0,
    )
    period = st.sampled_from([None, 1, 2, 41, 100])
    chosen = {
        "roi": data.draw(st.sampled_from([None, (1, 1, 2, 2), (0, 0, 4, 1)])),
        "polarity": data.draw(st.sampled_from(["both", "on"])),
        "hot": data.draw(st.sampled_from([None, "learn", frozenset({(1, 1)})])),
        "refractory": data.draw(period),
        "ba": data.draw(period),
    }
    filters, plain = twins(4, 3, tmp_path_factory.mktemp("hot"), **chosen)
    check(filters, packet, plain, data.draw(st.lists(st.integers(0, n), max_size=6)))


@pytest.mark.parametrize("name", ["aedat4", "evt3", "evt2"])
def test_real_recordings_equal_the_definition(shared_data, name, tmp_path):
    for path in sorted((shared_data / "recordings" / name).iterdir()):
        with open_recording(path) as recording:
            size = recording.width, recording.height
            events = Packet.from_array(
                np.concatenate([p.to_array() for p in recording.packets()])[:60_000]
            )
        roi = (3, 5, size[0] // 2, size[1] - 9)
        pair = twins(*size, tmp_path, roi, "both", "learn", 200, 3000)
        check(*_ordered(pair, events), cuts=(777, 50_000) if len(events) > 50_000 else ())


def steady(width, height, rates, seconds):
    """Events of pixels {(x, y): Hz}, in the order of time."""
    parts = [
        (np.arange(0, seconds * 1e6, 1e6 / rate) + k, np.full(int(seconds * rate), place))
        for k, (place, rate) in enumerate(rates.items())
        for place in [place[1] * width + place[0]]
    ]
    t = np.concatenate([times[: len(places)] for times, places in parts])
    pixel = np.concatenate([places for _, places in parts])
    order = np.argsort(t, kind="stable")
    pixel = pixel[order]
    return Packet(
        t[order].astype(np.uint64) + np.uint64(5_000_000),
        (pixel % width).astype(np.uint16),
        (pixel // width).astype(np.uint16),
        np.ones(len(t), bool),
    )


def test_a_hot_pixel_is_learned_in_the_first_second_and_a_flickering_lamp_is_not():
    hot = {(0, 0): 400, (9, 9): 2000}
    lamp = {(x, y): 200 for x in (4, 5, 6) for y in (4, 5, 6)}
    packet = steady(10, 10, hot | lamp | {(2, 7): 20}, seconds=3)
    filters = EventFilter(10, 10, FilterSpec(hot_pixels="learn"))
    first = packet.t < packet.t[0] + np.uint64(1_000_000)
    n = int(first.sum())
    assert len(filters.apply(packet[:n])) == n
    assert filters.learning
    assert set(zip(*np.nonzero(filters.hot_pixels)[::-1], strict=True)) == set(hot)
    rest = filters.apply(packet[n:])
    assert not filters.learning
    assert filters.removed["hot"] == len(packet) - n - len(rest)
    assert not any(((rest.x == x) & (rest.y == y)).any() for x, y in hot)
    assert ((rest.x == 5) & (rest.y == 5)).sum() == 400


def test_learning_ends_where_the_clock_falls_away_and_ignores_the_region():
    packet = steady(8, 8, {(1, 1): 1000}, seconds=1)
    filters = EventFilter(8, 8, FilterSpec(roi=(4, 4, 4, 4), hot_pixels="learn"))
    filters.apply(packet)
    early = Packet(packet.t - np.uint64(4_000_000), packet.x, packet.y, packet.on)
    filters.apply(early)
    assert not filters.learning
    assert filters.hot_pixels[1, 1]
    assert filters.removed["roi"] == 2 * len(packet)


def test_a_clock_that_falls_does_not_lock_pixels():
    spec = FilterSpec(refractory_us=1000, background_us=1000)
    filters = EventFilter(4, 4, spec)
    for t in (9_000_000_000_000, 0, 10, 5_000_000):  # hours back and forth
        pair = Packet(
            np.array([t, t], np.uint64), np.array([1, 2], np.uint16), np.array([1, 1], np.uint16),
            np.ones(2, bool),
        )  # fmt: skip
        kept = filters.sift(pair)[1]
        assert kept.tolist() == ([False, False] if t == 10 else [False, True])


def test_periods_hold_over_hours_of_one_stream(tmp_path):
    """Longer than the 32 bits in which times are kept, with pauses of many lengths."""
    rng = np.random.default_rng(5)
    pauses = rng.choice([3, 100, 999, 1000, 60_000_000, 700_000_000, 2**32, 2**32 + 500], 4000)
    packet = Packet(
        np.cumsum(pauses).astype(np.uint64),
        rng.integers(0, 3, 4000).astype(np.uint16),
        rng.integers(0, 3, 4000).astype(np.uint16),
        np.ones(4000, bool),
    )
    check(*_ordered(twins(3, 3, tmp_path, refractory=1000, ba=1000), packet), cuts=(17, 2000))


def test_events_outside_the_sensor_are_removed_never_written():
    x = np.array([4, 65_535, 0, 3, 0], np.uint16)
    y = np.array([0, 65_535, 3, 2, 60_000], np.uint16)
    packet = Packet(np.arange(5, dtype=np.uint64), x, y, np.ones(5, bool))
    spec = FilterSpec(hot_pixels="learn", refractory_us=5, background_us=5)
    filters = EventFilter(4, 3, spec)
    assert filters.sift(packet)[1].tolist() == [False] * 5
    assert filters.removed == {"roi": 4, "polarity": 0, "hot": 0, "refractory": 0, "background": 1}


def test_a_packet_that_is_none_is_refused():
    filters = EventFilter(8, 8, FilterSpec())
    good = random_packet(10, 8, 8)
    for bad in (
        Packet(good.t.astype(np.int64), good.x, good.y, good.on),
        Packet(good.t, good.x, good.y[:5], good.on),
        Packet(good.t[::2], good.x[::2], good.y[::2], good.on[::2]),
    ):
        with pytest.raises((TypeError, ValueError)):
            filters.apply(bad)
    assert len(filters.apply(good[:0])) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"roi": (0, 0, 9, 8)}, "roi 0,0,9,8: must lie inside the sensor"),
        ({"roi": (-1, 0, 2, 2)}, "roi -1,0"),
        ({"roi": (0, 0, 0, 2)}, "roi 0,0,0,2"),
        ({"polarity": "up"}, "polarity 'up'"),
        ({"refractory_us": 0}, "refractory 0 us: must be whole"),
        ({"background_us": 60_000_001}, "background 60000001 us"),
        ({"background_us": 1.5}, "background 1.5 us"),
        ({"hot_pixels": "/nowhere/mask.txt"}, "mask.txt: No such file"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(wrong, message):
    with pytest.raises(SaccadeError, match=message):
        EventFilter(8, 8, FilterSpec(**wrong))


def test_a_mask_file_gives_back_what_was_written(tmp_path):
    hot = np.random.default_rng(1).random((5, 9)) < 0.2
    write_hot_pixels(tmp_path / "hot.txt", hot)
    np.testing.assert_array_equal(read_hot_pixels(tmp_path / "hot.txt", 9, 5), hot)
    filters = EventFilter(9, 5, FilterSpec(hot_pixels=tmp_path / "hot.txt"))
    np.testing.assert_array_equal(filters.hot_pixels, hot)


@pytest.mark.parametrize("text", ["9,0", "0,5", "1;2", "1,2,3", "-1,2", "x,y", "1", "\0"])
def test_a_mask_file_of_another_sensor_or_of_none_is_refused(text, tmp_path):
    (tmp_path / "hot.txt").write_text(f"# mine\n\n0,0 # this is one\n{text}\n")
    with pytest.raises(SaccadeError, match=r"hot.txt, line 4: .* is no pixel"):
        read_hot_pixels(tmp_path / "hot.txt", 9, 5)
    (tmp_path / "hot.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SaccadeError, match=r"hot.txt: not a text file"):
        read_hot_pixels(tmp_path / "hot.txt", 9, 5)


def allowed(limit, counts, window=10_000):
    cuts = [Slice(k * window, (k + 1) * window, 0, n, ()) for k, n in enumerate(counts)]
    return [limit.allows(cut) for cut in cuts]


def test_a_limit_lets_whole_slices_through_at_its_rate():
    limit = 10e6
    assert all(allowed(RateLimit(limit), [100_000] * 50))  # just at it
    for rate in (11e6, 20e6, 37e6, 1e9):
        n = round(rate / 100)
        passed = sum(allowed(RateLimit(limit), [n] * 1000))
        assert abs(passed * n - 10 * limit) <= 2 * n  # over 10 s
    assert allowed(RateLimit(limit), [300_000, 0, 0, 10, 10])[:4] == [True, False, True, True]


def test_a_limit_starts_anew_where_the_clock_fell():
    limit = RateLimit(1000)
    assert limit.allows(Slice(10**9, 10**9 + 10, 0, 5000, ()))
    assert not limit.allows(Slice(10**9 + 10, 10**9 + 20, 0, 1, ()))
    assert limit.allows(Slice(50, 60, 0, 1, ()))


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_is_none_is_refused(rate):
    with pytest.raises(SaccadeError, match="must be positive"):
        RateLimit(rate)
