"""Prefetch: order, errors, bounds and both ways to be full."""

from __future__ import annotations

import threading
import time

import pytest

from saccade.stream.prefetch import Prefetch


def test_items_come_in_order_and_end():
    assert list(Prefetch(range(1000), 3, name="t")) == list(range(1000))


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise KeyError("here")

    stage = Prefetch(items(), 10, name="t")
    assert [next(stage), next(stage)] == [1, 2]
    with pytest.raises(KeyError, match="here"):
        next(stage)
    assert list(stage) == []


def test_more_takes_what_waits_and_waits_for_nothing():
    gate = threading.Event()

    def items():
        yield from range(5)
        gate.wait()
        yield 5

    stage = Prefetch(items(), 5, name="t")
    assert next(stage) == 0
    while stage.backlog < 4:
        time.sleep(0.001)
    assert stage.more(2) == [1, 2]
    assert stage.more(9) == [3, 4]
    assert stage.more(9) == []
    gate.set()
    assert list(stage) == [5]
    stage.cancel()
    assert stage.more(1) == []


def test_a_full_queue_drops_what_is_hollow_before_what_is_older():
    dropped = []
    gate = threading.Event()

    def items():
        yield from [0, 1, -1, 2, -2, -3, 3, 4]
        gate.set()

    stage = Prefetch(items(), 3, name="t", on_drop=dropped.append, hollow=lambda item: item < 0)
    gate.wait()
    while stage._thread.is_alive():
        time.sleep(0.001)
    assert dropped == [-1, 0, -2, -3, 1]  # the newest never
    assert list(stage) == [2, 3, 4]


def test_more_drops_what_is_stale_first():
    dropped = []
    old = set()
    stage = Prefetch(range(4), 9, name="t", on_drop=dropped.append, stale=old.__contains__)
    assert next(stage) == 0
    while stage.backlog < 3:
        time.sleep(0.001)
    old |= {1, 2}
    assert (stage.more(3), dropped) == ([3], [1, 2])


def test_a_full_queue_makes_the_stage_wait():
    pulled = []

    def items():
        for i in range(100):
            pulled.append(i)
            yield i

    stage = Prefetch(items(), 2, name="t")
    time.sleep(0.05)
    assert len(pulled) <= 3
    assert list(stage) == list(range(100))


def test_the_oldest_is_dropped_where_that_is_the_policy():
    dropped: list[int] = []
    stage = Prefetch(range(100), 4, name="t", on_drop=dropped.append)
    stage._thread.join()
    assert list(stage) == [96, 97, 98, 99]
    assert dropped == list(range(96))


def test_bytes_bound_the_queue_and_one_large_item_still_passes():
    stage = Prefetch(
        [10, 10, 500, 10], 100, name="t", max_bytes=25, nbytes=lambda n: n, on_drop=None
    )
    time.sleep(0.05)
    assert stage.backlog == 2
    assert list(stage) == [10, 10, 500, 10]


def test_close_wakes_both_sides():
    release = threading.Event()

    def items():
        yield 1
        release.wait(5)
        yield 2

    stage = Prefetch(items(), 1, name="t")
    assert next(stage) == 1
    threading.Timer(0.05, release.set).start()
    stage.close()
    assert list(stage) == []
