"""Samples: a frame, its paired image and its class. What is drawn for one depends on three numbers
alone, the seed, the epoch and the sample's: not on the order, the workers or a run before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet
from saccade.training.config import DataConfig, SimulationConfig
from saccade.training.datasets.augment import augment_events, augment_frame
from saccade.training.datasets.files import Listing, Sample, list_samples
from saccade.training.datasets.kinds import KINDS, Frames, Recipe
from saccade.training.datasets.pictures import read_photo, simulated_events
from saccade.training.datasets.windows import by_count, by_time, read_events


@dataclass(frozen=True)
class Item:
    """One sample, ready for the towers.

    Attributes:
        frame: float32 [size, size].
        photo: float32 [3, photo_size, photo_size]; None without paired images.
        label: number of its class.
    """

    frame: NDArray[np.float32]
    photo: NDArray[np.float32] | None
    label: int


class Samples:
    """The samples of a data set, made when they are asked for. One thread at a time.

    Attributes:
        listing: what there is.
        recipe: of the frames.
        events: of a window; 0 where it has a length in time.
    """

    def __init__(
        self,
        data: DataConfig,
        *,
        size: int,
        photo_size: int = 0,
        seed: int = 0,
        training: bool,
        recipe: Recipe | None = None,
        simulation: SimulationConfig | None = None,
    ) -> None:
        """Lists them.

        Args:
            data: which.
            size, photo_size: sides of frames and of paired images, pixels; 0 reads no images.
            seed: of all that is drawn.
            training: windows anywhere, augmented where `data.augment` says so; else the centre.
            recipe: other frames than the data set's.
            simulation: of a folder of images.

        Raises:
            ClassError: as `list_samples`.
        """
        self.listing: Listing = list_samples(data)
        self.recipe = recipe or KINDS[data.kind].recipe
        self._data, self._training, self._seed = data, training, seed
        self._photo_size = photo_size
        self._simulation = simulation or SimulationConfig()
        self._frames = Frames(self.recipe, size)
        self.events = 0 if data.window_us else data.events or KINDS[data.kind].events
        self._geometry = data.geometry or KINDS[data.kind].geometry

    def __len__(self) -> int:
        return len(self.listing.samples)

    def item(self, index: int, epoch: int = 0) -> Item:
        """Sample `index` as it is in an epoch; outside of training it is the same in all.

        Raises:
            SaccadeError: its recording or its image cannot be read.
        """
        sample = self.listing.samples[index]
        rng = np.random.default_rng([self._seed, epoch, index]) if self._training else None
        packet, width, height = self._read(sample, index, rng)
        augmented = rng is not None and self._data.augment
        if rng is not None and augmented:
            packet = augment_events(packet, width, height, rng)
        frame = self._frames.make(packet, width, height)
        if rng is not None and augmented:
            frame = augment_frame(frame, rng)
        photo = None
        if self._photo_size and sample.image is not None:
            photo = read_photo(sample.image, self._photo_size)
        return Item(frame, photo, sample.label)

    def release(self) -> None:
        """Gives back the counters that frames are made with; they are made again when needed."""
        self._frames.release()

    def _read(
        self, sample: Sample, index: int, rng: np.random.Generator | None
    ) -> tuple[Packet, int, int]:
        if self._data.kind == "images":
            seed = index if rng is None else int(rng.integers(1 << 63))
            config = self._simulation
            packet = simulated_events(sample.path, config, seed, training=rng is not None)
            width, height = config.width, config.height
        else:
            packet, width, height = read_events(sample.path, self._geometry)
        if self._data.window_us:
            return by_time(packet, self._data.window_us, rng), width, height
        return by_count(packet, self.events, rng), width, height
