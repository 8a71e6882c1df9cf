"""What a live source is: packets as they arrive, and what became of the camera.

A source is passive: whoever iterates over `packets` reads the driver, on a thread of its own as a
rule. Native decoders and drivers release the GIL.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, Protocol

from saccade.camera import _native
from saccade.camera.counting import count_packets
from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import EVENT_DTYPE, Packet
from saccade.camera.formats.evt3_words import Evt3State


class SourceError(SaccadeError):
    """A live source that cannot be opened or read.

    Attributes:
        source: its name.
        what: what is wrong with it.
        remedy: what to do.
    """

    def __init__(self, name: str, what: str, remedy: str) -> None:
        self.source, self.what, self.remedy = name, what, remedy
        super().__init__(f"{printable(name)}: {printable(what)}; {remedy}")


class SourceLostError(SourceError):
    """A source that was there, or should be, and is not: unplugged, or its server ended.

    `reopen` may bring it back.
    """


class Content(Protocol):
    """Bytes whose events are read once, as columns or counted; `camera.sources.contents` has them.

    Attributes:
        raw: the bytes, which hold these events and no others.
        encoding: of them: "evt3", or "dv" (a size-prefixed flatbuffer EVTS).
        before, after: what words of EVT3 have set before these and after them. `before` is None at
            the camera's first, and its first after it was opened again; `after` until these are
            read.
    """

    raw: bytes | memoryview
    encoding: str
    before: Evt3State | None
    after: Evt3State | None

    def decode(self) -> Packet:
        """The events."""
        ...

    def count(self, slices: _native.SliceCounter) -> Generator[None]:
        """Counts them; yields where a slice is due, which is to be taken then."""
        ...

    def copy(self) -> Content:
        """The same, to be read whenever, which counts nothing as dropped."""
        ...


class LivePacket:
    """What arrived at once.

    Bytes are decoded when their events are first asked for, or counted without: by one thread, and
    in the order of their arrival, for words mean what those before have set. A source reads those
    that nobody has read when it reads on.

    Attributes:
        received_ns: of `time.monotonic_ns`, when its last byte had arrived.
    """

    __slots__ = ("_content", "_counted", "_events", "_spare", "received_ns")

    _counted: tuple[int, tuple[int, int]] | None

    def __init__(self, found: Packet | Content, received_ns: int) -> None:
        """Of events, or of bytes that hold them."""
        content = None if isinstance(found, Packet) else found
        self._content: Content | None = content
        self._events = found if isinstance(found, Packet) else None
        self._spare: Content | None = None  # of bytes that were counted, for those who record
        self._counted = None
        self.received_ns = received_ns

    @property
    def events(self) -> Packet:
        """In the order of arrival; none where bytes of EVT3 hold only its clock or triggers."""
        if self._events is None:
            assert self._content is not None
            assert self._spare is not None or self._counted is None, "counted, and not kept"
            self._events = (self._spare or self._content).decode()
        return self._events

    def count(self, slices: _native.SliceCounter, keep: bool) -> Generator[None]:
        """Counts its events; yields where a slice is due, which is to be taken then.

        Args:
            slices: where they are counted.
            keep: `events` can be asked for later, by others; else not any more.
        """
        if self._content is None or self._events is not None:
            yield from count_packets((self.events,), slices)
            slices.take_seen()
            return
        self._spare = self._content.copy() if keep else None
        before = slices.events
        self._counted = 0, (0, 0)
        yield from self._content.count(slices)
        self._counted = slices.events - before, slices.take_seen()

    @property
    def is_read(self) -> bool:
        """Whether its events were decoded or are counted."""
        return self._counted is not None or self._events is not None

    @property
    def n_events(self) -> int:
        """How many events it holds."""
        return self._counted[0] if self._counted is not None else len(self.events)

    @property
    def ends_us(self) -> tuple[int, int]:
        """Times of its first and its last event; it has one."""
        if self._counted is not None:
            return self._counted[1]
        t = self.events.t
        return int(t[0]), int(t[-1])

    @property
    def nbytes(self) -> int:
        """Bytes that it holds: as they came, and of the columns where there are any."""
        columns = 0 if self._events is None else EVENT_DTYPE.itemsize * len(self._events)
        return columns + (len(self.raw) if self.raw is not None else 0)

    @property
    def raw(self) -> bytes | memoryview | None:
        """The bytes of its events and no others; None where the source has none.

        Those of EVT3 are whole words, and follow on those of the packet before.
        """
        return self._content.raw if self._content is not None else None

    @property
    def encoding(self) -> str:
        """Of `raw`, as `Content` has it, or ""."""
        return self._content.encoding if self._content is not None else ""

    @property
    def before(self) -> Evt3State | None:
        """See `Content`; None of other events."""
        return self._content.before if self._content is not None else None

    @property
    def after(self) -> Evt3State | None:
        """See `Content`; None of other events."""
        if not self.is_read:
            _ = self.events
        return self._content.after if self._content is not None else None


class LiveSource(Protocol):
    """An open camera, or what stands for one.

    Attributes:
        name: the URI that opens the same device again, its serial included.
        sensor: the sensor's or the camera's name.
        serial: "" where it has none.
        width, height: pixels.
    """

    @property
    def name(self) -> str: ...

    @property
    def sensor(self) -> str: ...

    @property
    def serial(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def lost(self) -> dict[str, int]:
        """What never became bytes here, since the source was opened, by class.

        `events` where the source knows how many; else in units of its driver, which the name says
        (`overflows`, `packets`). Goes on over `reopen`.
        """
        ...

    @property
    def dropped(self) -> dict[str, int]:
        """Events that arrived and were left out, by class, as `Recording.dropped`; goes on too."""
        ...

    def packets(self, timeout_s: float) -> Iterator[LivePacket | None]:
        """What arrives from now on; None each time that no event came for `timeout_s`.

        Ends where the source itself ends. One iteration at a time.

        Raises:
            SourceLostError: the source is gone, at most 1 s after it went; every event that
                arrived was given before.
            SourceError: it sends what cannot be read.
        """
        ...

    def reopen(self) -> None:
        """Opens the same device (by its serial) again after a SourceLostError.

        The sensor's clock may begin anew. `packets` is called again.

        Raises:
            SourceLostError: it is not there (yet).
            SourceError: it is another one now, such as one of another size.
        """
        ...

    def settings(self) -> dict[str, Any]:
        """What is set on the camera, as tables of a settings file; {} where nothing can be."""
        ...

    def close(self) -> None:
        """Lets go of the device; may be called from another thread, which ends `packets`."""
        ...
