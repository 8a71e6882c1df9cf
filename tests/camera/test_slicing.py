"""Slices: every event where it belongs, for any cutting of the stream into packets."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.slicing import LAST_US, MAX_EMPTY_SLICES, CountSlicer, Kept, TimeSlicer


def packet(times) -> Packet:
    n = len(times)
    return Packet(
        np.asarray(times, np.uint64),
        np.arange(n, dtype=np.uint16),
        np.zeros(n, np.uint16),
        np.zeros(n, bool),
    )


def run(slicer, times, cuts=()):
    edges = [0, *sorted(cuts), len(times)]
    slices = []
    for a, b in pairwise(edges):
        slices += slicer.feed(packet(times[a:b]))
    return slices + list(slicer.finish())


def times_of(cut):
    return [int(t) for p in cut.packets for t in p.t]


sorted_times = st.lists(st.integers(0, 900), min_size=1, max_size=60).map(sorted)


@settings(max_examples=150, deadline=None)
@given(sorted_times, st.integers(1, 900), st.integers(1, 1500), st.data())
def test_time_slices_equal_their_definition_for_any_packets(times, window, stride, data):
    cuts = data.draw(st.lists(st.integers(0, len(times)), max_size=5))
    slices = run(TimeSlicer(window, stride), times, cuts)
    for k, cut in enumerate(slices):
        assert cut.t_begin_us == times[0] + k * stride
        assert cut.t_end_us - cut.t_begin_us == window
        assert times_of(cut) == [t for t in times if cut.t_begin_us <= t < cut.t_end_us]
        assert cut.n_events == len(times_of(cut))
    if stride <= window:
        assert max(c.last for c in slices) == len(times)


@settings(max_examples=150, deadline=None)
@given(sorted_times, st.integers(1, 30), st.integers(1, 40), st.data())
def test_count_slices_equal_their_definition_for_any_packets(times, count, stride, data):
    cuts = data.draw(st.lists(st.integers(0, len(times)), max_size=5))
    slices = run(CountSlicer(count, stride), times, cuts)
    for k, cut in enumerate(slices):
        assert cut.first == k * stride
        assert times_of(cut) == times[cut.first : cut.first + count]
    if stride <= count:
        assert max(c.last for c in slices) == len(times)


def test_a_small_step_back_stays_in_its_slice():
    slices = run(TimeSlicer(100), [0, 90, 120, 80, 150, 260])
    assert [times_of(s) for s in slices] == [[0, 90], [120, 80, 150], [260]]


def test_a_fallen_clock_starts_the_grid_anew():
    slicer = TimeSlicer(100)
    slices = run(slicer, [5_000_000, 5_000_050, 10, 60, 115])
    assert [times_of(s) for s in slices] == [[5_000_000, 5_000_050], [10, 60], [115]]
    assert slicer.restarts == 1


@pytest.mark.parametrize("stride", [30, 100, 250])
def test_after_a_fall_every_event_has_its_slices_again(stride):
    times = [*range(5_000_000, 5_001_000, 10), *range(0, 1000, 10)]
    slices = run(TimeSlicer(100, stride), times)
    fallen = [s for s in slices if s.t_begin_us < 5_000_000]
    for k, cut in enumerate(fallen):
        assert cut.t_begin_us == k * stride
        assert times_of(cut) == [t for t in times[100:] if 0 <= t - k * stride < 100]
    assert len(fallen) >= 1000 // stride - 3


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 6_000_000), min_size=1, max_size=50),
    st.sampled_from([(300_000, None), (300_000, 70_000), (90_000, 400_000), (20_000, 50_000)]),
    st.data(),
)
def test_slices_of_a_broken_clock_do_not_depend_on_packets(times, lengths, data):
    cuts = data.draw(st.lists(st.integers(0, len(times)), max_size=8))
    slices = run(TimeSlicer(*lengths), times)
    again = run(TimeSlicer(*lengths), times, cuts)
    assert [(s.t_begin_us, times_of(s)) for s in slices] == [
        (s.t_begin_us, times_of(s)) for s in again
    ]
    if lengths[1] is None or lengths[1] <= lengths[0]:
        covered = [index for s in slices for index in range(s.first, s.last)]
        assert set(covered) == set(range(len(times)))


def test_a_slow_fall_is_a_fall_too():
    slicer = TimeSlicer(100_000)
    slices = run(slicer, range(10_000_000, 1_000_000, -1000))
    assert slicer.restarts == 8
    assert max(s.n_events for s in slices) < 2000


@pytest.mark.parametrize("window", [100, 1000, 5000])
def test_a_leap_with_a_stride_beyond_the_window(window):
    slices = run(TimeSlicer(window, 1000), [0, 1_001_500, 1_001_700, 9_000_000_000])
    assert len(slices) < 2 * MAX_EMPTY_SLICES + 12
    assert all(cut.t_begin_us % 1000 == 0 for cut in slices)


def test_a_leap_of_a_day_gives_a_bounded_number_of_empty_slices():
    slicer = TimeSlicer(1000)
    slices = run(slicer, [0, 10, 86_400_000_000, 86_400_000_001])
    assert len(slices) == MAX_EMPTY_SLICES + 2
    assert times_of(slices[-1]) == [86_400_000_000, 86_400_000_001]
    assert slicer.restarts == 1


@pytest.mark.parametrize("stamp", [1 << 63, LAST_US - 10, LAST_US])
@pytest.mark.parametrize("stride", [None, 300, 2500])
def test_a_stamp_near_the_last_time_there_is_ends_there(stamp, stride):
    times = [0, 10, stamp - 5, stamp, stamp - 3, 20, 30]
    slices = run(TimeSlicer(1000, stride), times)
    assert len(slices) < MAX_EMPTY_SLICES + 10
    assert all(cut.t_begin_us <= cut.t_end_us <= LAST_US for cut in slices)
    if stride != 2500:
        assert {t for cut in slices for t in times_of(cut)} == {*times}
    (cut,) = run(CountSlicer(7), times)
    assert cut.t_end_us == min(stamp + 1, LAST_US)


def test_empty_slices_of_a_leap_are_as_many_as_were_allowed():
    slicer = TimeSlicer(1000)
    slicer.limit_leaps(30_000)
    slices = run(slicer, [0, 10, 86_400_000_000])
    assert [cut.n_events for cut in slices] == [2, *[0] * 30, 1]
    slicer.limit_leaps(1)
    assert slicer.most_empty == 1


def test_a_clock_that_begins_anew_ends_the_slice_wherever_it_goes_on():
    slicer = TimeSlicer(100)
    slices = list(slicer.feed(packet([1000, 1050, 1099])))
    slices += slicer.begin_anew()
    slices += [*slicer.feed(packet([1040, 1120])), *slicer.begin_anew(), *slicer.finish()]
    assert [times_of(cut) for cut in slices] == [[1000, 1050, 1099], [1040, 1120]]
    assert [cut.t_begin_us for cut in slices] == [1000, 1040]
    counted = CountSlicer(2)
    assert not [*counted.feed(packet([5])), *counted.begin_anew()]


def test_a_million_equal_stamps_are_one_slice():
    (cut,) = run(TimeSlicer(1000), np.full(1_000_000, 7))
    assert cut.n_events == 1_000_000


@pytest.mark.parametrize("make", [TimeSlicer, CountSlicer])
@pytest.mark.parametrize("values", [(0,), (-5,), (10, 0)])
def test_nothing_but_positive_lengths(make, values):
    with pytest.raises(SaccadeError, match="must be positive"):
        make(*values)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 6_000_000), min_size=1, max_size=50),
    st.sampled_from([(300_000, None), (300_000, 70_000), (90_000, 400_000), (900, None)]),
    st.booleans(),
    st.data(),
)
def test_a_filter_moves_no_window(times, lengths, rising, data):
    """On any clock the windows and restarts are those of all events; they hold the kept ones."""
    times = sorted(times) if rising else times
    n = len(times)
    flags = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    unfiltered, filtered = TimeSlicer(*lengths), TimeSlicer(*lengths)
    wanted = run(unfiltered, times)
    found = []
    for a, b in pairwise([0, *sorted(data.draw(st.lists(st.integers(0, n), max_size=5))), n]):
        part = packet(times[a:b])
        kept = Packet(*(column[flags[a:b]] for column in (part.t, part.x, part.y, part.on)))
        found += filtered.feed(part, Kept(kept, flags[a:b]))
    found += filtered.finish()
    assert filtered.restarts == unfiltered.restarts
    assert [(s.t_begin_us, s.t_end_us) for s in found] == [
        (s.t_begin_us, s.t_end_us) for s in wanted
    ]
    index = np.cumsum(flags) - 1
    for cut, whole in zip(found, wanted, strict=True):
        held = [k for k in range(whole.first, whole.last) if flags[k]]
        assert list(range(cut.first, cut.last)) == index[held].tolist()
        assert times_of(cut) == [times[k] for k in held]


def test_slices_by_count_hold_kept_events():
    slicer = CountSlicer(2)
    part = packet([5, 6, 7, 8])
    (cut,) = slicer.feed(part, Kept(part[1:3], np.array([False, True, True, False])))
    assert times_of(cut) == [6, 7]
    assert not list(slicer.finish())
