"""Slices counted as they are decoded equal those that are cut from columns, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks import encode
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.camera import ros_bags
from tests.camera.fixtures import HEIGHT, WIDTH, evt2_words, evt3_words, some_events
from tests.camera.test_golden import GEOMETRY

from saccade.camera import _native
from saccade.camera.counting import count_packets
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import Aedat4Writer
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.fused import make_framer
from saccade.camera.recordings import Recording, open_recording
from saccade.camera.slicing import LAST_US, CountSlicer, Slicer, TimeSlicer
from saccade.camera.writers import open_writer

pytestmark = pytest.mark.usefixtures("all_paths")

Row = tuple[tuple[int, ...], np.ndarray]
SPECS = [
    FrameSpec("paper", 20, "sensor"),
    FrameSpec("signed", 40, "encoder"),
    FrameSpec("clamped", 400, "encoder"),  # cells smaller than pixels; for few slices
]
SLICERS: list[Callable[[], Slicer]] = [
    lambda: TimeSlicer(1000),
    lambda: TimeSlicer(70),
    lambda: TimeSlicer(10**9),
    lambda: CountSlicer(1),
    lambda: CountSlicer(777),
    lambda: CountSlicer(10**9),
]


def from_columns(
    packets: Iterable[Packet], frames: FrameMaker, slicer: Slicer
) -> tuple[list[Row], RecordingError | None]:
    found: list[Row] = []
    error = None

    def add(cuts: Iterable[Any]) -> None:
        for c in cuts:
            window = (c.t_begin_us, c.t_end_us, c.t_last_us, c.first, c.last, slicer.restarts)
            found.append((window, frames.make(c.packets)))

    try:
        for packet in packets:
            add(slicer.feed(packet))
    except RecordingError as damage:
        error = damage
    add(slicer.finish())
    return found, error


def fused(
    recording: Recording, frames: FrameMaker, slicer: Slicer
) -> tuple[list[Row], RecordingError | None]:
    framer = make_framer(frames, slicer)
    assert framer is not None
    found: list[Row] = []
    try:
        for c in framer.pass_over(recording):
            window = (c.t_begin_us, c.t_end_us, c.t_last_us, c.first, c.last, c.restarts)
            found.append((window, c.frame))
    except RecordingError as damage:
        return found, damage
    return found, None


def check(a: list[Row], b: list[Row]) -> None:
    assert [window for window, _ in a] == [window for window, _ in b]
    for (_, one), (_, other) in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def check_file(path: Path, geometry: tuple[int, int] | None = None, few: bool = False) -> None:
    for i, new_slicer in enumerate(SLICERS):
        if few and i in (1, 3):  # slices of hardly an event each
            continue
        spec = SPECS[i % len(SPECS)]
        with open_recording(path, geometry) as one, open_recording(path, geometry) as other:
            size = one.width, one.height
            expected, damage = from_columns(one.packets(), FrameMaker(*size, spec), new_slicer())
            found, error = fused(other, FrameMaker(*size, spec), new_slicer())
            check(found, expected)
            assert str(error) == str(damage)
            assert (one.dropped, one.skipped) == (other.dropped, other.skipped)
            assert one.position == other.position
            assert one.streams[0] == other.streams[0]


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_aedat4(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.aedat4"
    events = some_events(6000)
    with Aedat4Writer(path, WIDTH, HEIGHT, compression) as writer:
        for start, end in pairwise([0, 1, 9, 1000, 1003, 5000, 6000]):
            writer.write(events[start:end])
    check_file(path)
    path.write_bytes(path.read_bytes()[:-3000])
    check_file(path)


@pytest.mark.parametrize("format", ["evt2", "evt3", "csv"])
def test_what_our_writers_write(tmp_path: Path, format: str) -> None:
    path = tmp_path / "a"
    with open_writer(path, WIDTH, HEIGHT, format) as writer:
        writer.write(some_events(5000))
    check_file(path)
    path.write_bytes(path.read_bytes()[:-1])
    check_file(path)


@pytest.mark.parametrize("encoding", ["evt3", "libcaer", "mono"])
def test_ros_bags(tmp_path: Path, encoding: str) -> None:
    messages, _ = ros_bags.sent(encoding, packets=40, n=200)
    path = ros_bags.write_mcap(tmp_path / "a.mcap", messages)
    check_file(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    check_file(path)


DECODERS: dict[str, Callable[[int, int], Any]] = {
    "evt2": _native.Evt2Decoder,
    "evt3": _native.Evt3Decoder,
    "evt21": lambda w, h: _native.Evt21Decoder(w, h, False),
    "evt21_legacy": lambda w, h: _native.Evt21Decoder(w, h, True),
    "dat": lambda w, h: _native.DatDecoder(w, h, 2),
    "dat1": lambda w, h: _native.DatDecoder(w, h, 1),
    "es": lambda w, h: _native.EsDecoder(w, h, _native.EsKind.dvs),
    "es_colour": lambda w, h: _native.EsDecoder(w, h, _native.EsKind.colour),
}


def take_due(slices: _native.SliceCounter, size: int) -> list[Row]:
    found: list[Row] = []
    while slices.due:
        frame = np.empty((size, size), np.float32)
        cut = slices.take(frame)
        assert cut is not None
        found.append((cut, frame))
    return found


def count(
    decoder: Any, data: bytes, cuts: list[int], frames: FrameMaker, slicer: Slicer
) -> list[Row]:
    count, window = getattr(slicer, "count", 0), getattr(slicer, "window_us", 0)
    slices = _native.SliceCounter(frames.native, window, count)
    found: list[Row] = []
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    for start, end in pairwise(edges):
        at = start
        while at < end:
            at += decoder.count(data[at:end], slices)
            found += take_due(slices, frames.spec.size)
    slices.finish()
    return found + take_due(slices, frames.spec.size)


def in_bursts(t: np.ndarray, seed: int) -> Packet:
    """Events at these times, five side by side in a row, as sensors send them: cells are shared."""
    rng, step = np.random.default_rng(seed), np.arange(len(t))
    x = rng.integers(0, WIDTH - 5, len(t))[step // 5] + step % 5
    y = np.sort(rng.integers(0, HEIGHT, len(t)))
    on = rng.random(len(t)) < 0.9
    return Packet(t.astype(np.uint64), x.astype(np.uint16), y.astype(np.uint16), on)


def words_of(kind: str, seed: int) -> bytes:
    """Valid words with some that are not, and times that rise, fall and leap."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(50, 400))
    events = some_events(n, seed)
    t = np.cumsum(rng.choice([0, 1, 3, 60, 5000], n, p=[0.5, 0.3, 0.15, 0.04, 0.01]))
    if kind == "evt3":
        data = evt3_words(n, seed)
    elif kind == "evt2":
        data = evt2_words(n, seed) if seed % 2 else encode.evt2(in_bursts(t, seed))
    elif kind.startswith("dat"):
        x_bits, y_bits = (14, 14) if kind == "dat" else (9, 8)
        near = in_bursts(t, seed)
        words = near.x | near.y.astype(np.uint32) % (1 << y_bits) << x_bits
        words |= near.on.astype(np.uint32) << (x_bits + y_bits)
        data = np.stack([t % (1 << 32), words], 1).astype("<u4").tobytes()
    elif kind.startswith("es"):
        data = bytes(rng.integers(0, 256, 3)) + encode.es(in_bursts(t, seed), HEIGHT)
    else:
        near = np.sort(events.x % 40).astype(np.uint16)  # some in one word
        made = Packet(t.astype(np.uint64), near, (t % 7).astype(np.uint16), events.on)
        data = encode.evt21(made, legacy=kind == "evt21_legacy")
    words = bytearray(data)
    for _ in range(int(rng.integers(0, 20))):
        words[int(rng.integers(len(words)))] ^= 1 << int(rng.integers(8))
    return bytes(words)


