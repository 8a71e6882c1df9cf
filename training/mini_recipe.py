"""How saccade-mini is trained, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How saccade-mini is trained.

    The learning rate rises for `warm_up` epochs, stays, and falls to nothing in the last `cool`
    ones: until these begin, a longer training is the same training. Frames are small until then,
    which is over twice as fast, and grow to their full size while the rate falls.

    Variants come in one by one, so that they can be simulated while it trains.

    Attributes:
        epochs: of N draws each, N being the number of training images.
        variants: simulations of each image.
        longer: how many of them, the last, have strokes twice as long, and so twice the events.
        grow: epochs from one variant to the next.
        cool: how many of them, the last, see the learning rate fall.
        small: side of the frames in pixels before the rate falls.
        batch: frames a step.
        learning_rate: the highest.
        warm_up: epochs of a rising learning rate.
        mixed: share of the batches that are mixed, but for the last quarter of the fall.
        text: weight of the loss towards CLIP's texts.
        average: memory of the exponential average of the weights, in steps.
        bfloat16: convolve in bfloat16. Twice as fast on a GPU and on a CPU with AMX or AVX-512
            BF16; many times slower on a CPU without.
    """

    epochs: int
    variants: int = 12
    longer: int = 0
    grow: int = 5
    cool: int = 30
    small: int = 64
    batch: int = 128
    learning_rate: float = 2e-3
    warm_up: int = 3
    mixed: float = 0.6
    text: float = 0.25
    average: float = 300
    bfloat16: bool = False

    def _left(self, epoch: float) -> float:
        """What is left of the fall, as a share of it: above 1 before it begins."""
        return (self.epochs - epoch) / max(self.cool, 1e-9)

    def rate(self, epoch: float) -> float:
        """The learning rate at a time, which is counted in epochs."""
        rising = (epoch + 0.01) / self.warm_up
        return self.learning_rate * min(1.0, rising, max(self._left(epoch), 0.002))

    def size(self, epoch: int, full: int) -> int:
        """Side of an epoch's frames: the mean of small and full in the first third of the fall."""
        left = self._left(epoch)
        return self.small if left > 1 else (self.small + full) // 2 if left > 0.67 else full
