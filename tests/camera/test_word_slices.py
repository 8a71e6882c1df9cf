"""Slices of raw words are those that are cut from columns, and each can be counted by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.camera.fixtures import HEIGHT, WIDTH, evt2_words, evt3_words, some_events

from saccade.camera import _native
from saccade.camera.cuda import CudaFrameMaker
from saccade.camera.errors import RecordingError
from saccade.camera.events import Packet
from saccade.camera.formats import stream
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.camera.recordings import Recording, open_recording
from saccade.camera.slicing import CountSlicer, TimeSlicer
from saccade.camera.word_slices import SliceCutter, WordSlice, words_of
from saccade.camera.writers import open_writer

WINDOWS = (70, 1000, 10**9)


def spec_of(recording: Recording) -> FrameSpec:
    """Counted pixel by pixel, but for the largest: a broken clock makes thousands of slices."""
    return FrameSpec("paper", 20, "sensor" if recording.width < 400 else "encoder")


def device_counts(maker: CudaFrameMaker, kind: str, cut: WordSlice) -> np.ndarray:
    (maker.add_evt3 if kind == "evt3" else maker.add_evt2)(cut.words)
    return maker.count([])


def new_maker(recording: Recording) -> CudaFrameMaker:
    device = _native.HostDevice(2, 5, 3, False)
    size = recording.width, recording.height
    return CudaFrameMaker(*size, spec_of(recording), device=device, slot_bytes=640)


def from_columns(recording: Recording, window_us: int) -> tuple[list, dict[int, np.ndarray], str]:
    """The slices, the counts of those that hold an event by their number, and the damage."""
    slicer, error = TimeSlicer(window_us), ""
    maker = FrameMaker(recording.width, recording.height, spec_of(recording))
    found: list = []
    counts: dict[int, np.ndarray] = {}

    def add(cuts) -> None:
        for c in cuts:
            found.append((c.t_begin_us, c.t_end_us, c.t_last_us, c.first, c.last, slicer.restarts))
            if c.n_events:
                counts[len(found) - 1] = maker.count(c.packets)

    try:
        for packet in recording.packets():
            add(slicer.feed(packet))
    except RecordingError as damage:
        error = str(damage)
    add(slicer.finish())
    return found, counts, error


def check_file(path: Path, window_us: int, skips: int = 1) -> None:
    """Every slice, its events counted by a maker that has seen only every `skips`-th before."""
    with open_recording(path) as one, open_recording(path) as other:
        kind = words_of(other, TimeSlicer(window_us))
        assert kind == one.format
        expected, counts, damage = from_columns(one, window_us)
        cutter = SliceCutter(kind, other.width, other.height, window_us)
        cuts, error = [], ""
        try:
            for cut in cutter.pass_over(other):
                cuts.append(cut)
        except RecordingError as found:
            error = str(found)
        assert error == damage
        windows = [(c.t_begin_us, c.t_end_us, c.t_last_us, c.first, c.last) for c in cuts]
        assert [(*w, c.restarts) for w, c in zip(windows, cuts, strict=True)] == expected
        assert (one.dropped, one.skipped) == (other.dropped, other.skipped)
        assert (one.position, one.streams[0]) == (other.position, other.streams[0])
        maker = new_maker(other)
        for i in list(counts)[::skips]:
            np.testing.assert_array_equal(device_counts(maker, kind, cuts[i]), counts[i])
        for i in list(counts)[-2:]:
            np.testing.assert_array_equal(device_counts(new_maker(other), kind, cuts[i]), counts[i])
        empty = [cut for cut in cuts if not cut.n_events][:5]
        assert not any(device_counts(maker, kind, cut).any() for cut in empty)


def write_raw(path: Path, kind: str, words: bytes, size: tuple[int, int]) -> Path:
    header = f"% evt {kind[3]}.0\n% geometry {size[0]}x{size[1]}\n% end\n"
    path.write_bytes(header.encode() + words)
    return path


@pytest.mark.parametrize("kind", ["evt2", "evt3"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 1 << 30),
    window_us=st.sampled_from(WINDOWS),
    chunk=st.sampled_from([2, 6, 13, 50, 1 << 18]),
    size=st.sampled_from([(WIDTH, HEIGHT), (2048, 2048), (333, 200), (1, 1)]),
    skips=st.integers(1, 3),
)
def test_any_words_in_any_chunks(
    tmp_path, monkeypatch, kind, seed, window_us, chunk, size, skips
) -> None:
    """Words that rise, fall and leap in time, and others that are no sensor's."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 400))
    if seed % 3:
        words = bytearray((evt3_words if kind == "evt3" else evt2_words)(n, seed))
        for _ in range(int(rng.integers(0, 20))):
            words[int(rng.integers(len(words)))] ^= 1 << int(rng.integers(8))
    else:
        words = bytearray(rng.integers(0, 256, 4 * n, dtype=np.uint8).tobytes())
    monkeypatch.setattr(stream, "CHUNK_BYTES", chunk)
    data = bytes(words[: len(words) - seed % 2])
    check_file(write_raw(tmp_path / "a.raw", kind, data, size), window_us, skips)


