"""Compares an engine with the reference: the embeddings of the same 64 frames by both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.camera.events import Packet
from saccade.camera.frames import FrameMaker, FrameSpec
from saccade.engines.engine import Engine, EngineError
from saccade.engines.reporting import Report, silent

FRAMES = 64
#: The least cosine of a frame's two embeddings, by precision. There are libraries that are wrong
#: in fp16 attention, and they are wrong by more than this.
LEAST = {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.99, "int8": 0.99}
_WIDTH, _HEIGHT = 346, 260


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cosines of the embeddings of one engine with those of another, frame by frame.

    Attributes:
        worst, mean: over the frames; nan where an embedding is no direction.
        frames: how many.
    """

    worst: float
    mean: float
    frames: int

    def require(self, what: str, precision: str) -> None:
        """Refuses an engine that is not near enough.

        Raises:
            EngineError: with the figure.
        """
        least = LEAST[precision]
        if not self.worst >= least:
            raise EngineError(
                f"{what}: its embeddings are not those of the reference: cosine {self.worst:.5f} "
                f"at worst ({self.mean:.5f} on average) over {self.frames} frames, at least "
                f"{least} is needed for {precision}; use another --precision or --engine"
            )


def compare(
    engine: Engine, reference: Engine, frames: NDArray[np.float32], report: Report = silent
) -> Agreement:
    """How well two engines of one model agree on frames float32 [N, size, size]."""
    wanted = embed(reference, frames, lambda share: report("asking the reference engine", share))
    found = embed(engine, frames, lambda share: report("comparing", share))
    return agreement(found, wanted)


def agreement(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> Agreement:
    """How well embeddings [N, D] agree with those wanted."""
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):  # of zeros, and of what is not finite
        cosines = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return Agreement(float(cosines.min()), float(cosines.mean()), len(cosines))


def embed(
    engine: Engine,
    frames: NDArray[np.float32],
    progress: Callable[[float], None] = lambda share: None,
) -> NDArray[np.float32]:
    """Embeddings float32 [N, D] of frames float32 [N, size, size], in batches as full as can be."""
    batch = len(engine.input)
    found: list[NDArray[np.float32]] = []
    for first in range(0, len(frames), batch):
        some = frames[first : first + batch]
        engine.input[: len(some)] = some[:, None]  # copied to each channel
        engine.run(len(some))
        found.append(np.array(engine.output[: len(some)]))
        progress((first + len(some)) / len(frames))
    return np.concatenate(found)


def event_frames(spec: FrameSpec, n: int = FRAMES) -> NDArray[np.float32]:
    """Frames float32 [n, size, size] as a camera gives them, the same ones each time.

    Edges of shapes that move, brighter on one side, with noise; from 500 events to 50,000.
    """
    maker = FrameMaker(_WIDTH, _HEIGHT, spec)
    rng = np.random.default_rng(64)
    return np.stack([np.array(maker.make([_scene(rng)])) for _ in range(n)])


def _scene(rng: np.random.Generator) -> Packet:
    n = int(10 ** rng.uniform(2.7, 4.7))
    shape = rng.integers(0, rng.integers(2, 6), n)  # which one an event is of
    centre, radius = rng.uniform(0.1, 0.9, (5, 2)), rng.uniform(0.04, 0.4, (5, 2))
    corners = rng.integers(2, 9, 5)  # of a polygon
    turn, motion = rng.uniform(0, 2 * np.pi, 5), rng.uniform(-0.04, 0.04, (5, 2))
    angle = rng.uniform(0, 2 * np.pi, n)
    sector = np.pi / corners[shape]
    to_edge = np.cos(sector) / np.cos((angle - turn[shape]) % (2 * sector) - sector)
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    when = rng.random(n)
    place = centre[shape] + radius[shape] * to_edge[:, None] * around
    place += motion[shape] * when[:, None] + rng.normal(0, 0.002, (n, 2))
    noise = rng.random(n) < 0.1
    place[noise] = rng.random((int(noise.sum()), 2))
    on = (around * motion[shape]).sum(axis=1) > 0
    on[noise] = rng.random(int(noise.sum())) < 0.5
    inside = ((place >= 0) & (place < 1)).all(axis=1)
    order = np.argsort(when[inside])
    place, when, on = place[inside][order], when[inside][order], on[inside][order]
    x = np.array(place[:, 0] * _WIDTH, np.uint16)
    y = np.array(place[:, 1] * _HEIGHT, np.uint16)
    return Packet(np.array(when * 30_000, np.uint64), x, y, on)
