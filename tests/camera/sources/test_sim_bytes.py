"""A virtual camera's loop: sent again and again, it is one stream of events whose clock goes on."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.camera import _native
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.formats.evt3_words import clock_words
from saccade.camera.sources import open_source
from saccade.camera.sources.sim_bytes import HIGH_US, Loop
from saccade.camera.sources.sim_options import MOTIONS, read_options
from saccade.camera.sources.sim_scenes import film
from saccade.camera.sources.uri import SourceUri

WIDTH, HEIGHT = 64, 48


def loop_of(query: str, scene: str = "noise") -> Loop:
    options = read_options(SourceUri(f"sim://{scene}?size={WIDTH}x{HEIGHT}&{query}"))
    return Loop(options, options.rate)


def test_evt3_goes_on_over_the_wrap_of_its_clock() -> None:
    loop = loop_of("rate=2k")
    decoder = _native.Evt3Decoder(WIDTH, HEIGHT)
    turns = [
        Packet(*decoder.decode(transfer.at(turn * loop.length_us)))
        for turn in range(3)
        for transfer in loop.transfers
    ]
    t = np.concatenate([packet.t for packet in turns])
    n = sum(loop.events)
    assert 3 * loop.length_us > 1 << 25  # the clock wrapped twice
    assert len(t) == 3 * n == 3 * round(2e3 * loop.length_us / 1e6)
    assert np.array_equal(t[n : 2 * n], t[:n] + np.uint64(loop.length_us))
    assert np.array_equal(t[2 * n :], t[:n] + np.uint64(2 * loop.length_us))
    assert [len(packet) for packet in turns] == 3 * loop.events
    assert not any(decoder.dropped.values()) and not any(decoder.skipped.values())


@pytest.mark.parametrize("rate", ["1", "300", "200k", "60M"])
def test_both_encodings_hold_the_same_events_at_the_rate(rate: str) -> None:
    evt3, dv = loop_of(f"rate={rate}", "scene"), loop_of(f"rate={rate}&encoding=dv", "scene")
    decoder = _native.Evt3Decoder(WIDTH, HEIGHT)
    start = 5 * HIGH_US
    for number, (first, second) in enumerate(zip(evt3.transfers, dv.transfers, strict=True)):
        one, data = Packet(*decoder.decode(first.at(start))), second.at(start)
        assert len(one) == evt3.events[number] == dv.events[number]
        if not data:
            continue
        columns, dropped = _native.decode_events(data, WIDTH, HEIGHT)
        other = Packet(*columns)
        assert not any(dropped.values())
        for name in ("t", "x", "y", "on"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        assert np.all(one.t < start + evt3.end_us[number])
    told = sum(evt3.events) / evt3.length_us * 1e6
    assert abs(told / float(rate.replace("M", "e6").replace("k", "e3")) - 1) < 0.02


def test_without_events_there_is_a_clock() -> None:
    loop = loop_of("rate=0")
    words = [bytes(transfer.at(3 * HIGH_US)) for transfer in loop.transfers]
    assert words[0] == (0x8003).to_bytes(2, "little") and not any(words[1:])
    assert sum(loop.events) == 0


@pytest.mark.parametrize("by_us", [3_600_000_000, HIGH_US, -(40 << 20)])
def test_a_jump_is_followed_by_a_reader(by_us: int) -> None:
    by_us = by_us // HIGH_US * HIGH_US
    loop = loop_of("rate=100k")
    decoder = _native.Evt3Decoder(WIDTH, HEIGHT)
    start = 50 << 20
    decoder.decode(clock_words(0, start // HIGH_US))
    before = Packet(*decoder.decode(loop.transfers[0].at(start)))
    decoder.decode(clock_words(start // HIGH_US, (start + by_us) // HIGH_US))
    after = Packet(*decoder.decode(loop.transfers[0].at(start + by_us)))
    assert (after.t.astype(np.int64) - before.t.astype(np.int64) == by_us).all() and len(before)


def test_the_same_seed_is_the_same_scene() -> None:
    def content(query: str) -> bytes:
        return b"".join(bytes(transfer.at(0)) for transfer in loop_of(query, "scene").transfers)

    assert content("rate=100k&seed=3") == content("rate=100k&seed=3")
    assert content("rate=100k&seed=3") != content("rate=100k&seed=4")


@pytest.mark.parametrize("motion", MOTIONS)
def test_an_image_moves_as_it_is_told(tmp_path, motion: str) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(1).integers(0, 255, (48, 64), dtype=np.uint8)
    pillow.fromarray(pixels).save(tmp_path / "image.png")
    options = read_options(
        SourceUri(f"sim://image?path={tmp_path}/image.png&motion={motion}&size=64x48")
    )
    packet = film(options, 50_000)
    assert len(packet) == 50_000
    assert np.all(np.diff(packet.t.astype(np.int64)) >= 0)
    assert 0.4 < packet.on.mean() < 0.6
    assert len(np.unique(packet.y.astype(int) * 64 + packet.x)) > 0.8 * 64 * 48


def test_an_image_that_is_none_is_told_before_the_camera_starts(tmp_path) -> None:
    pytest.importorskip("PIL.Image")
    (tmp_path / "image.png").write_bytes(b"no image")
    for name, says in (("image.png", "no image that Pillow reads"), ("none.png", "No such file")):
        with pytest.raises(SaccadeError, match=says):
            open_source(f"sim://image?path={tmp_path}/{name}")