@pytest.mark.parametrize("kind", DECODERS)
@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    cuts=st.lists(st.integers(0, 1 << 20), max_size=4),
    which=st.integers(0, 2 * len(SLICERS) - 1),
)
def test_any_words_in_any_pieces(kind: str, seed: int, cuts: list[int], which: int) -> None:
    data, spec = words_of(kind, seed), SPECS[which % len(SPECS)]
    if which >= len(SLICERS):
        which, spec = which - len(SLICERS), SPECS[(which + 1) % 2]
    for width, height in ((WIDTH, HEIGHT), (333, 200)):
        one, other = DECODERS[kind](width, height), DECODERS[kind](width, height)
        slicer = SLICERS[which]()
        packets = [Packet(*one.decode(data))]
        expected, _ = from_columns(packets, FrameMaker(width, height, spec), slicer)
        frames = FrameMaker(width, height, spec)
        check(count(other, data, cuts, frames, SLICERS[which]()), expected)
        assert (one.dropped, one.skipped) == (other.dropped, other.skipped)
        assert frames.out_of_bounds == 0


@pytest.mark.parametrize("times", ["falls", "leaps", "restarts", "ends"])
def test_times_that_do_not_rise(times: str) -> None:
    rng = np.random.default_rng(5)
    steps = rng.integers(0, 30, 3000)
    if times == "leaps":
        steps[[700, 701, 2000]] = 90_000, 2_000_000, 30_000_000
    t = 5_000_000 + np.cumsum(steps)
    if times == "falls":
        t -= np.where(rng.random(3000) < 0.05, 900_000, 0)
    if times == "restarts":
        t[[100, 1500, 1501]] -= 1_500_000
        t[2500:] -= 4_000_000
    t = t.astype(np.uint64)
    if times == "ends":
        t[[300, 301, 1200]] = LAST_US, LAST_US - 700, 1 << 63
        t[2000:] = LAST_US - np.uint64(999) + np.arange(1000, dtype=np.uint64)
    events = some_events(3000)
    packet = Packet(t, events.x, events.y, events.on)
    for new_slicer in SLICERS:
        frames, slicer = FrameMaker(WIDTH, HEIGHT, SPECS[0]), new_slicer()
        parts = list(packet.split(411))
        expected, _ = from_columns(parts, frames, slicer)
        slices = _native.SliceCounter(
            frames.native, getattr(slicer, "window_us", 0), getattr(slicer, "count", 0)
        )
        found: list[Row] = []
        for _ in count_packets(parts, slices):
            found += take_due(slices, 20)
        slices.finish()
        check(found + take_due(slices, 20), expected)


