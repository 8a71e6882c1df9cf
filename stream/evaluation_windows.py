"""The recordings of FOLDER/LABEL/, and embeddings of their windows, by a run's frames."""

from __future__ import annotations

import itertools
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from saccade.camera.disturbances import Disturbance
from saccade.camera.errors import RecordingError, SaccadeError, printable
from saccade.camera.fused import FramedSlice
from saccade.camera.recordings import Recording, open_recording
from saccade.engines.bank import MOST_SHOWN, LabelBank, LabelError
from saccade.engines.engine import Engine
from saccade.engines.models import Model
from saccade.stream.settings import make_slicer, parse_geometry
from saccade.stream.windows import FrameBatch, chosen_frames, framer_of, until_damage

_FORM = "give a folder that has a folder of recordings for each label"


@dataclass(frozen=True, slots=True)
class Sample:
    """A recording whose label is known.

    Attributes:
        path: the file.
        label: the index of its label in the bank.
    """

    path: Path
    label: int

    @property
    def name(self) -> str:
        """LABEL/FILE."""
        return f"{self.path.parent.name}/{self.path.name}"


@dataclass(frozen=True, slots=True)
class Windows:
    """Embeddings of windows of recordings.

    Attributes:
        embeddings: float32 [N, dimension].
        owners: intp [N], the index of each one's sample.
        places: intp [N], the number of the window in its recording.
    """

    embeddings: NDArray[np.float32]
    owners: NDArray[np.intp]
    places: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Faults:
    """What could not be used as it should be, by the recording's name; stderr names each once.

    Attributes:
        left_out: recordings that cannot be read, or have no events, and why.
        damaged: those of which only what comes before the damage was looked at.
    """

    left_out: dict[str, str] = field(default_factory=dict[str, str])
    damaged: dict[str, str] = field(default_factory=dict[str, str])

    def leave_out(self, sample: Sample, error: RecordingError) -> None:
        """A recording of which nothing can be used."""
        self.left_out[printable(sample.name)] = str(error)
        print(printable(f"left out: {error}"), file=sys.stderr)

    def damage(self, sample: Sample, error: RecordingError) -> None:
        """One that is damaged further on."""
        name = printable(sample.name)
        if name not in self.damaged:
            self.damaged[name] = str(error)
            print(printable(f"{error}; looked at what is before"), file=sys.stderr)


def find_recordings(folder: Path) -> dict[str, list[Path]]:
    """The files of each folder in a folder, in order of their names; hidden ones are none.

    Raises:
        SaccadeError: it cannot be read, or there is no file in a folder in it.
    """
    try:
        labels = sorted(each for each in folder.iterdir() if each.is_dir() and _seen(each))
        found = {label.name: _recordings(label) for label in labels}
    except OSError as error:
        raise SaccadeError(f"{error.filename}: {error.strerror}; {_FORM}") from None
    found = {label: paths for label, paths in found.items() if paths}
    if not found:
        raise SaccadeError(f"{printable(str(folder))}: no recordings in folders in it; {_FORM}")
    return found


def _recordings(folder: Path) -> list[Path]:
    paths = {each.name: each for each in folder.iterdir() if each.is_file() and _seen(each)}
    # What a recorder says of FILE lies beside it, as FILE.json.
    beside = {f"{name}.json" for name in paths}
    return [paths[name] for name in sorted(paths) if name not in beside]


def _seen(path: Path) -> bool:
    return not path.name.startswith(".")


def known_samples(
    found: dict[str, list[Path]], bank: LabelBank, folder: Path
) -> tuple[list[Sample], list[str]]:
    """The recordings of labels of the bank, and the folders that are none, which stderr names.

    Raises:
        LabelError: none is.
    """
    unknown = [name for name in found if not bank.find(name)]
    if len(unknown) == len(found):
        raise LabelError(
            f"{printable(str(folder))}: none of its folders ({_some(unknown)}) is a label of the "
            f"{len(bank.names)} in use; name the folders so, or give others with --labels"
        )
    if unknown:
        what = f"{folder}: no labels, left out: {_some(unknown)}"
        print(printable(what), file=sys.stderr)
    samples = [
        Sample(path, bank.rows[bank.find(name)[0]])
        for name, paths in found.items()
        if bank.find(name)
        for path in paths
    ]
    return samples, [*map(printable, unknown)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return ", ".join(names[:MOST_SHOWN]) + more


class Looker:
    """Windows of recordings, through the frames of a model and an engine."""

    def __init__(
        self,
        model: Model,
        engine: Engine,
        window: str | None,
        count: int | None,
        geometry: str | None,
        windows: int,
    ) -> None:
        """`windows` of each recording, as `choose_windows` spreads them; of one, the centre.

        Raises:
            SaccadeError: the window, the count or the geometry cannot be.
        """
        make_slicer(window, count, None)
        self._cut = (window, count)
        self._geometry = parse_geometry(geometry)
        self._spec = model.frame_spec(None)
        self._engine, self._windows = engine, windows

    def look(
        self,
        samples: Sequence[Sample],
        disturbance: Disturbance | None,
        faults: Faults,
        report: Callable[[int, int], None],
    ) -> Windows:
        """The windows of recordings as they are, or disturbed.

        Args:
            samples: the recordings.
            disturbance: what is done to their events; None: nothing.
            faults: gets those that are not used, or not to their end; the others go on.
            report: called with the number of recordings done, and how many they are.
        """
        batch = FrameBatch(self._engine)
        owners, places = list[int](), list[int]()
        for i, sample in enumerate(samples):
            try:
                for place, frame in self._chosen(sample, disturbance, faults):
                    batch.add(frame)
                    owners.append(i)
                    places.append(place)
            except RecordingError as error:
                faults.leave_out(sample, error)
            report(i + 1, len(samples))
        return Windows(batch.finish(), np.array(owners, np.intp), np.array(places, np.intp))

    def frame(self, sample: Sample, place: int) -> NDArray[np.float32]:
        """The frame of a window that `look` gave, float32 [size, size]."""
        with self._open(sample) as recording:
            cuts = self._cuts(sample, recording, None)
            return np.array(next(itertools.islice(cuts, place, None)).frame)

    def _open(self, sample: Sample) -> Recording:
        return open_recording(sample.path, self._geometry)

    def _chosen(
        self, sample: Sample, disturbance: Disturbance | None, faults: Faults
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The windows to look at: their numbers and frames; a frame is good until the next."""
        with self._open(sample) as recording:
            some = False

            def cuts() -> Iterator[FramedSlice]:
                found = self._cuts(sample, recording, disturbance)
                return until_damage(found, partial(faults.damage, sample))

            for chosen in chosen_frames(cuts, self._windows):
                some = True
                yield chosen
            if not some:
                raise RecordingError(str(sample.path), "no window has events", "remove it")

    def _cuts(
        self, sample: Sample, recording: Recording, disturbance: Disturbance | None
    ) -> Iterator[FramedSlice]:
        width, height = recording.width, recording.height
        if disturbance is not None:
            width, height = disturbance.size(width, height)
        framer = framer_of(width, height, self._spec, *self._cut)
        if disturbance is None:
            yield from framer.pass_over(recording, np.empty([self._spec.size] * 2, np.float32))
            return
        rng = np.random.default_rng(zlib.crc32(sample.name.encode("utf-8", "surrogateescape")))
        size = (recording.width, recording.height)
        for packet in disturbance.apply(recording.packets(), *size, rng):
            yield from framer.feed(packet)
        yield from framer.finish()
