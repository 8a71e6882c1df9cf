"""RAW while streaming: the camera's own bytes, and after a loss every event's own time and row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from tests.camera.test_recorder import go_on, read, record, sidecar, stop, wait_for
from tests.live import ScriptedSource, WordSource, packet

from saccade.camera import _native, recording_messages
from saccade.camera.capture import Capture
from saccade.camera.errors import SaccadeError
from saccade.camera.events import Packet
from saccade.camera.formats.evt3_words import Evt3State, Resync, clock_words
from saccade.camera.formats.output import contiguous
from saccade.camera.formats.raw_copy import RawCopier
from saccade.camera.recorder import Recorder
from saccade.camera.recording_messages import Chunk
from saccade.camera.recordings import open_recording
from saccade.camera.sources.evt3_stream import Evt3Stream
from saccade.camera.tapes import ChunkReader

SIZE = (64, 32)


def scene(n: int, seed: int = 0, span_us: int = 60_000_000) -> Packet:
    """Rows of neighbours (which are encoded as vectors) and single events, over several wraps."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, span_us, n // 8)).repeat(8).astype(np.uint64)
    y = random.integers(0, SIZE[1], n // 8).repeat(8).astype(np.uint16)
    x = random.integers(0, SIZE[0] - 16, n // 8).repeat(8) + np.tile(np.arange(8) * 2, n // 8)
    on = random.random(n // 8).repeat(8) < 0.5
    single = random.random(len(t)) < 0.2
    y[single] = random.integers(0, SIZE[1], int(single.sum()))
    return Packet(t, x.astype(np.uint16), y, on)


def words_of(events: Packet) -> bytes:
    return bytes(_native.Evt3Encoder(SIZE[0], 0).encode(*contiguous(events)))


def transfers(data: bytes, seed: int = 0, mean: int = 300) -> list[bytes]:
    """Cut anywhere, within a word too."""
    random = np.random.default_rng(seed)
    cuts = np.sort(random.integers(0, len(data), len(data) // mean)).tolist()
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def events_in(path) -> list[tuple[int, int, int, bool]]:
    with open_recording(path) as recording:
        return [event for packet in recording.packets() for event in tuples(packet)]


def tuples(events: Packet) -> list[tuple[int, int, int, bool]]:
    columns = (events.t, events.x, events.y, events.on)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_camera_that_sends_evt3_is_copied_byte_for_byte(tmp_path):
    path, events = tmp_path / "live.raw", scene(20_000)
    recorder, capture = record(
        None, path, source=WordSource(transfers(words_of(events)), *SIZE), ring_bytes=1 << 26
    )
    header, _, words = path.read_bytes().partition(b"% end\n")
    assert words == words_of(events)
    assert b"% format EVT3;height=32;width=64\n% geometry 64x32\n% sensor_name WORDS\n" in header
    assert events_in(path) == tuples(events)
    facts = sidecar(path)
    assert facts["events"] == recorder.events == capture.events == 20_000
    assert facts["content"] == "evt3, as the camera sent it" and facts["gaps"] == []
    assert "as the camera sent it" in recorder.text() and not capture.keep_bytes


def test_a_recording_that_begins_later_has_the_times_of_the_live_events(tmp_path):
    path, events = tmp_path / "late.raw", scene(20_000)
    stream = Evt3Stream(*SIZE)
    given = [stream.packet(data, 0) for data in transfers(words_of(events))]
    later = [one for one in given if one is not None][len(given) * 2 // 3 :]
    with RawCopier(path, *SIZE, "WORDS") as copier:
        for one in later:
            copier.copy(one.raw, one.before, one.after)
    assert later[0].before.high >> 12 > 0 and b"% saccade_t0 " in path.read_bytes()
    assert events_in(path) == [event for one in later for event in tuples(one.events)]


@pytest.mark.parametrize("seed", range(5))
def test_after_any_gap_every_event_has_its_own_time_row_and_base(tmp_path, seed):
    path, events = tmp_path / "gaps.raw", scene(20_000, seed)
    stream, random = Evt3Stream(*SIZE), np.random.default_rng(seed)
    expected = []
    with RawCopier(path, *SIZE, "WORDS") as copier:
        for data in transfers(words_of(events), seed, mean=40):
            one = stream.packet(data, 0)
            if one is not None and random.random() < 0.5:
                copier.copy(one.raw, one.before, one.after)
                expected += tuples(one.events)
    assert len(expected) > 5000 and events_in(path) == expected


def test_what_the_ring_loses_is_a_gap_and_the_rest_is_exact(tmp_path, monkeypatch):
    monkeypatch.setattr(recording_messages, "_BUFFER_BYTES", 1 << 16)
    path, events = tmp_path / "slow.raw", scene(800_000)
    source = WordSource(transfers(words_of(events), mean=2000), *SIZE)
    recorder, _ = record(None, path, source=source, ring_bytes=50_000, begun=stop, before_end=go_on)
    facts, found = sidecar(path), events_in(path)
    assert facts["gaps"] and {gap["by"] for gap in facts["gaps"]} == {"recorder"}
    assert len(found) == recorder.events == 800_000 - facts["lost"]["recorder"] > 10_000
    assert set(found) <= set(tuples(events)) and found == sorted(found, key=lambda event: event[0])


@pytest.mark.parametrize("seed", range(3))
def test_aedat4_of_evt3_has_the_events_of_the_live_decoder_after_any_gap(tmp_path, seed):
    events, random = scene(20_000, seed), np.random.default_rng(seed)
    stream, reader, expected = Evt3Stream(*SIZE), ChunkReader(*SIZE), []
    for data in transfers(words_of(events), seed, mean=40):
        one = stream.packet(data, 0)
        if one is not None and random.random() < 0.5:
            chunk = Chunk("evt3", one.n_events, 0, 0, one.before, one.after)
            found = reader.events(chunk, memoryview(one.raw))
            assert tuples(found) == tuples(one.events)
            expected += tuples(found)
    assert len(expected) > 5000


def test_bytes_that_the_driver_lost_give_no_event_a_wrong_time_or_row(tmp_path):
    path, events = tmp_path / "torn.raw", scene(8_000, span_us=1_000_000)
    data, true = words_of(events), set(tuples(events))
    pieces, torn = [], []
    for k in range(0, len(data), 1000):
        piece = data[k : k + 1000]
        if k % 3000 == 2000 and len(piece) > 500:  # its middle is missing
            cut = 100
            pieces.append(piece[:cut] + piece[400:])
            torn.append((cut,))
        else:
            pieces.append(piece)
            torn.append(())
    source = WordSource(pieces, *SIZE, losses=torn)
    recorder, capture = record(None, path, source=source, ring_bytes=1 << 26)
    found = events_in(path)
    assert len(found) == recorder.events == capture.events > 4000
    assert set(found) <= true and source.dropped["after_loss"] > 0
    gaps = sidecar(path)["gaps"]
    assert sum(gap.get("losses", {}).get("overflows", 0) for gap in gaps) == sum(map(len, torn))


def test_a_camera_that_comes_back_begins_its_clock_anew_in_the_file_too(tmp_path):
    path, first, second = tmp_path / "again.raw", scene(2_000, 1), scene(2_000, 2, 900_000)
    stream = Evt3Stream(*SIZE)
    with RawCopier(path, *SIZE, "WORDS") as copier:
        for events in (first, second):
            for data in transfers(words_of(events)):
                one = stream.packet(data, 0)
                if one is not None:
                    copier.copy(one.raw, one.before, one.after)
            stream.restart()
    assert events_in(path) == tuples(first) + tuples(second)


def test_a_clock_before_the_files_first_time_ends_it(tmp_path):
    stream = Evt3Stream(*SIZE)
    packets = [stream.packet(data, 0) for data in transfers(words_of(scene(2000)))]
    with RawCopier(tmp_path / "late.raw", *SIZE, "WORDS") as copier:
        copier.copy(packets[-1].raw, packets[-1].before, packets[-1].after)
        with pytest.raises(SaccadeError, match="clock began anew, before this file's first time"):
            copier.copy(packets[0].raw, None, packets[0].after)


def test_resync_keeps_the_base_of_vectors_whose_events_it_leaves_out():
    # BASE 8, VECT_12 (no row yet), the row and the time, VECT_12 of what is then x = 20
    words = [0x6001, 0x8000, 0x3008, 0x4FFF, 0x6005, 0x0003, 0x4001, 0x2007]
    resync = Resync()
    kept = resync.feed(np.array(words, "<u2"))
    assert (resync.left_out, resync.done) == (12, True)
    decoder = _native.Evt3Decoder(*SIZE)
    assert tuples(Packet(*decoder.decode(kept.tobytes()))) == [(5, 20, 3, False), (5, 7, 3, False)]


def stated(*words: int) -> bytes:
    return np.array(words, "<u2").tobytes()


@pytest.mark.parametrize("seen", [False, True])
def test_a_sensor_that_sends_no_vectors_is_read_as_it_is_and_never_by_an_old_base(tmp_path, seen):
    stream, path = Evt3Stream(*SIZE), tmp_path / "singles.raw"
    if seen:  # a base, before a loss
        stream.packet(stated(0x8000, 0x6001, 0x0003, 0x3008, 0x4FFF), 0)
        stream.lose()
    first = stated(0x8000, 0x6002, 0x0004, 0x2005)
    then = [stated(0x6003, 0x2006), stated(0x4001, 0x6004, 0x2007), stated(0x3009, 0x4001)]
    given = [stream.packet(data, 0) for data in (first, *then)]
    assert [one.raw for one in given] == [first, *then]
    live = [event for one in given for event in tuples(one.events)]
    assert live == [(2, 5, 4, False), (3, 6, 4, False), (4, 7, 4, False), (4, 9, 4, False)]
    assert sum(stream.dropped.values()) == 1  # the vector without a base
    with RawCopier(path, *SIZE, "WORDS") as copier:
        for one in given:
            copier.copy(one.raw, one.before, one.after)
    assert events_in(path) == live


def test_a_base_past_every_word_and_steps_of_the_clock():
    state = Evt3State(5, 9, 3, 2050, True)
    decoder = _native.Evt3Decoder(2048, 64)
    decoder.decode(state.words())
    assert decoder.state == (5, 9, 3, 2047 + 12, True)
    for at, to in ((0, 10_000), (10_000, 3), (4095, 4096), (4096, 4095), (7, 7)):
        decoder = _native.Evt3Decoder(*SIZE)
        decoder.decode(Evt3State(0, 0, 0, 0, False).words() + clock_words(0, at))
        decoder.decode(clock_words(at, to))
        assert decoder.state[0] == to


def test_the_events_of_another_camera_are_encoded_and_the_sidecar_says_so(tmp_path):
    path = tmp_path / "live.raw"
    script = [packet(300, 1000 * k, 1000 * (k + 1)) for k in range(30)]
    record(script, path)
    assert (read(path) == np.concatenate([p.t for p in script])).all()
    assert sidecar(path)["content"] == "evt3, encoded by saccade"
    record([], tmp_path / "none.raw")
    assert (tmp_path / "none.raw").read_bytes().endswith(b"% end\n")
    with pytest.raises(SaccadeError, match="at most 2048 pixels"):
        Recorder(Capture(ScriptedSource([], 3000, 16)), tmp_path / "wide.raw")
    assert not (tmp_path / "wide.raw").exists()


def test_peers_read_it(tmp_path):
    expelliarmus = pytest.importorskip("expelliarmus")
    path, events = tmp_path / "live.raw", scene(20_000, span_us=900_000)
    source = WordSource(transfers(words_of(events)), *SIZE)
    record(None, path, source=source, ring_bytes=1 << 26)
    found = expelliarmus.Wizard(encoding="evt3").read(str(path))
    n = int(np.searchsorted(events.t, 1 << 12))  # its times are late once TIME_LOW has fallen
    assert n > 50 and (found["t"][:n] == events.t[:n].astype(np.int64)).all()
    assert (found["x"] == events.x).all() and (found["y"] == events.y).all()
    assert (found["p"] == events.on).all()


def test_a_full_disk_leaves_all_but_the_last_transfer(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        events = scene(200_000)
        source = WordSource(transfers(words_of(events)), *SIZE)
        recorder, capture = record(None, disk / "a.raw", source=source, ring_bytes=1 << 26)
        facts, found = sidecar(disk / "a.raw"), events_in(disk / "a.raw")
        assert facts["state"] == "failed" and "No space left" in recorder.error
        assert found == tuples(events)[: len(found)] and len(found) == facts["events"] > 10_000
        assert facts["events"] + facts["lost"]["disk"] <= capture.events == 200_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)


KILLED = """
import itertools, sys, time
from tests.camera.test_raw_recording import SIZE, scene, transfers, words_of
from tests.live import WordSource
from saccade.camera.capture import Capture
from saccade.camera.recorder import Recorder

capture = Capture(WordSource(transfers(words_of(scene(400_000))), *SIZE, every_s=0.001))
recorder = Recorder(capture, sys.argv[1])
capture.start()
print("recording", flush=True)
while True:
    time.sleep(0.01)
    print(capture.events, flush=True)
"""


def test_a_killed_recorder_keeps_all_that_had_come(tmp_path):
    path = tmp_path / "live.raw"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "recording\n"
    counts = [int(process.stdout.readline()) for _ in range(30)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: sidecar(path)["state"] != "recording")
    found = events_in(path)
    assert counts[-10] <= len(found) and found == tuples(scene(400_000))[: len(found)]
