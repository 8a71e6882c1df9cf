"""How well two engines agree, with engines whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from saccade.camera.frames import FrameSpec
from saccade.engines.engine import EngineError
from saccade.engines.verify import LEAST, Agreement, agreement, compare, embed, event_frames


class Known:
    """Gives the means of a frame's halves, turned by a known angle."""

    def __init__(self, batch: int, cosine: float = 1.0, only: int | None = None) -> None:
        self.input = np.zeros((batch, 3, 8, 8), np.float32)
        self.output = np.zeros((batch, 2), np.float32)
        self._cosine, self._only, self.seen = cosine, only, 0
        self.runs: list[int] = []

    def run(self, n: int, stream: int = 0) -> None:
        self.runs.append(n)
        for i in range(n):
            assert (self.input[i] == self.input[i, 0]).all()
            halves = self.input[i, 0].reshape(2, -1).mean(axis=1) + 1e-3
            a = halves / np.linalg.norm(halves)
            turned = self._only in (None, self.seen)
            cosine = self._cosine if turned else 1.0
            sine = np.sqrt(max(1 - cosine**2, 0))
            self.output[i] = cosine * a + sine * np.array([-a[1], a[0]])
            self.seen += 1

    def close(self) -> None: ...


FRAMES = np.random.default_rng(1).random((10, 8, 8)).astype(np.float32)


def test_the_cosine_is_found_whatever_the_batches() -> None:
    for batch in (1, 3, 8, 16):
        engine = Known(batch, 0.97)
        found = compare(engine, Known(4), FRAMES)
        assert found.frames == 10
        assert found.worst == pytest.approx(0.97, abs=1e-6)
        assert sum(engine.runs) == 10
        assert max(engine.runs) == min(batch, 10)


def test_one_frame_that_is_wrong_is_the_worst() -> None:
    found = compare(Known(4, 0.5, only=7), Known(1), FRAMES)
    assert found.worst == pytest.approx(0.5, abs=1e-6)
    assert found.mean == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize(("precision", "least"), LEAST.items())
def test_too_far_is_refused_with_the_figure(precision, least) -> None:
    Agreement(least, 1.0, 64).require("m", precision)
    with pytest.raises(EngineError, match=rf"m: .* cosine 0\.9\d+ at worst .* at least {least}"):
        Agreement(least - 1e-4, 1.0, 64).require("m", precision)
    with pytest.raises(EngineError, match="cosine nan"):
        Agreement(float("nan"), 1.0, 64).require("m", precision)


@pytest.mark.parametrize("row", [[0, 0], [np.nan, 1], [np.inf, 1]])
def test_what_is_no_direction_agrees_with_nothing(row) -> None:
    wanted = np.float32([[1, 0], [0, 1]])
    found = agreement(np.float32([[1, 0], row]), wanted)
    assert not found.worst >= 0.99


def test_frames_are_those_of_events_and_always_the_same() -> None:
    for kind in ("paper", "signed", "clamped"):
        spec = FrameSpec(kind, 32, "sensor")
        frames = event_frames(spec)
        assert frames.shape == (64, 32, 32)
        assert frames.dtype == np.float32
        np.testing.assert_array_equal(frames[:3], event_frames(spec, 3))
        assert len({frame.tobytes() for frame in frames}) == 64
        assert all(np.ptp(frame) > 0.01 for frame in frames)


def test_progress_ends_at_one() -> None:
    shares: list[float] = []
    embed(Known(4), FRAMES, shares.append)
    assert shares == [0.4, 0.8, 1.0]
