"""dv-tcp://: what a server sends is what is read: our bytes and the real dv-processing's."""

from __future__ import annotations

import importlib.util
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest

from saccade.camera.events import Packet
from saccade.camera.formats.aedat4_writer import MAGIC, events_payload, info_xml, io_header
from saccade.camera.formats.unpack import pack
from saccade.camera.sources import SourceError, SourceLostError, open_source
from saccade.camera.sources.reopening import Reopening

WIDTH, HEIGHT = 64, 48


def events(n: int, start: int = 1_700_000_000_000_000) -> Packet:
    rng = np.random.default_rng(n)
    return Packet(
        start + np.arange(n, dtype=np.uint64),
        rng.integers(0, WIDTH, n, np.uint16),
        rng.integers(0, HEIGHT, n, np.uint16),
        rng.integers(0, 2, n).astype(np.bool_),
    )


def header(compression="none", width=WIDTH, source="DVXplorer_X1") -> bytes:
    return io_header(compression, info_xml(width, HEIGHT, compression, source))


def packet(content: Packet, compression="none", stream: int = 0) -> bytes:
    data = pack(events_payload(content), compression)
    return struct.pack("<ii", stream, len(data)) + data


@contextmanager
def server(*answers: bytes | None) -> Iterator[str]:
    """Sends each answer to one connection after another, and ends it; the URI. None: no server."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                if answer:
                    connection.sendall(answer)
        listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"dv-tcp://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(10)


def read(source) -> Packet:
    """All events until the connection ends."""
    found: list[Packet] = []
    with pytest.raises(SourceLostError, match="the connection ended"):
        for live in source.packets(5.0):
            found.append(live.events)
    return Packet(*(np.concatenate([getattr(p, c) for p in found]) for c in ("t", "x", "y", "on")))


def same(one: Packet, other: Packet) -> bool:
    return all(np.array_equal(getattr(one, c), getattr(other, c)) for c in ("t", "x", "y", "on"))


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
@pytest.mark.parametrize("start", [b"", MAGIC])
def test_events_of_each_compression(compression, start: bytes) -> None:
    sent = events(3000)
    parts = [packet(part, compression) for part in sent.split(1000)]
    other = packet(events(5), compression, stream=1)
    with server(start + header(compression) + other.join([b"", *parts])) as uri:
        with closing(open_source(uri)) as source:
            assert (source.sensor, source.width, source.height) == ("DVXplorer_X1", WIDTH, HEIGHT)
            live = next(source.packets(5.0))
            assert live is not None and live.raw is not None
            assert bytes(live.raw) == events_payload(sent[:1000]) and live.encoding == "dv"
        with pytest.raises(SourceLostError, match="cannot connect"):
            open_source(uri.rpartition(":")[0] + ":1")


def test_all_events_and_what_is_damaged_or_outside_is_counted() -> None:
    sent = events(900)
    outside = Packet(sent.t[:3], np.full(3, WIDTH, np.uint16), sent.y[:3], sent.on[:3])
    damaged = bytearray(packet(sent[:10]))
    damaged[8 + 16] = 0xFF
    stream = header() + packet(sent[:450]) + packet(outside) + damaged + packet(sent[450:])
    with server(stream) as uri, closing(open_source(uri)) as source:
        assert same(read(source), sent)
        assert source.dropped == {"out_of_bounds": 3, "negative_time": 0}
        assert source.lost == {"damaged_packets": 1}


@pytest.mark.parametrize(
    ("stream", "kind", "says"),
    [
        (b"HTTP/1.1 400 Bad Request", SourceError, "it sends something else: this is no AEDAT4"),
        (b"\x10\0\0\0" + bytes(16), SourceError, "it sends something else"),
        (b"", SourceLostError, "it sends no header: it closed"),
        (header()[:40], SourceLostError, "it sends no header"),
        (header(width=0), SourceError, "it states a sensor of 0x48"),
        (header().replace(b"EVTS", b"FRME"), SourceError, "it sends FRME, no events"),
    ],
)
def test_what_is_no_event_stream_is_refused(stream: bytes, kind, says: str) -> None:
    with server(stream) as uri, pytest.raises(kind, match="^dv-tcp://") as found:
        open_source(uri)
    assert says in str(found.value)


@pytest.mark.parametrize("size", [-1, 1 << 30])
def test_an_impossible_size_ends_the_connection(size: int) -> None:
    stream = header() + packet(events(7)) + struct.pack("<ii", 0, size)
    with server(stream) as uri, closing(open_source(uri)) as source:
        assert same(read(source), events(7))


def test_a_server_that_comes_back_goes_on_and_another_camera_is_refused() -> None:
    first = header() + packet(events(10))
    with server(first, header() + packet(events(20)), header(width=32)) as uri:
        live = Reopening(open_source(uri))
        with closing(live):
            found = []
            with pytest.raises(SourceError, match="DVXplorer_X1 of 32x48 now, not"):
                for got in live.packets(0.2):
                    found += [len(got.events)] if got else []
            assert found == [10, 20] and live.outages == 2


def test_silence_gives_none_and_close_ends_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(header())
                connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        source = open_source(f"dv-tcp://127.0.0.1:{listener.getsockname()[1]}")
        packets = source.packets(0.05)
        assert next(packets) is None and next(packets) is None
        source.close()
        assert list(packets) == []
        thread.join(10)


#: The real server: N batches as soon as a client is there, and then its end.
_WRITER = """
import sys, time
import dv_processing as dv
width, height, n = map(int, sys.argv[2:5])
stream = dv.io.Stream.EventStream(0, "events", "DVXplorer_REAL", (width, height))
stream.setCompression(getattr(dv.CompressionType, sys.argv[1]))
for port in range(47_300, 47_400):
    try:
        writer = dv.io.NetworkWriter("127.0.0.1", port, stream)
        break
    except RuntimeError:
        continue