def test_a_slice_may_begin_among_vectors_past_the_sensor(tmp_path) -> None:
    """The base of vectors is said anew, here up to 12 steps past what a word can say."""
    words = [0x8001, 0x6000, 0x0005, 0x3800 | 2040]
    for t in range(1, 12):
        words += [0x4FFF, 0x6000 | (100 * t), 0x50FF]
    words += [0x3000 | 3, 0x6F00, 0x4801]
    data = np.array(words, "<u2").tobytes()
    for window_us in (100, 150, 10_000):
        check_file(write_raw(tmp_path / "a.raw", "evt3", data, (2048, 64)), window_us)


@pytest.mark.parametrize("times", ["falls", "leaps", "restarts"])
@pytest.mark.parametrize("kind", ["evt2", "evt3"])
def test_times_that_do_not_rise(tmp_path, kind, times) -> None:
    rng = np.random.default_rng(5)
    steps = rng.integers(0, 30, 3000)
    if times == "leaps":
        steps[[700, 701, 2000]] = 90_000, 2_000_000, 3_000_000
    t = 5_000_000 + np.cumsum(steps)
    if times == "falls":
        t -= np.where(rng.random(3000) < 0.05, 900_000, 0)
    if times == "restarts":
        t[[100, 1500, 1501]] -= 1_500_000
        t[2500:] -= 4_000_000
    events = some_events(3000)
    packet = Packet(t.astype(np.uint64), events.x, events.y, events.on)
    path = tmp_path / f"a.{kind}"
    with open_writer(path, WIDTH, HEIGHT, kind) as writer:
        writer.write(packet)
    for window_us in WINDOWS:
        check_file(path, window_us)


@pytest.mark.parametrize("kind", ["evt2", "evt3"])
def test_what_is_not_cut_as_words(tmp_path, kind) -> None:
    """Counts may end within a word, slices may overlap, and times may have an own origin."""
    path = write_raw(tmp_path / "a.raw", kind, evt2_words(50), (64, 48))
    late = tmp_path / "late.raw"
    late.write_bytes(path.read_bytes().replace(b"% end", b"% saccade_t0 5\n% end"))
    with open_recording(path) as recording, open_recording(late) as other:
        assert words_of(recording, TimeSlicer(1000)) == kind
        assert words_of(recording, TimeSlicer(1000, 500)) is None
        assert words_of(recording, CountSlicer(100)) is None
        assert words_of(other, TimeSlicer(1000)) is None
    with pytest.raises(ValueError, match="sides"):
        _native.WordCutter(True, 2049, 1, 1)


@pytest.mark.parametrize("name", ["evt3/*.raw", "evt2/*.raw"])
def test_real_recordings(shared_data: Path, name: str) -> None:
    paths = sorted((shared_data / "recordings").glob(name), key=lambda path: path.stat().st_size)
    assert paths
    for path in paths[:2]:
        check_file(path, 5000, skips=7)