def test_a_clock_begins_anew_for_live_slices_as_for_kept_ones() -> None:
    frames, slicer = FrameMaker(WIDTH, HEIGHT, SPECS[0]), TimeSlicer(1000)
    slicer.limit_leaps(5000)
    framer = make_framer(frames, slicer)
    assert framer is not None
    events = some_events(400)
    expected: list[Any] = []
    found: list[Any] = []
    for k, part in enumerate(events.split(100)):
        start = [10_000, 10_300, 900_000, 950_000][k]
        t = np.uint64(start) + np.arange(100, dtype=np.uint64) * np.uint64(37)
        packet = Packet(t, part.x, part.y, part.on)
        if k in (1, 2):  # the last one leaps over more windows than are allowed
            expected += slicer.begin_anew()
            found += framer.begin_anew()
        expected += slicer.feed(packet)
        found += framer.feed(packet)
        if k == 1:
            expected += slicer.advance(23_000)
            found += framer.advance(23_000)
    assert [(c.t_begin_us, c.t_end_us, c.first, c.last) for c in found] == [
        (c.t_begin_us, c.t_end_us, c.first, c.last) for c in expected
    ]


@pytest.mark.parametrize("counting", ["sensor", "encoder"])
@pytest.mark.parametrize("kind", ["evt2", "evt3", "evt3 in vectors", "evt21"])
def test_full_counters_are_counted(kind: str, counting: Any) -> None:
    n = 70_000
    same = np.full(n, 5, np.uint16)
    packet = Packet(np.zeros(n, np.uint64), same, same, np.ones(n, bool))
    if kind.startswith("evt3"):
        event = [0x2805] if kind == "evt3" else [0x3804, 0x4002, 0x4000, 0x5000]
        words = [0x8000, 0x6000, 5, *(event * n)]
        data = np.array(words, "<u2").tobytes()
    elif kind == "evt2":
        data = np.array([0x80000000, *([1 << 28 | 5 << 11 | 5] * n)], "<u4").tobytes()
    else:
        heads = np.array([0xE0000000, *([1 << 28 | 5 << 11 | 5] * n)], "<u4")
        heads[0] = 0x80000000
        data = np.stack([np.ones(n + 1, "<u4"), heads], 1).tobytes()
    spec = FrameSpec("paper", 32, counting)
    one, other = FrameMaker(64, 48, spec), FrameMaker(64, 48, spec)
    expected = one.make([packet])
    ((_, frame),) = count(DECODERS[kind.split()[0]](64, 48), data, [], other, TimeSlicer(1000))
    np.testing.assert_array_equal(frame, expected)
    assert one.saturated == other.saturated == n - 65_535


def test_what_cannot_be_counted_is_refused() -> None:
    frames = FrameMaker(64, 48, SPECS[0])
    slices = _native.SliceCounter(frames.native, 0, 1)
    with pytest.raises(ValueError, match="geometry"):
        _native.Evt3Decoder(65, 48).count(b"", slices)
    events = some_events(3)
    slices.add(events.t, events.x % 64, events.y % 48, events.on)
    assert slices.due
    with pytest.raises(ValueError, match="due"):
        slices.add(events.t, events.x, events.y, events.on)
    with pytest.raises(ValueError, match="due"):
        _native.Evt3Decoder(64, 48).count(b"", slices)
    with pytest.raises(ValueError, match="float32"):
        slices.take(np.empty((3, 3), np.float32))


def test_slices_that_overlap_are_cut_from_columns() -> None:
    frames = FrameMaker(64, 48, SPECS[0])
    assert make_framer(frames, TimeSlicer(1000, 500)) is None
    assert make_framer(frames, TimeSlicer(1000, 2000)) is None
    assert make_framer(frames, CountSlicer(10, 5)) is None
    assert make_framer(frames, CountSlicer(10)) is not None


@pytest.mark.parametrize(
    "name",
    [
        "aedat4/*.aedat4", "evt3/*.raw", "evt2/*.raw", "dat/*.dat",
    ],
)  # fmt: skip
def test_real_recordings(shared_data: Path, name: str) -> None:
    paths = sorted((shared_data / "recordings").glob(name))
    assert paths
    for path in paths[:3]:
        check_file(path, GEOMETRY.get(f"{path.parent.name}/{path.name}"), few=True)
