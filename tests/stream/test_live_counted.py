"""Counting a live source's bytes as they arrive changes nothing that is said of it."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from tests.live import ScriptedSource, packet, steady

from saccade.camera import _native
from saccade.camera.capture import Capture
from saccade.camera.events import Packet
from saccade.camera.filters import FilterSpec
from saccade.camera.formats.aedat4_writer import events_payload
from saccade.camera.formats.evt3_words import clock_words
from saccade.camera.formats.output import contiguous
from saccade.camera.recorder import Recorder
from saccade.camera.recordings import open_recording
from saccade.camera.sources import LivePacket
from saccade.camera.sources.contents import DvEvents
from saccade.camera.sources.evt3_stream import Evt3Stream
from saccade.engines.models import load_model
from saccade.stream.live import LiveSlices
from saccade.stream.live_counted import CountedSlices
from saccade.stream.pipeline import Pipeline

SIZE = (64, 48)
HIGH_US = 4096
#: A filter that keeps all: what filters events needs columns.
COLUMNS = {"filters": FilterSpec()}


@pytest.fixture(scope="module")
def loaded(model):
    return load_model(model)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Nothing is dropped for its age: this machine may be busy."""
    monkeypatch.setattr("saccade.stream.chain.BUDGET_US", 10_000_000)
    monkeypatch.setattr("saccade.stream.chain.SLICE_QUEUE", 10_000)
    monkeypatch.setattr("saccade.stream.chain.FRAME_QUEUE", 10_000)


class ByteSource(ScriptedSource):
    """Sends transfers of an encoding at once; None: those before it are not the ones behind it.

    With `decode` their events are columns already when they leave.
    """

    def __init__(self, transfers, encoding, decode=False):
        super().__init__(transfers, *SIZE)
        self._encoding, self._decode = encoding, decode
        self._stream = Evt3Stream(*SIZE)
        self.lost, self.dropped = {"damaged_packets": 0}, {"out_of_bounds": 0, "negative_time": 0}

    def packets(self, timeout_s):
        for data in self._script:
            if data is None:
                self._stream.lose()
            elif (found := self._read(data)) is not None:
                if self._decode:
                    assert found.events is not None
                yield found
                self.sent += found.n_events
            if self._encoding == "evt3":
                self.dropped = self._stream.dropped
                self.lost = {"damaged_packets": self._stream.damaged}

    def _read(self, data):
        if self._encoding == "evt3":
            return self._stream.packet(data, time.monotonic_ns())
        try:
            return LivePacket(DvEvents(data, SIZE, self.dropped), time.monotonic_ns())
        except ValueError:
            self.lost["damaged_packets"] += 1
            return None


