"""Small videos for tests, written with OpenCV, and the formulas of their frames in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

WIDTH, HEIGHT = 64, 48


def moving_square(n: int, width: int = WIDTH, height: int = HEIGHT) -> list[np.ndarray]:
    """Colour frames uint8 [h, w, 3] of noise, before which a square goes to the right and stops."""
    rng = np.random.default_rng(1)
    frames = []
    for k in range(n):
        frame = rng.integers(90, 110, (height, width, 3))
        x = min(k, 24)
        frame[10:26, x : x + 16] = (220, 40 + 5 * k, 130)
        frames.append(frame.clip(0, 255).astype(np.uint8))
    return frames


def write_video(path: Path, frames: list[np.ndarray], rate: float = 30.0) -> Path:
    """A video without loss (FFV1 in .avi or .mkv, else MPEG-4, with loss)."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'saccade[video]'")
    codec = "FFV1" if path.suffix in (".avi", ".mkv") else "mp4v"
    size = frames[0].shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), rate, size)
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def read_video(path: Path) -> list[np.ndarray]:
    """Its frames, as OpenCV decodes them."""
    import cv2

    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    capture.release()
    return frames


def gray(frame: np.ndarray) -> np.ndarray:
    """.2989 R + .5870 G + .1140 B of blue, green, red."""
    blue, green, red = np.moveaxis(frame.astype(np.float64), -1, 0)
    return 0.2989 * red + 0.5870 * green + 0.1140 * blue


def formula(frames: list[np.ndarray], kind: str, threshold: float) -> list[np.ndarray]:
    """The clamped sums of the chunks of 16, at the video's size; divided by their greatest, frames.

    See `camera.video` for the two formulas.
    """
    out = []
    for first in range(0, len(frames), 16):
        last = min(first + 16, len(frames))
        begin = first + 1 if kind == "gray" or first == 0 else first
        total = np.zeros(frames[0].shape[:2])
        for i in range(begin, last):
            if kind == "rgb":
                change = np.abs(frames[i].astype(np.float64) - frames[i - 1].astype(np.float64))
                total += gray(change) > threshold
            else:
                total += np.abs(gray(frames[i]) - gray(frames[i - 1])) > threshold
        if begin < last:
            out.append(np.minimum(total, 10 if kind == "rgb" else 16))
    return out
