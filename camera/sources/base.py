"""What a live source is: packets as they arrive, and what became of the camera.

A source is passive: whoever iterates over `packets` reads the driver, on a thread of its own as a
rule. Native decoders and drivers release the GIL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from saccade.camera.errors import SaccadeError, printable
from saccade.camera.events import Packet
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


@dataclass(frozen=True, slots=True)
class LivePacket:
    """What arrived at once.

    Attributes:
        events: in the order of arrival; none where bytes of EVT3 hold only its clock or triggers.
        received_ns: of `time.monotonic_ns`, when its last byte had arrived.
        raw: the bytes that hold these events, and only those; None where the source has none. Those
            of EVT3 are whole words, and follow on those of the packet before.
        encoding: of `raw`: "evt3", "dv" (a size-prefixed flatbuffer EVTS), or "".
        before, after: what words of EVT3 have set before these and after them; `before` is None at
            the camera's first, and its first after it was opened again.
    """

    events: Packet
    received_ns: int
    raw: bytes | memoryview | None = None
    encoding: str = ""
    before: Evt3State | None = None
    after: Evt3State | None = None


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