def scene(n, seed, span_us=200_000, size=SIZE):
    """Rows of neighbours, which are encoded as vectors, and single events."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, span_us, n // 8)).repeat(8).astype(np.uint64)
    y = random.integers(0, size[1], n // 8).repeat(8).astype(np.uint16)
    x = random.integers(0, size[0] - 16, n // 8).repeat(8) + np.tile(np.arange(8) * 2, n // 8)
    on = random.random(n // 8).repeat(8) < 0.3
    return Packet(t, x.astype(np.uint16), y, on)


def evt3(seed, size=SIZE):
    """Words cut anywhere, with jumps of the clock, garbage, and transfers that are missing."""
    random = np.random.default_rng(seed)
    data = bytes(
        _native.Evt3Encoder(size[0], 0).encode(*contiguous(scene(20_000, seed, size=size)))
    )
    cuts = np.sort(random.integers(0, len(data), 200)).tolist()
    for k, (begin, end) in enumerate(itertools.pairwise([0, *cuts, len(data)])):
        if k in (50, 51, 120):
            yield None
            continue
        yield data[begin:end]
        if k in (80, 140):
            yield random.bytes(2 * int(random.integers(1, 60)))
            yield None
        if k == 30:
            yield clock_words(40_000 // HIGH_US, 7_200_000_000 // HIGH_US)
            yield clock_words(7_200_000_000 // HIGH_US, 40_000 // HIGH_US)


def dv(seed, size=SIZE):
    """Packets of any size, some damaged; times that jump and step back; events outside."""
    random = np.random.default_rng(seed)
    events = scene(20_000, seed, size=size)
    cuts = np.sort(random.integers(0, len(events), 100)).tolist()
    for k, (begin, end) in enumerate(itertools.pairwise([0, *cuts, len(events)])):
        part = events[begin:end]
        t, x = part.t.copy(), part.x.copy()
        t += np.uint64(7_200_000_000 if k > 60 else 1_000_000)
        t[::50] -= np.uint64(700)
        x[7::100] = SIZE[0] + 3
        payload = bytearray(events_payload(Packet(t, x, part.y, part.on)))
        if k in (20, 70):
            payload[4 + int(random.integers(0, 16))] ^= 0xFF
        yield bytes(payload)


SCRIPTS = {"evt3": evt3, "dv": dv}


def run(model, source, **options):
    """All that is said of a source, but for times; and of how it arrived."""
    capture = Capture(source, 1 << 28)
    pipeline = Pipeline(capture, model=model, **options)
    said = []
    for p in pipeline:
        window = p.seq, p.t_begin_us, p.t_end_us, p.t_last_us, p.n_events
        said.append((window, p.labels, p.scores, p.embedding.tobytes(), p.frame.tobytes()))
    total = pipeline.summary
    assert total.events_in == total.events_published + sum(total.dropped.values())
    assert total.events_in == source.sent + capture.refused
    arrived = capture.events, capture.on, capture.refused, capture.losses
    counts = total.events_in, total.events_published, total.dropped, total.slices
    return said, arrived, counts, isinstance(pipeline._replay, CountedSlices)


@pytest.mark.parametrize("encoding", SCRIPTS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "options",
    [
        {"window": "5ms"},
        {"count": 777},
        {"window": "20ms", "frame": "signed", "max_rate": 9e4},
    ],
)
def test_frames_labels_and_accounts_are_the_same(loaded, encoding, seed, options):
    def source(decode):
        return ByteSource(list(SCRIPTS[encoding](seed)), encoding, decode)

    *words, counted = run(loaded, source(False), **options)
    *decoded, of_columns = run(loaded, source(True), **options)
    *kept, of_kept = run(loaded, source(False), **options, **COLUMNS)
    assert (counted, of_columns, of_kept) == (True, True, False)
    assert len(words[0]) > 5
    assert words[1][2] > 0  # events that were left out
    assert words == decoded
    assert words == kept


def test_random_bytes_alone_are_the_same(loaded):
    """Of the types that there are, for others are not read at all."""
    random = np.random.default_rng(1)
    types = np.array([0, 2, 3, 4, 5, 6, 7, 8, 10, 14, 15])
    sizes = random.integers(1, 1500, 60).tolist()
    script = [
        (random.choice(types, n) << 12 | random.integers(0, 4096, n)).astype("<u2").tobytes()
        for n in sizes
    ]
    *words, _ = run(loaded, ByteSource(script, "evt3"), window="20ms")
    *kept, _ = run(loaded, ByteSource(script, "evt3"), window="20ms", **COLUMNS)
    assert words == kept


def test_what_needs_the_events_has_them(loaded):
    for options in ({"stride": "10ms", "window": "20ms"}, COLUMNS, {"count": 10, "stride": 5}):
        with Pipeline(Capture(ScriptedSource([])), model=loaded, **options) as pipeline:
            assert isinstance(pipeline._replay, LiveSlices)


@pytest.mark.parametrize("encoding", SCRIPTS)
@pytest.mark.parametrize("options", [{}, COLUMNS])
def test_transfers_of_random_bytes_cost_no_event_of_others(loaded, encoding, options):
    random = np.random.default_rng(0)
    events, script, n = scene(20_000, 1), [], 0
    for k, part in enumerate(events.split(200)):
        words = _native.Evt3Encoder(SIZE[0], 0).encode(*contiguous(part))
        # As cameras do, each transfer begins with its time, its row and a vector.
        script.append(words.tobytes() if encoding == "evt3" else bytes(events_payload(part)))
        if k % 5 == 4:
            n += 1
            script.append(random.bytes(len(script[-1]) + k % 2))
    source = ByteSource(script, encoding)
    said, (arrived, *_, losses), _, _ = run(loaded, source, window="5ms", **options)
    assert losses == {"damaged_packets": n}
    assert arrived == 20_000
    windows = [window for window, *_ in said]
    assert [begin for _, begin, *_ in windows] == [int(events.t[0]) + 5000 * k for k in range(40)]
    assert sum(n_events for *_, n_events in windows) == 20_000


@pytest.mark.parametrize("encoding", SCRIPTS)
@pytest.mark.parametrize("suffix", ["aedat4", "raw"])
def test_who_records_gets_the_same_events(loaded, tmp_path, encoding, suffix):
    found = []
    for name, options in (("counted", {}), ("columns", COLUMNS)):
        path = tmp_path / f"{name}.{suffix}"
        source = ByteSource(list(SCRIPTS[encoding](0))[:28], encoding)
        capture = Capture(source, 1 << 28)
        pipeline = Pipeline(capture, model=loaded, window="5ms", **options)
        recorder = Recorder(capture, path)
        list(pipeline)
        assert recorder.close(10.0) and not recorder.error
        assert recorder.events == capture.events > 1000
        with open_recording(path) as recording:
            events = Packet.joined(list(recording.packets()))
        found.append([column.tobytes() for column in (events.t, events.x, events.y, events.on)])
    assert found[0] == found[1]


def test_the_ring_holds_nothing_that_is_counted(loaded):
    capture = Capture(ScriptedSource(steady(0.2)), 1 << 26)
    held = [capture.ring.nbytes for _ in Pipeline(capture, model=loaded, window="10ms")]
    assert len(held) > 10 and not any(held)


def test_slices_that_nobody_takes_in_time_are_dropped_whole(loaded, monkeypatch):
    monkeypatch.setattr("saccade.stream.live_counted.MOST_BYTES", 1)
    script = [packet(100, 1000 * k, 1000 * (k + 1)) for k in range(50)]
    capture = Capture(ScriptedSource(script), 1 << 26)
    pipeline = Pipeline(capture, model=loaded, window="1ms")
    predictions = list(pipeline)
    total = pipeline.summary
    assert total.dropped["queue"] == 100 * (50 - len(predictions)) == 5000 - total.events_published
    assert {p.n_events for p in predictions} == {100}
    assert predictions[-1].t_end_us == 50_000  # the newest is never dropped