print(port, flush=True)
while not writer.getClientCount():
    time.sleep(0.01)
for batch in range(n):
    store = dv.EventStore()
    for k in range(500):
        i = 500 * batch + k
        store.push_back(1_700_000_000_000_000 + i, i % width, i // 7 % height, i % 3 == 0)
    writer.writeEvents(store)
while writer.getQueuedPacketCount():
    time.sleep(0.01)
sys.stdin.read()
"""


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "LZ4_HIGH", "ZSTD", "ZSTD_HIGH"])
def test_the_real_dv_processing_sends_what_we_read(compression: str) -> None:
    if importlib.util.find_spec("dv_processing") is None:
        pytest.skip("dv_processing is not installed: pip install -e '.[peers]'")
    n = 12
    arguments = [sys.executable, "-c", _WRITER, compression, str(WIDTH), str(HEIGHT), str(n)]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        port = int(process.stdout.readline())
        with closing(open_source(f"dv-tcp://127.0.0.1:{port}")) as source:
            assert (source.sensor, source.width, source.height) == ("DVXplorer_REAL", 64, 48)
            found, total = [], 0
            for live in source.packets(5.0):
                assert live is not None, "nothing came for 5 s"
                found.append(live.events)
                total += len(live.events)
                if total >= 500 * n:
                    break
            i = np.arange(500 * n)
            t, x, y, on = (
                np.concatenate([getattr(p, c) for p in found]) for c in ["t", "x", "y", "on"]
            )
            assert np.array_equal(t, 1_700_000_000_000_000 + i.astype(np.uint64))
            assert np.array_equal(x, i % WIDTH) and np.array_equal(y, i // 7 % HEIGHT)
            assert np.array_equal(on, i % 3 == 0)
            process.stdin.close()
            with pytest.raises(SourceLostError, match="the connection ended"):
                list(source.packets(5.0))
