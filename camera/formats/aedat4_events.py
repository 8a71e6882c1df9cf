"""AEDAT4's packets of events to columns, the next ones while these are consumed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np

from saccade.camera import _native
from saccade.camera.events import Packet
from saccade.camera.formats.readahead import batches, default_threads, map_ahead
from saccade.camera.formats.stream import CHUNK_EVENTS
from saccade.camera.formats.unpack import PACKET_LIMIT, Compression, TooLargeError, unpack

#: What the packets of a batch may unfold to on another thread; the rest is left to the consumer's,
#: so that a packet of 24 MiB is the only one in memory.
_AHEAD_LIMIT = 2 << 20
#: Packed bytes that make a batch: handing one over costs 30 us, which decoding it must outweigh.
_BATCH = 128 << 10
#: A smaller file is read before a thread is up; and what need not be unfolded takes as long to
#: hand over as to decode.
_WORTH_THREADS = 1 << 20


class Packed(NamedTuple):
    """One packet as it lies in the file."""

    offset: int
    end: int
    data: bytes | memoryview | None  # None: of another stream, and passed over


class Decoded(NamedTuple):
    """The events of one packet, and how many were dropped, by reason."""

    events: Packet
    dropped: dict[str, int]


class EventsDecoder:
    """Packets to columns, on any number of threads."""

    def __init__(self, width: int, height: int, compression: Compression) -> None:
        self._geometry = width, height
        self._compression: Compression = compression
        self._idle: list[_native.Aedat4PacketDecoder] = []

    def decode(self, data: bytes | memoryview) -> Decoded:
        """The events of one packet of at most `PACKET_LIMIT` bytes, in memory that is not kept.

        Raises ValueError with what is wrong where it is damaged or larger.
        """
        if self._compression != "lz4":
            return self._columns(unpack(data, self._compression))
        found = _native.Aedat4PacketDecoder(*self._geometry).decode_lz4(data, PACKET_LIMIT)
        if found is None:
            raise TooLargeError
        return Decoded(Packet(*found[0]), found[1])

    def decode_ahead(self, data: bytes | memoryview, limit: int) -> Decoded | None:
        """As `decode`; None where the packet unfolds to more than `limit` bytes."""
        if self._compression != "lz4":
            try:
                return self._columns(unpack(data, self._compression, limit))
            except TooLargeError:
                return None
        decoder = self._idle.pop() if self._idle else None
        decoder = decoder or _native.Aedat4PacketDecoder(*self._geometry)
        found = decoder.decode_lz4(data, limit)
        self._idle.append(decoder)
        return None if found is None else Decoded(Packet(*found[0]), found[1])

    def pass_over(
        self, packets: Iterator[Packed], size: int, threads: int | None
    ) -> Generator[tuple[Packed, Decoded | ValueError | None]]:
        """Each packet with its events, None where it has none, or what is wrong with it.

        Args:
            size: bytes of all packets.
            threads: see `Aedat4Recording.packets`.
        """
        if threads is None:
            worth = size >= _WORTH_THREADS and self._compression != "none"
            threads = default_threads() if worth else 1
        found = batches(packets, _weight, _BATCH if threads > 1 else 1)
        with closing(map_ahead(self._batch, found, threads, threads + 1)) as results:
            for batch, decoded in results:
                decoded.reverse()
                for packed in batch:
                    # Held by no name here: a large one must be gone when the next one is read.
                    yield packed, decoded.pop() if decoded else self._one(packed)

    def _one(self, packed: Packed) -> Decoded | ValueError | None:
        try:
            return None if packed.data is None else self.decode(packed.data)
        except ValueError as error:
            return error

    def _batch(self, batch: list[Packed]) -> tuple[list[Packed], list[Decoded | ValueError | None]]:
        """The results for the first of the batch; those past the limit are the consumer's."""
        out: list[Decoded | ValueError | None] = []
        left = _AHEAD_LIMIT
        for packed in batch:
            if packed.data is None:
                out.append(None)
                continue
            try:
                decoded = self.decode_ahead(packed.data, left)
            except ValueError as error:
                out.append(error)
                break
            if decoded is None:
                break
            left = max(0, left - 16 * len(decoded.events))
            out.append(decoded)
        return batch, out

    def _columns(self, payload: bytes | memoryview) -> Decoded:
        columns, dropped = _native.decode_events(payload, *self._geometry)
        return Decoded(Packet(*columns), dropped)


def parts(packet: Packet) -> Iterator[Packet]:
    """`packet` in parts of at most 65,536 events."""
    if len(packet) <= CHUNK_EVENTS:
        yield from packet.split(CHUNK_EVENTS)
        return
    for part in packet.split(CHUNK_EVENTS):
        # Copies: whoever holds the last part would keep all 20 MiB while the next packet is read.
        yield Packet(np.array(part.t), np.array(part.x), np.array(part.y), np.array(part.on))


def _weight(packed: Packed) -> int:
    return 1 + len(packed.data or b"")
